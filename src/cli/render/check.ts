import type { CheckReport } from '../../check/contract.ts';
import { formatImageReference } from '../../oci/reference.ts';
import type { Report } from '../../report/report.ts';
import { formatBytes, formatCount, formatSeconds, plural } from '../../io/sizes.ts';
import { renderTable } from './table.ts';
import type { View } from './view.ts';

const rowsShown = 50;

/** `regtar check` for people. */
export function renderCheck(
  comparison: CheckReport,
  report: Report,
  { verbose, columns }: Omit<View, 'describe'>,
): string {
  const { images, blobs, differences } = comparison;
  const shown = verbose ? differences : differences.slice(0, rowsShown);
  const rows = shown.map((difference) => [formatImageReference(difference), difference.kind, difference.message]);
  const counts = (['missing', 'other', 'incomplete', 'damaged', 'unknown'] as const)
    .filter((kind) => images[kind] > 0)
    .map((kind) => `${formatCount(images[kind])} ${kind === 'other' ? 'with another digest' : kind}`);
  const read = comparison.deep
    ? `${plural(blobs.checked, 'blob')} of ${formatBytes(blobs.bytes)} read and hashed`
    : `${plural(blobs.checked, 'blob')} looked for, not read (--deep reads them)`;
  return [
    `${comparison.target}: ${verdictOf(comparison)}`,
    '',
    ...(rows.length > 0
      ? [
          renderTable(['IMAGE', 'STATE', 'WHAT'], rows, { columns }),
          ...(differences.length > shown.length
            ? [`… and ${formatCount(differences.length - shown.length)} more; -v shows all`]
            : []),
          '',
        ]
      : []),
    `${plural(images.checked, 'image')}: ` +
      `${[`${formatCount(images.same)} as they should be`, ...counts].join(', ')}; ${read}; ` +
      `${formatSeconds(comparison.seconds)}`,
    ...((images.elsewhere ?? 0) > 0
      ? [`${plural(images.elsewhere ?? 0, 'image')} not looked at in full: other volumes of the set have the rest`]
      : []),
    ...(images.notExpected > 0
      ? [`${plural(images.notExpected, 'image')} had not arrived when the report was written`]
      : []),
    ...(report.state === 'finished'
      ? []
      : [
          `the report is of a run that ${
            report.state === 'running' ? 'has not ended' : report.state === 'failed' ? 'failed' : 'was interrupted'
          }`,
        ]),
  ].join('\n');
}

function verdictOf({ images, differences }: CheckReport): string {
  if (differences.length > 0) return 'not as the report says';
  return images.checked === 0 && images.notExpected > 0
    ? 'nothing to compare, because no image of the report had arrived'
    : 'as the report says';
}
