import type { WhatIf } from '../../select/what-if.ts';
import { formatBytes, formatCount, plural } from '../../io/sizes.ts';
import { renderTable } from './table.ts';
import type { View } from './view.ts';

const rowsShown = 20;

/** `regtar inspect --newest 5` for people: what would stay of a backup, and what would go. */
export function renderWhatIf({ stays, goes, repositories }: WhatIf, { describe, verbose, columns }: View): string {
  const line = ({ tags, blobs, bytes }: WhatIf['stays']): string =>
    `${formatBytes(bytes)} (${plural(tags, 'tag')}, ${plural(blobs, 'blob')})`;
  const shown = verbose ? repositories : repositories.slice(0, rowsShown);
  const left = repositories.length - shown.length;
  return [
    `${describe}: ${line(stays)} would stay, ${line(goes)} would go`,
    '',
    renderTable(
      ['REPOSITORY', 'TAGS STAY', 'GO', 'BYTES STAY', 'GO'],
      shown.map(({ repository, tags, bytes }) => [
        repository,
        formatCount(tags.stay),
        formatCount(tags.go),
        formatBytes(bytes.stay),
        formatBytes(bytes.go),
      ]),
      { right: [1, 2, 3, 4], columns },
    ),
    ...(left > 0 ? [`… and ${formatCount(left)} more; -v shows all`] : []),
    '',
    'What several repositories share counts once above and in each of their lines. Nothing was changed.',
  ].join('\n');
}
