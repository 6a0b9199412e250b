import type { ImageTarget } from '../../content/contracts.ts';
import { formatImageReference } from '../../oci/reference.ts';
import type { Plan, PlannedImage } from '../../select/plan.ts';
import { formatBytes, formatCount, plural } from '../../io/sizes.ts';
import { renderTable } from './table.ts';

const rowsShown = 20;

/** How much of a plan is printed. */
export interface PlanView {
  readonly verbose: boolean;
  /** The width of the terminal; undefined where the text goes elsewhere. */
  readonly columns: number | undefined;
  /** What the output has of an image already. */
  readonly stateOf?: ((image: PlannedImage) => string) | undefined;
}

/** `--dry-run` for people. */
export function renderPlan(
  plan: Plan,
  describe: (target: ImageTarget) => string,
  { verbose, columns, stateOf }: PlanView,
): string {
  const shown = verbose ? plan.images : plan.images.slice(0, rowsShown);
  const rows = shown.map((image) => [
    formatImageReference(image.source),
    describe(image.target),
    ...(stateOf ? [stateOf(image)] : []),
    formatBytes(image.target.blobs.reduce((sum, blob) => sum + blob.size, image.target.root.size)),
  ]);
  const left = plan.images.length - shown.length;
  return [
    ...(rows.length > 0
      ? [
          renderTable(['IMAGE', 'BECOMES', ...(stateOf ? ['STATE'] : []), 'BYTES'], rows, {
            right: [stateOf ? 3 : 2],
            columns,
          }),
        ]
      : []),
    ...(left > 0 ? [`… and ${formatCount(left)} more; -v shows all`] : []),
    '',
    `${plural(plan.images.length, 'image')}, ${plural(plan.blobs, 'blob')}, ${formatBytes(plan.bytes)}; ` +
      `${formatCount(plan.refused.length)} cannot travel; nothing was written`,
  ].join('\n');
}
