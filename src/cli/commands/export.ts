import { dirname, resolve } from 'node:path';
import { childrenFirst } from '../../content/image-graph.ts';
import type { CopyReport, ImageResult } from '../../copy/events.ts';
import type { Digest } from '../../oci/digest.ts';
import { formatImageReference, imageKey } from '../../oci/reference.ts';
import { formatDigestList } from '../../select/digest-list.ts';
import { RegtarError } from '../../errors.ts';
import { createRenamer } from '../../select/rename.ts';
import type { Plan } from '../../select/plan.ts';
import { skopeoSyncCommand } from '../../formats/dir/file-names.ts';
import { formats, formatsWhere, type Format } from '../../formats/formats.ts';
import { isArchiveFile, openFileSink } from '../../formats/open-file-sink.ts';
import type { FileSinkOptions } from '../../formats/options.ts';
import { openSpecial, requireWritable, writeNamedFile } from '../../io/named-file.ts';
import { isSpecialFile } from '../../io/output-stream.ts';
import { refuseOverlap } from '../../io/overlap.ts';
import { requireRoom } from '../../io/require-room.ts';
import { reportPaths } from '../run-report.ts';
import { describeOperand } from '../../source/far/operand.ts';
import { requireBegun, withResumeHint } from '../resume.ts';
import { isBucketOutput, openBucketOutput } from '../bucket-output.ts';
import type { Context } from '../context.ts';
import { withBackup } from '../open-backup.ts';
import { splitOperands } from '../operands.ts';
import { refuseOddOut } from '../out-operand.ts';
import { readBase } from '../read-base.ts';
import { runCopy, sinkJob, type CopyCommandOptions } from '../run-copy.ts';
import { planSelection, readSelection, type SelectionOptions } from '../selection.ts';
import { openVolumeExport, refuseVolumeFlags, type VolumeFlags } from '../volume-export.ts';
import { chooseShard, takeShard, type ShardChoice } from '../shard.ts';

/** Options of `regtar export`. */
export interface ExportOptions
  extends SelectionOptions, CopyCommandOptions, VolumeFlags, Omit<FileSinkOptions, 'out' | 'descriptor' | 'numbers'> {
  readonly format: Format;
  readonly referrers?: boolean;
  readonly sparse?: boolean;
  readonly shard?: ShardChoice;
  readonly project?: string;
  readonly map?: readonly string[];
  readonly base?: string;
  readonly saveDigests?: string;
}

