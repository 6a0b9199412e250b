import type { TagDetail } from '../commands/inspect-repository.ts';
import { formatBytes } from '../../io/sizes.ts';
import { renderTable } from './table.ts';

/** `regtar inspect REPOSITORY` for people. */
export function renderRepository(tags: readonly TagDetail[], columns: number | undefined): string {
  // Docker's own lists show a day and twelve digits where there is no room for more.
  const isNarrow = columns !== undefined && columns < 120;
  return renderTable(
    ['TAG', 'PUSHED', 'BYTES', 'KIND', 'PLATFORMS', 'DIGEST'],
    tags.map(({ tag, pushed, bytes, kind, platforms, digest }) => [
      tag,
      pushed === undefined ? '-' : isNarrow ? pushed.slice(0, 10) : `${pushed.slice(0, 16).replace('T', ' ')}Z`,
      formatBytes(bytes),
      kind,
      platforms.join(', ') || '-',
      isNarrow ? digest.slice(7, 19) : digest.slice(0, 19),
    ]),
    { right: [2], whole: [1, 5], columns },
  );
}
