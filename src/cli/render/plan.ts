import type { ImageTarget } from '../../content/contracts.ts';
import { formatImageReference } from '../../oci/reference.ts';
import type { Plan } from '../../select/plan.ts';
import { formatBytes, formatCount, plural } from './sizes.ts';
import { renderTable } from './table.ts';

const rowsShown = 20;

/** `--dry-run` for people. */
export function renderPlan(plan: Plan, describe: (target: ImageTarget) => string, verbose: boolean): string {
  const shown = verbose ? plan.images : plan.images.slice(0, rowsShown);
  const rows = shown.map(({ source, target }) => [formatImageReference(source), describe(target), formatBytes(target.blobs.reduce((sum, blob) => sum + blob.size, target.root.size))]);
  const left = plan.images.length - shown.length;
  return [
    ...(rows.length > 0 ? [renderTable(['IMAGE', 'BECOMES', 'BYTES'], rows, { right: [2] })] : []),
    ...(left > 0 ? [`… and ${formatCount(left)} more; -v shows all`] : []),
    '',
    `${plural(plan.images.length, 'image')}, ${plural(plan.blobs, 'blob')}, ${formatBytes(plan.bytes)}; ${formatCount(plan.refused.length)} cannot travel; nothing was written`,
  ].join('\n');
}