/** `regtar export [SOURCE] OUT` */
export async function exportImages(
  operands: readonly string[],
  options: ExportOptions,
  context: Context,
): Promise<number> {
  const { sources, operand: out } = splitOperands(operands, options, 'OUT');
  refuseOddOut(out);
  refuseBase(options);
  refuseVolumeFlags(options);
  if (options.resume === true && !isBucketOutput(out))
    requireBegun(out, options.volumeSize === undefined && isArchiveFile(options.format, out));
  const shard = chooseShard(options.shard, process.env);
  const selection = await readSelection(options, context);
  if (options.saveDigests !== undefined) requireWritable(options.saveDigests);
  const bucket = isBucketOutput(out);
  if (options.base !== undefined && out !== '-' && !bucket) refuseOverlap([{ name: 'OUT', path: out }], [options.base]);
  const base = options.base === undefined ? undefined : await readBase(options.base, context);
  const rename = createRenamer({ maps: options.map, project: options.project });
  return withBackup(
    sources,
    {
      ...options,
      hashInput: options.report !== undefined,
      outputs: [
        ...(bucket ? [] : [{ name: 'OUT', path: out === '-' ? '/dev/stdout' : out }]),
        ...reportPaths(options),
        ...(options.saveDigests === undefined ? [] : [{ name: '--save-digests', path: options.saveDigests }]),
      ],
      spoolFolder: out === '-' || bucket ? undefined : dirname(resolve(out)),
    },
    context,
    async (opened) => {
      const { store } = opened;
      const place = bucket ? await openBucketOutput(out, 'OUT', sources, options, context) : undefined;
      const descriptor =
        out !== '-' && !bucket && isSpecialFile(out) ? await openSpecial(out, context.signal) : undefined;
      const sink = await openFileSink(options.format, {
        ...options,
        out: place?.describe ?? out,
        descriptor,
        place,
        numbers: store.numbers,
      });
      const { untagged = false, referrers = true, sparse = false, map: maps } = options;
      const planning = { traits: sink.traits, untagged, referrers, sparse, base };
      const whole = await planSelection(selection, opened, { rename, maps }, planning, context);
      const all = takeShard(whole, shard, { isShared: false }, context);
      const { volumeSize } = options;
      const volumes =
        volumeSize === undefined
          ? undefined
          : await openVolumeExport(all, store, sink.traits, { ...options, out, volumeSize });
      const plan = volumes?.plan ?? all;
      // Only holes make more bytes than the source has; in an archive they are zeros on the disk.
      const isBloated = plan.bytes > (opened.backup.bytes ?? 0);
      if (isBloated && isArchiveFile(options.format, out) && options.dryRun !== true) requireRoom(out, plan.bytes);
      const run = runCopy(sinkJob(plan, store, volumes?.sink ?? sink, options), options, context, {
        ...(volumes && { planLines: volumes.planLines, planJson: volumes.planJson }),
        subject: {
          command: 'export',
          opened,
          target: { kind: formats[options.format].reportKind, name: describeOperand(out) },
          ...(base !== undefined && { delta: true }),
          ...(shard && { shard }),
        },
        async onReport(report) {
          if (options.saveDigests !== undefined)
            await writeNamedFile(
              options.saveDigests,
              Buffer.from(formatDigestList([...(base ?? []), ...arrivedDigests(plan, report)])),
              { signal: context.signal },
            );
          if (options.format === 'dir' && options.pathStyle !== 'safe' && report.images.some(hasArrived))
            for (const line of skopeoAdvice(plan, out)) context.output.message(line);
        },
      });
      return run.catch((error: unknown) => {
        throw withResumeHint(error);
      });
    },
  );
}

/** Other formats promise whole images, which a delta is not. @throws RegtarError USAGE */
function refuseBase(options: ExportOptions): void {
  if (options.base === undefined || formats[options.format].delta) return;
  const able = formatsWhere(({ delta }) => delta).join(' and ');
  throw new RegtarError('USAGE', `--base goes with --format ${able}, not with ${options.format}`, {
    hint: 'a delta needs a format whose parts can be joined',
  });
}

/** What the other side has after this run: an image that failed did not bring its blobs. */
function arrivedDigests(plan: Plan, report: CopyReport): readonly Digest[] {
  const arrived = new Set(report.images.filter(hasArrived).map(imageKey));
  const images = plan.images.filter(({ source }) => arrived.has(imageKey(source)));
  return images.flatMap(({ node, target }) => [
    ...childrenFirst(node).map(({ descriptor }) => descriptor.digest),
    ...target.blobs.map(({ digest }) => digest),
  ]);
}

function hasArrived({ status }: ImageResult): boolean {
  return status === 'copied' || status === 'present';
}

/** @see containers/image issue 2076: skopeo copies no index that holds another */
function skopeoAdvice(plan: Plan, out: string): readonly string[] {
  const [first, ...others] = plan.images.filter(({ node }) => node.children.some(({ kind }) => kind === 'index'));
  const more = others.length > 0 ? ` and ${others.length} more` : '';
  return [
    ...(first === undefined
      ? []
      : [
          `note: ${formatImageReference(first.source)}${more} holds an index inside an index, which skopeo cannot ` +
            `copy; \`regtar push\` can`,
        ]),
    `push it with: ${skopeoSyncCommand(out)}`,
  ];
}
