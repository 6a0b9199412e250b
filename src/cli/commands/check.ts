import { existsSync } from 'node:fs';
import { checkTarget } from '../../check/check-target.ts';
import type { CheckedTarget, CheckReport } from '../../check/contract.ts';
import { imagesTarget } from '../../check/images-target.ts';
import { registryTarget } from '../../check/registry-target.ts';
import { RegtarError } from '../../errors.ts';
import { parseTarget } from '../../remote/target.ts';
import type { Report, ReportImage } from '../../report/report.ts';
import { createRenamer } from '../../select/rename.ts';
import type { Context } from '../context.ts';
import { withBackup } from '../open-backup.ts';
import { openTarget, type RemoteOptions } from '../open-target.ts';
import { startProgress } from '../progress.ts';
import { renderCheck } from '../render/check.ts';
import { defaultJobs } from '../run-copy.ts';
import { readTrustedReport, type TrustedReport } from '../trusted-report.ts';

/** Options of `regtar check`. */
export interface CheckCommandOptions extends RemoteOptions {
  readonly report: string;
  /** Keys, one of which must have signed the report: an `allowed_signers` file, or minisign's public keys. */
  readonly requireSignature?: string;
  readonly deep?: boolean;
  readonly jobs?: number;
  readonly project?: string;
  readonly map?: readonly string[];
}

/** `regtar check TARGET --report FILE`: exit code 4 where the target differs from what the report says. */
export async function check(operand: string, options: CheckCommandOptions, context: Context): Promise<number> {
  const trusted = await readTrustedReport(options.report, options.requireSignature, context, arrivalOf);
  const { report, approval } = trusted;
  if (approval !== undefined)
    context.output.message(`${options.report} is signed by ${approval.name} (${approval.key})`);
  const names = { maps: options.map, project: options.project };
  const compare = (target: CheckedTarget, prefix?: string): Promise<number> =>
    compareAndSay(
      target,
      trusted,
      createRenamer({ ...names, ...(prefix !== undefined && { prefix }) }),
      options,
      context,
    );
  if (!existsSync(operand)) {
    if (/^[./]/.test(operand) || operand.endsWith('.tar'))
      throw new RegtarError('USAGE', `${operand} does not exist`, {
        where: { path: operand },
        hint: 'name a registry, an OCI layout, a tree of dir images, or the storage of a registry',
      });
    return checkRegistry(operand, report, options, context, compare);
  }
  return withBackup([operand], { keep: options.deep === true ? 'digests' : 'small' }, context, ({ backup, read }) =>
    compare(imagesTarget(backup.describe, read)),
  );
}

/** What is compared of an image. */
function arrivalOf({ repository, status, arrived, bytes }: ReportImage): ReportImage {
  return { repository, status, ...(arrived && { arrived }), ...(bytes !== undefined && { bytes }) };
}

async function checkRegistry(
  operand: string,
  report: Report,
  options: CheckCommandOptions,
  context: Context,
  compare: (target: CheckedTarget, prefix?: string) => Promise<number>,
): Promise<number> {
  const target = parseTarget(operand);
  const jobs = options.jobs ?? defaultJobs;
  const registry = await openTarget(target, { ...options, jobs }, context);
  try {
    await registry.ping(context.signal);
    const path = target.path === '' ? report.target.path : target.path;
    await registry.login(context.signal, path);
    return await compare(registryTarget(registry, { jobs, signal: context.signal }), path);
  } finally {
    await registry.close();
  }
}

async function compareAndSay(
  target: CheckedTarget,
  trusted: TrustedReport,
  rename: (repository: string) => string,
  options: CheckCommandOptions,
  context: Context,
): Promise<number> {
  const { report } = trusted;
  const progress = await startProgress(context);
  progress.onEvent({
    type: 'start',
    images: report.images.length,
    blobs: 0,
    bytes: report.images.reduce((sum, { bytes = 0 }) => sum + bytes, 0),
  });
  const comparison = await checkTarget(target, report, {
    rename,
    deep: options.deep ?? false,
    signal: context.signal,
    onImage({ repository, tag, digest, bytes }, difference) {
      if (difference === 'begins') return progress.onEvent({ type: 'image-start', repository, tag, digest });
      progress.onEvent({ type: 'bytes', bytes });
      progress.onEvent({
        type: 'image',
        result: { repository, tag, digest, target: undefined, status: difference === 'same' ? 'present' : 'failed' },
      });
    },
  }).finally(() => progress.stop());
  say(comparison, trusted, options, context);
  const hasNothing = comparison.images.checked === 0 && comparison.images.notExpected > 0;
  return comparison.differences.length > 0 || hasNothing ? 4 : 0;
}

function say(
  comparison: CheckReport,
  { report, approval }: TrustedReport,
  options: CheckCommandOptions,
  { output, json, verbose }: Context,
): void {
  if (json) output.json({ report: options.report, state: report.state, ...(approval && { approval }), ...comparison });
  else output.line(renderCheck(comparison, report, { verbose, columns: output.columns }));
}
