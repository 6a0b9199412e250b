import type { ContentStore, ImageSink, ImageTarget } from '../content/contracts.ts';
import { copyImages, type CopyOptions } from '../copy/copy-images.ts';
import type { CopyEvent, CopyReport, ImageResult } from '../copy/events.ts';
import { resultWith } from '../copy/image-outcome.ts';
import type { Plan, PlannedImage } from '../select/plan.ts';
import type { Context } from './context.ts';
import { startRunReport, type ReportOptions, type RunReportSubject } from './run-report.ts';
import { startProgress } from './progress.ts';
import { renderFailures } from './render/failures.ts';
import { losesMembers, renderProblems } from './render/problems.ts';
import { renderPlan } from './render/plan.ts';
import { renderCopySummary, summaryJson } from './render/copy-summary.ts';
import { resultJson } from './render/result-json.ts';
import { formatCount, plural } from '../io/sizes.ts';
import { someOf } from './render/some-of.ts';

/** Options of every command that copies. */
export interface CopyCommandOptions extends ReportOptions {
  readonly jobs?: number;
  readonly dryRun?: boolean;
  readonly failFast?: boolean;
}

/** Eight at once is where a registry on two cores stops getting faster. */
export const defaultJobs = 8;

/** A plan with its output: what can be printed, and carried out once. */
export interface CopyJob {
  readonly plan: Plan;
  /** The place of an image in the output, for people. */
  readonly describe: (target: ImageTarget) => string;
  run(follow: Required<Pick<CopyOptions, 'failFast' | 'signal' | 'onEvent'>>): Promise<CopyReport>;
  /** @see ImageSink.notes */
  notes?(): readonly string[];
}

/** The job that copies a plan into a sink. */
export function sinkJob(plan: Plan, store: ContentStore, sink: ImageSink, { jobs }: CopyCommandOptions): CopyJob {
  return {
    plan,
    describe: (target) => sink.describe(target),
    run: (follow) => copyImages(plan, store, sink, { ...follow, jobs: jobs ?? defaultJobs }),
    notes: () => sink.notes?.() ?? [],
  };
}

/** What a command knows beyond the plan. */
export interface RunCopyExtras {
  /** `--dry-run` for programs: fields beside the usual ones. */
  readonly planJson?: Readonly<Record<string, unknown>>;
  /** `--dry-run` for people: lines below the table. */
  readonly planLines?: readonly string[];
  /**
   * Whether an image that the target cannot hold counts as one that failed.
   * @defaultValue false: an output of this kind was asked for
   */
  readonly mustHoldAll?: boolean;
  /** What the output has of an image already: `new`, `changed`, `present`. */
  readonly stateOf?: (image: PlannedImage) => string;
  /** What `--report` says beside the images. */
  readonly subject?: RunReportSubject;
  /** Gets what became of the images, after everything that is said of them; not called for a dry run. */
  readonly onReport?: (report: CopyReport) => void | Promise<void>;
}

/** Prints a plan, or carries it out and says what became of it. @returns the exit code */
export async function runCopy(
  job: CopyJob,
  options: CopyCommandOptions,
  context: Context,
  extras: RunCopyExtras = {},
): Promise<number> {
  const { plan } = job;
  const { output } = context;
  for (const problem of renderProblems(plan.problems, context.verbose)) output.error(problem);
  for (const { text, images } of plan.notes)
    output.message(
      `note: ${text}: ${someOf(
        images.map(({ name, detail }) => (detail === undefined ? name : `${name} (${detail})`)),
        context.verbose,
      )}`,
    );
  // Before the first byte, while there is time to stop it.
  printFailures(
    plan.refused.map(({ source, status, error }) => ({ ...source, target: undefined, status, error })),
    context,
  );
  if (options.dryRun === true) return showPlan(job, extras, context);
  const report = await copyOnTheRecord(job, options, context, extras);
  const printed = new Set(plan.refused.map(({ error }) => error));
  printFailures(
    report.images.filter(({ error }) => error === undefined || !printed.has(error)),
    context,
  );
  for (const note of job.notes?.() ?? []) output.message(`note: ${note}`);
  if (context.json) output.json(copyJson(report));
  const command = extras.subject?.command ?? 'load';
  if (context.events === undefined)
    output.message(renderCopySummary(report, { command, seconds: performance.now() / 1000 }));
  else context.events.write('summary', summaryJson(report));
  await extras.onReport?.(report);
  return copyExitCode(report, losesMembers(plan.problems), extras.mustHoldAll === true);
}

