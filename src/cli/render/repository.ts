import type { TagDetail } from '../commands/inspect-repository.ts';
import { formatBytes } from '../../report/sizes.ts';
import { renderTable } from './table.ts';

/** `regtar inspect REPOSITORY` for people. */
export function renderRepository(tags: readonly TagDetail[]): string {
  return renderTable(
    ['TAG', 'PUSHED', 'BYTES', 'KIND', 'PLATFORMS', 'DIGEST'],
    tags.map(({ tag, pushed, bytes, kind, platforms, digest }) => [
      tag,
      pushed === undefined ? '-' : `${pushed.slice(0, 16).replace('T', ' ')}Z`,
      formatBytes(bytes),
      kind,
      platforms.join(', ') || '-',
      digest.slice(0, 19),
    ]),
    { right: [2] },
  );
}
