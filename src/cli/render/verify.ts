import { printable } from '../../io/printable.ts';
import { formatImageReference } from '../../oci/reference.ts';
import type { VerifyReport } from '../../verify/verify-report.ts';
import { formatBytes, formatCount, formatSeconds } from '../../io/sizes.ts';
import { renderTable } from './table.ts';
import type { View } from './view.ts';

const rowsShown = 50;

/** `regtar verify` for people. */
export function renderVerdict(report: VerifyReport, { describe, verbose, columns }: View): string {
  const { images, untagged, blobs } = report;
  const damaged = report.verdicts.filter(({ state }) => state !== 'whole' && state !== 'elsewhere');
  const shown = verbose ? damaged : damaged.slice(0, rowsShown);
  const problems = verbose ? report.problems : report.problems.slice(0, rowsShown);
  const hidden = damaged.length - shown.length + report.problems.length - problems.length;
  const parts = [
    `${printable(describe)}: ${report.sound ? 'sound' : 'damaged'}`,
    '',
    `images    ${formatCount(images.whole)} whole, ${formatCount(images.partial)} partial, ` +
      `${formatCount(images.lost)} lost${elsewhere(images)}`,
    ...(untagged.whole + untagged.partial + untagged.lost > 0
      ? [
          `untagged  ${formatCount(untagged.whole)} whole, ${formatCount(untagged.partial)} partial, ` +
            `${formatCount(untagged.lost)} lost${elsewhere(untagged)}`,
        ]
      : []),
    `blobs     ${hashed(report)}`,
    `          ${formatCount(blobs.corrupt)} corrupt (${formatBytes(blobs.corruptBytes)}), ` +
      `${formatCount(blobs.missing)} missing (${formatBytes(blobs.missingBytes)}), ` +
      `${formatCount(blobs.unreferenced)} unreferenced (${formatBytes(blobs.unreferencedBytes)})`,
  ];
  if (shown.length > 0) {
    const rows = shown.map((verdict) => [
      formatImageReference(verdict),
      verdict.state,
      verdict.platforms.whole.join(', ') || '-',
      verdict.platforms.lost.join(', ') || '-',
    ]);
    parts.push('', renderTable(['IMAGE', 'STATE', 'WHOLE', 'LOST'], rows, { columns }));
  }
  if (problems.length > 0) parts.push('', ...problems.map(({ code, message }) => `${code}: ${printable(message)}`));
  if (report.verdicts.some(({ state }) => state === 'partial'))
    parts.push('hint: push, export and load take the whole platforms of partial images with --platform');
  if (hidden > 0) parts.push(`… and ${formatCount(hidden)} more lines; -v shows all`);
  return parts.join('\n');
}

function hashed({ quick, blobs, seconds }: VerifyReport): string {
  return quick
    ? 'not hashed (--quick)'
    : `${formatCount(blobs.checked)} hashed, ${formatBytes(blobs.bytes)} in ${formatSeconds(seconds)}`;
}

function elsewhere({ elsewhere: images = 0 }: VerifyReport['images']): string {
  return images === 0 ? '' : `, ${formatCount(images)} need other volumes`;
}
