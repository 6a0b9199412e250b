import { writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { childrenFirst } from '../../content/image-graph.ts';
import { formatDigestList } from '../../select/digest-list.ts';
import { RegtarError } from '../../errors.ts';
import { createRenamer } from '../../select/names.ts';
import { createPlan } from '../../select/plan.ts';
import { skopeoSyncCommand } from '../../sink/dir-names.ts';
import { openFileSink, type Format } from '../../sink/open-sink.ts';
import type { FileSinkOptions } from '../../sink/options.ts';
import type { Context } from '../context.ts';
import { withBackup } from '../open-backup.ts';
import { splitOperands } from '../operands.ts';
import { readBase } from '../read-base.ts';
import { defaultJobs, runCopy, type CopyCommandOptions } from '../run-copy.ts';
import { readSelection, type SelectionOptions } from '../selection.ts';

export interface ExportOptions extends SelectionOptions, CopyCommandOptions, Omit<FileSinkOptions, 'out' | 'descriptor'> {
  readonly format: Format;
  readonly untagged?: boolean;
  readonly referrers?: boolean;
  readonly sparse?: boolean;
  readonly project?: string;
  readonly map?: readonly string[];
  readonly base?: string;
  readonly saveDigests?: string;
}

/** `regtar export [SOURCE] OUT` */
export async function exportImages(operands: readonly string[], options: ExportOptions, context: Context): Promise<number> {
  const { sources, operand: out } = splitOperands(operands, options, 'OUT');
  refuseBase(options);
  const selection = await readSelection(options);
  const base = options.base === undefined ? undefined : await readBase(options.base, context);
  const rename = createRenamer({ maps: options.map, project: options.project });
  return withBackup(sources, { ...options, spoolFolder: out === '-' ? undefined : dirname(resolve(out)) }, context, async ({ catalog, store }) => {
    const sink = openFileSink(options.format, { ...options, out });
    const plan = createPlan(catalog, store, { ...selection, rename, traits: sink.traits, untagged: options.untagged ?? false, referrers: options.referrers ?? true, sparse: options.sparse ?? false, base });
    const code = await runCopy(plan, store, sink, { ...options, jobs: options.jobs ?? defaultJobs }, context);
    if (options.saveDigests !== undefined && options.dryRun !== true && code !== 1) {
      const travelled = plan.images.flatMap(({ node, target }) => [...childrenFirst(node).map(({ descriptor }) => descriptor.digest), ...target.blobs.map(({ digest }) => digest)]);
      writeFileSync(options.saveDigests, formatDigestList([...(base ?? []), ...travelled]));
    }
    if (options.format === 'dir' && options.dryRun !== true && code !== 1) context.output.message(`push it with: ${skopeoSyncCommand(out)}`);
    return code;
  });
}

/** Other formats promise whole images, which a delta is not. @throws RegtarError USAGE */
function refuseBase(options: ExportOptions): void {
  if (options.base === undefined || options.format === 'oci' || options.format === 'registry') return;
  throw new RegtarError('USAGE', `--base goes with --format oci and registry, not with ${options.format}`, { side: 'usage', hint: 'a delta needs a format whose parts can be joined' });
}
