import type { BlobSet, Garbage } from '../../content/garbage.ts';
import { formatBytes, formatCount, plural } from '../../io/sizes.ts';
import { renderTable } from './table.ts';
import type { View } from './view.ts';

const rowsShown = 20;

/** `regtar inspect --unreferenced` for people. */
export function renderGarbage(
  { unreferenced, untagged, repositories }: Garbage,
  { describe, verbose, columns }: View,
): string {
  const size = ({ blobs, bytes }: BlobSet): string => `${plural(blobs, 'blob')}, ${formatBytes(bytes)}`;
  const shown = verbose ? repositories : repositories.slice(0, rowsShown);
  const left = repositories.length - shown.length;
  return [
    describe,
    '',
    `unreferenced  ${size(unreferenced)}: no manifest names them; \`registry garbage-collect\` removes them`,
    `untagged      ${size(untagged)} of ${plural(untagged.manifests.length, 'manifest')} without a tag; ` +
      '--delete-untagged removes them',
    ...(shown.length === 0
      ? []
      : [
          '',
          renderTable(
            ['REPOSITORY', 'UNTAGGED MANIFESTS', 'THEIR BYTES', 'UNREFERENCED BLOBS', 'THEIR BYTES'],
            shown.map((row) => [
              row.repository ?? '(none)',
              formatCount(row.untaggedManifests),
              formatBytes(row.untaggedBytes),
              formatCount(row.unreferencedBlobs),
              formatBytes(row.unreferencedBytes),
            ]),
            { right: [1, 2, 3, 4], columns },
          ),
        ]),
    ...(left > 0 ? [`… and ${formatCount(left)} more; -v shows all`] : []),
  ].join('\n');
}
