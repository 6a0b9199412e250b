import type { VerifyReport } from '../../verify/verify-report.ts';
import { verifyBackup } from '../../verify/verify.ts';
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
      const progress = await startByteProgress(context);
      const report = await verifyBackup(
        { catalog, store },
        {
          quick: options.quick ?? false,
          jobs: options.jobs,
          signal: context.signal,
          ...(selection.isNarrow && { filter }),
          onEvent: (event) => {
            if (event.type === 'start') progress.start(event.bytes);
            if (event.type === 'bytes') progress.add(event.bytes);
          },
        },
      ).finally(() => progress.stop());
      if (context.json) context.output.json(verifyJson(report));
      else context.output.line(renderVerdict(report, viewOf(backup.describe, context)));
      return report.sound ? 0 : 4;
    },
  );
}

function verifyJson({ verdicts, ...report }: VerifyReport): unknown {
  return { ...report, damaged: verdicts.filter(({ state }) => state !== 'whole' && state !== 'elsewhere') };
}
