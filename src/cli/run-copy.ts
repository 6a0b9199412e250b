import type { ContentStore, ImageSink } from '../content/contracts.ts';
import { copyImages } from '../copy/copy-images.ts';
import type { CopyReport, ImageResult } from '../copy/events.ts';
import type { Plan } from '../select/plan.ts';
import type { Context } from './context.ts';
import { formatError } from './output.ts';
import { startProgress } from './progress.ts';
import { renderPlan } from './render/plan.ts';
import { formatBytes, formatSeconds, plural } from './render/sizes.ts';

export interface CopyCommandOptions {
  readonly jobs?: number;
  readonly dryRun?: boolean;
  readonly failFast?: boolean;
}

/** Eight at once is where a registry on two cores stops getting faster. */
export const defaultJobs = 8;

/** Prints a plan, or carries it out and says what became of it. @returns the exit code */
export async function runCopy(plan: Plan, store: ContentStore, sink: ImageSink, options: CopyCommandOptions, context: Context): Promise<number> {
  const { output } = context;
  for (const note of plan.notes) output.message(`note: ${note}`);
  if (options.dryRun === true) return showPlan(plan, sink, context);
  const progress = await startProgress(context.progress);
  const report = await copyImages(plan, store, sink, {
    jobs: options.jobs ?? defaultJobs,
    failFast: options.failFast === true,
    signal: context.signal,
    onEvent: (event) => progress.onEvent(event),
  }).finally(() => progress.stop());
  for (const result of report.images) {
    if (result.error !== undefined) output.error(`${result.status === 'skipped' ? 'skipped: ' : ''}${formatError(result.error, context.verbose)}`);
  }
  if (context.json) output.json(reportJson(report));
  output.message(summaryLine(report));
  return exitCodeOf(report);
}

function showPlan(plan: Plan, sink: ImageSink, context: Context): number {
  const { output } = context;
  const planned = plan.images.map(({ source, target }) => ({ repository: source.repository, ...(source.tag !== undefined && { tag: source.tag }), digest: source.digest, target: sink.describe(target), status: 'planned' }));
  const refused = plan.refused.map(({ source, status, error }) => resultJson({ ...source, status, error, target: undefined }));
  for (const { error, status } of plan.refused) output.error(`${status === 'skipped' ? 'skipped: ' : ''}${formatError(error, context.verbose)}`);
  if (context.json) output.json({ dryRun: true, images: [...planned, ...refused], blobs: { planned: plan.blobs, bytes: plan.bytes } });
  else output.line(renderPlan(plan, (target) => sink.describe(target), context.verbose));
  return plan.refused.some(({ status }) => status === 'failed') ? 3 : 0;
}

export function reportJson(report: CopyReport): unknown {
  return { images: report.images.map(resultJson), blobs: report.blobs, seconds: report.seconds };
}

function resultJson({ repository, tag, digest, target, status, error }: ImageResult): unknown {
  return {
    repository,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
    ...(target !== undefined && { target }),
    status,
    ...(error !== undefined && { error: { code: error.code, message: error.message, ...(error.hint !== undefined && { hint: error.hint }) } }),
  };
}

function summaryLine({ images, blobs, seconds }: CopyReport): string {
  const count = (status: ImageResult['status']): number => images.filter((image) => image.status === status).length;
  const done = count('copied') + count('present');
  const parts = [`${plural(done, 'image')}${count('present') > 0 ? ` (${count('present')} present already)` : ''}`, `${formatBytes(blobs.bytes)} sent`];
  if (blobs.spared > 0) parts.push(`${formatBytes(blobs.spared)} mounted or present`);
  if (count('skipped') > 0) parts.push(`${count('skipped')} skipped`);
  if (count('failed') > 0) parts.push(`${count('failed')} failed`);
  return [...parts, formatSeconds(seconds)].join(', ');
}

/** 3 where some images failed, 1 where nothing useful was completed. */
function exitCodeOf({ images }: CopyReport): number {
  if (!images.some(({ status }) => status === 'failed')) return 0;
  return images.some(({ status }) => status === 'copied' || status === 'present') ? 3 : 1;
}