/** Copies; what happens is shown on the way and kept in the report. */
async function copyOnTheRecord(
  job: CopyJob,
  options: CopyCommandOptions,
  context: Context,
  { subject }: RunCopyExtras,
): Promise<CopyReport> {
  const { plan } = job;
  const runReport = subject && (await startRunReport(plan, subject, options, context));
  const progress = await startProgress(context);
  let done = 0;
  const onEvent = (event: CopyEvent): void => {
    if (event.type === 'image' && event.isRevised !== true) done++;
    progress.onEvent(event);
    runReport?.follow(event);
  };
  try {
    const report = await job
      .run({ failFast: options.failFast === true, signal: context.signal, onEvent })
      .finally(() => progress.stop());
    await runReport?.finish(report);
    return report;
  } catch (error) {
    context.output.message(`${formatCount(done)} of ${plural(plan.images.length + plan.refused.length, 'image')} done`);
    await runReport?.fail(error);
    throw error;
  }
}

function printFailures(results: readonly ImageResult[], context: Context): void {
  const failed = results.flatMap((result) => {
    const { error } = result;
    return error === undefined ? [] : [resultWith(result, { error })];
  });
  for (const text of renderFailures(failed, context.verbose)) context.output.error(text);
}

function showPlan({ plan, describe }: CopyJob, extras: RunCopyExtras, context: Context): number {
  const { output } = context;
  const planned = plan.images.map((image) => ({
    repository: image.source.repository,
    ...(image.source.tag !== undefined && { tag: image.source.tag }),
    digest: image.source.digest,
    target: describe(image.target),
    status: 'planned',
    ...(extras.stateOf !== undefined && { state: extras.stateOf(image) }),
  }));
  const refused = plan.refused.map(({ source, status, error }) =>
    resultJson({ ...source, status, error, target: undefined }),
  );
  if (context.json)
    output.json({
      dryRun: true,
      images: [...planned, ...refused],
      blobs: { planned: plan.blobs, bytes: plan.bytes },
      ...extras.planJson,
    });
  else
    output.line(
      [
        renderPlan(plan, describe, {
          verbose: context.verbose,
          columns: context.output.columns,
          stateOf: extras.stateOf,
        }),
        ...(extras.planLines ?? []),
      ].join('\n'),
    );
  return losesMembers(plan.problems) || plan.refused.some((each) => hasFailed(each, extras.mustHoldAll === true))
    ? 3
    : 0;
}

function copyJson(report: CopyReport): unknown {
  return {
    images: report.images.map(resultJson),
    blobs: report.blobs,
    ...(report.unnamed !== undefined && { unnamedBlobs: report.unnamed }),
    seconds: report.seconds,
  };
}

/** 3 where some images failed or a damaged backup may have lost some, 1 where nothing useful was completed. */
function copyExitCode({ images }: CopyReport, isIncomplete: boolean, mustHoldAll: boolean): number {
  if (!isIncomplete && !images.some((image) => hasFailed(image, mustHoldAll))) return 0;
  return images.some(({ status }) => status === 'copied' || status === 'present') ? 3 : 1;
}

/** What an option asked to leave is skipped without an error. */
function hasFailed({ status, error }: Pick<ImageResult, 'status' | 'error'>, mustHoldAll: boolean): boolean {
  return status === 'failed' || (mustHoldAll && status === 'skipped' && error !== undefined);
}
