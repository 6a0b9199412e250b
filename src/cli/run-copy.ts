import type { ContentStore, ImageSink } from '../content/contracts.ts';
import { copyImages } from '../copy/copy-images.ts';
import type { CopyEvent, CopyReport, ImageResult } from '../copy/events.ts';
import type { Plan, PlannedImage } from '../select/plan.ts';
import type { Context } from './context.ts';
import { startHandoff, type HandoffSubject, type ReportOptions } from './handoff.ts';
import { startProgress } from './progress.ts';
import { renderFailures } from './render/failures.ts';
import { losesMembers, renderProblems } from './render/problems.ts';
import { renderPlan } from './render/plan.ts';
import { renderCopySummary, summaryJson } from './render/copy-summary.ts';
import { resultJson } from './render/result-json.ts';
import { formatCount, plural } from './render/sizes.ts';
import { someOf } from './render/some-of.ts';

export interface CopyCommandOptions extends ReportOptions {
  readonly jobs?: number;
  readonly dryRun?: boolean;
  readonly failFast?: boolean;
}

/** Eight at once is where a registry on two cores stops getting faster. */
export const defaultJobs = 8;

/** What a command knows beyond the plan. */
export interface RunCopyExtras {
  /** Looks at what arrived; may turn images into failures. */
  readonly review?: (report: CopyReport) => Promise<CopyReport>;
  /** `--dry-run` for programs: fields beside the usual ones. */
  readonly planJson?: Readonly<Record<string, unknown>>;
  /** `--dry-run` for people: lines below the table. */
  readonly planLines?: readonly string[];
  /** What the output has of an image already: `new`, `changed`, `present`. */
  readonly stateOf?: (image: PlannedImage) => string;
  /** What `--report` says beside the images. */
  readonly subject?: HandoffSubject;
  /** Gets what became of the images, after everything that is said of them; not called for a dry run. */
  readonly onReport?: (report: CopyReport) => void;
}

/** Prints a plan, or carries it out and says what became of it. @returns the exit code */
export async function runCopy(
  plan: Plan,
  store: ContentStore,
  sink: ImageSink,
  options: CopyCommandOptions,
  context: Context,
  extras: RunCopyExtras = {},
): Promise<number> {
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
  if (options.dryRun === true) return showPlan(plan, sink, extras, context);
  const report = await copyOnTheRecord(plan, store, sink, options, context, extras);
  const printed = new Set(plan.refused.map(({ error }) => error));
  printFailures(
    report.images.filter(({ error }) => error === undefined || !printed.has(error)),
    context,
  );
  for (const note of sink.notes?.() ?? []) output.message(`note: ${note}`);
  if (context.json) output.json(reportJson(report));
  if (context.events === undefined) output.message(renderCopySummary(report));
  else context.events.write('summary', summaryJson(report));
  extras.onReport?.(report);
  return exitCodeOf(report, losesMembers(plan.problems));
}

/** Copies and reviews; whatever happens, it is shown on the way and kept in the paper. */
async function copyOnTheRecord(
  plan: Plan,
  store: ContentStore,
  sink: ImageSink,
  options: CopyCommandOptions,
  context: Context,
  { review, subject }: RunCopyExtras,
): Promise<CopyReport> {
  const handoff = subject && (await startHandoff(plan, subject, options, context));
  const progress = await startProgress(context);
  let done = 0;
  const onEvent = (event: CopyEvent): void => {
    if (event.type === 'image') done++;
    progress.onEvent(event);
    handoff?.follow(event);
  };
  try {
    const copied = await copyImages(plan, store, sink, {
      jobs: options.jobs ?? defaultJobs,
      failFast: options.failFast === true,
      signal: context.signal,
      onEvent,
    }).finally(() => progress.stop());
    const report = review === undefined ? copied : await review(copied);
    report.images.forEach((result, index) => {
      if (result !== copied.images[index]) context.events?.write('image', resultJson(result));
    });
    await handoff?.finish(report);
    return report;
  } catch (error) {
    context.output.message(
      `${formatCount(done)} of ${plural(plan.images.length + plan.refused.length, 'image')} were done`,
    );
    await handoff?.fail(error);
    throw error;
  }
}

function printFailures(results: readonly ImageResult[], context: Context): void {
  const failed = results.flatMap(({ error, ...result }) => (error === undefined ? [] : [{ ...result, error }]));
  for (const text of renderFailures(failed, context.verbose)) context.output.error(text);
}

function showPlan(plan: Plan, sink: ImageSink, extras: RunCopyExtras, context: Context): number {
  const { output } = context;
  const planned = plan.images.map((image) => ({
    repository: image.source.repository,
    ...(image.source.tag !== undefined && { tag: image.source.tag }),
    digest: image.source.digest,
    target: sink.describe(image.target),
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
        renderPlan(plan, (target) => sink.describe(target), { verbose: context.verbose, stateOf: extras.stateOf }),
        ...(extras.planLines ?? []),
      ].join('\n'),
    );
  return losesMembers(plan.problems) || plan.refused.some(({ status }) => status === 'failed') ? 3 : 0;
}

export function reportJson(report: CopyReport): unknown {
  return { images: report.images.map(resultJson), blobs: report.blobs, seconds: report.seconds };
}

/** 3 where some images failed or a damaged backup may have lost some, 1 where nothing useful was completed. */
function exitCodeOf({ images }: CopyReport, isIncomplete: boolean): number {
  if (!isIncomplete && !images.some(({ status }) => status === 'failed')) return 0;
  return images.some(({ status }) => status === 'copied' || status === 'present') ? 3 : 1;
}
