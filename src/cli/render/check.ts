import type { CheckReport } from '../../check/contract.ts';
import { formatImageReference } from '../../oci/reference.ts';
import type { Paper } from '../../report/paper.ts';
import { formatBytes, formatCount, formatSeconds, plural } from './sizes.ts';
import { renderTable } from './table.ts';

const rowsShown = 50;

/** `regtar check` for people. */
export function renderCheck(report: CheckReport, paper: Paper, verbose: boolean): string {
  const { images, blobs, differences } = report;
  const shown = verbose ? differences : differences.slice(0, rowsShown);
  const rows = shown.map((difference) => [formatImageReference(difference), difference.kind, difference.message]);
  const counts = (['missing', 'other', 'incomplete', 'damaged', 'unknown'] as const)
    .filter((kind) => images[kind] > 0)
    .map((kind) => `${formatCount(images[kind])} ${kind === 'other' ? 'with another digest' : kind}`);
  const read = report.deep
    ? `${plural(blobs.checked, 'blob')} of ${formatBytes(blobs.bytes)} read and hashed`
    : `${plural(blobs.checked, 'blob')} looked for, not read (--deep reads them)`;
  return [
    `${report.target}: ${differences.length === 0 ? 'as the report says' : 'not as the report says'}`,
    '',
    ...(rows.length > 0
      ? [
          renderTable(['IMAGE', 'STATE', 'WHAT'], rows),
          ...(differences.length > shown.length
            ? [`… and ${formatCount(differences.length - shown.length)} more; -v shows all`]
            : []),
          '',
        ]
      : []),
    `${plural(images.checked, 'image')}: ${[`${formatCount(images.same)} as they should be`, ...counts].join(', ')}; ${read}; ${formatSeconds(report.seconds)}`,
    ...(images.notExpected > 0
      ? [`${plural(images.notExpected, 'image')} had not arrived when the report was written`]
      : []),
    ...(paper.state === 'finished'
      ? []
      : [
          `the report is of a run that ${paper.state === 'running' ? 'was not ended' : paper.state === 'failed' ? 'failed' : 'was interrupted'}`,
        ]),
  ].join('\n');
}
