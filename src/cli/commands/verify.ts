import { plural } from '../../io/sizes.ts';
import { formatPlatform, type Platform } from '../../oci/platform.ts';
import { createNarrower } from '../../select/choose-platforms.ts';
import type { VerifyReport } from '../../verify/verify-report.ts';
import { verifyBackup, type VerifyOptions } from '../../verify/verify.ts';
import type { Context } from '../context.ts';
import { withBackup } from '../open-backup.ts';
import { sourceOperands } from '../operands.ts';
import { startByteProgress } from '../progress.ts';
import { renderVerdict } from '../render/verify.ts';
import { viewOf } from '../render/view.ts';
import { readSelection, settleSelection, tellReasons, type SelectionOptions } from '../selection.ts';

/** Options of `regtar verify`. */
export interface VerifyCommandOptions extends SelectionOptions {
  readonly quick?: boolean;
  readonly jobs?: number;
}

/** `regtar verify [SOURCE…]`: exit code 4 where something is damaged. */
export async function verify(
  operands: readonly string[],
  options: VerifyCommandOptions,
  context: Context,
): Promise<number> {
  const selection = await readSelection(options, context);
  return withBackup(
    sourceOperands(operands, options),
    { ...options, keep: 'digests', checkLinks: true },
    context,
    async (opened) => {
      const { backup, catalog, store } = opened;
      const { filter, reasons } = await settleSelection(selection, opened);
      tellReasons(reasons, context);
      const { narrow, leftOut } = narrower(selection.platforms);
      const progress = await startByteProgress(context);
      const report = await verifyBackup(
        { catalog, store },
        {
          quick: options.quick ?? false,
          jobs: options.jobs,
          signal: context.signal,
          ...(selection.isNarrow && { filter }),
          narrow,
          onEvent: (event) => {
            if (event.type === 'start') progress.start(event.bytes);
            if (event.type === 'bytes') progress.add(event.bytes);
          },
        },
      ).finally(() => progress.stop());
      for (const note of leftOut()) context.output.message(`note: ${note}`);
      if (context.json) context.output.json(verifyJson(report));
      else context.output.line(renderVerdict(report, viewOf(backup.describe, context)));
      return report.sound ? 0 : 4;
    },
  );
}

/** Judges some platforms of images, and counts images that have none of them. */
function narrower(platforms: readonly Platform[]): {
  readonly narrow: VerifyOptions['narrow'];
  readonly leftOut: () => readonly string[];
} {
  if (platforms.length === 0) return { narrow: undefined, leftOut: () => [] };
  const toPlatforms = createNarrower(platforms);
  let without = 0;
  return {
    narrow: (root) => {
      const narrowed = toPlatforms(root);
      if (narrowed === undefined) without++;
      return narrowed;
    },
    leftOut: () =>
      without === 0
        ? []
        : [`${plural(without, 'name')} without ${platforms.map(formatPlatform).join(' or ')} not verified`],
  };
}

function verifyJson({ verdicts, ...report }: VerifyReport): unknown {
  return { ...report, damaged: verdicts.filter(({ state }) => state !== 'whole' && state !== 'elsewhere') };
}
