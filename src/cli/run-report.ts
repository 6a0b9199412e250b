import type { CopyEvent, CopyReport } from '../copy/events.ts';
import { RegtarError, toRegtarError } from '../errors.ts';
import { isWrittenOnce, requireWritable } from '../io/named-file.ts';
import type { WrittenPath } from '../io/overlap.ts';
import { formatReport, type ReportSource, type UnlistedReport } from '../report/report.ts';
import type { ReportSubject } from '../report/record-report.ts';
import type { Plan } from '../select/plan.ts';
import type { Context } from './context.ts';
import type { OpenedBackup } from './open-backup.ts';

/** `--report` and what belongs to it. */
export interface ReportOptions {
  /** Files that the report of this run goes into, as JSON or, where they end in `.html`, as a page. */
  readonly report?: readonly string[];
  /** `--no-source-hash`: the report says no SHA-256 of SOURCE. */
  readonly sourceHash?: boolean;
}

/** Where the report is going to be written. */
export function reportPaths({ report = [] }: ReportOptions): readonly WrittenPath[] {
  return report.map((path) => ({ name: '--report', path }));
}

const lastWordMilliseconds = 500;

/** What a command knows of its report. */
export type RunReportSubject = Omit<ReportSubject, 'versions'> & { readonly opened: OpenedBackup };

/** The report of one run, kept while it lasts. */
export interface RunReport {
  follow(event: CopyEvent): void;
  finish(report: CopyReport): Promise<void>;
  /** Writes what is known before the error goes on. */
  fail(thrown: unknown): Promise<void>;
}

/**
 * Writes the report once before the first byte, so that a place that cannot be written is found while it costs nothing,
 * and so that even after a power cut it says how far things were meant to go; and once at the end, however it ends.
 * @throws RegtarError OUTPUT_UNWRITABLE, OUTPUT_FULL
 */
export async function startRunReport(
  plan: Plan,
  subject: RunReportSubject,
  options: ReportOptions,
  context: Context,
): Promise<RunReport | undefined> {
  const { report: files = [] } = options;
  if (files.length === 0) return undefined;
  const [{ recordReport }, { hashFiles }] = await Promise.all([
    import('../report/record-report.ts'),
    import('../report/hash-source.ts'),
  ]);
  const { opened, ...rest } = subject;
  const recorder = recordReport(plan, {
    ...rest,
    versions: { regtar: context.version, node: process.versions.node, system: `${process.platform} ${process.arch}` },
  });
  // Every shard would read the whole source for the same sum, so only one of them does.
  const isHashed = options.sourceHash !== false && (subject.shard?.index ?? 1) === 1;
  const { given } = opened.backup;
  const stop = new AbortController();
  const hashes = given.map(({ files: paths }) =>
    isHashed && paths.length > 0
      ? hashFiles(paths, AbortSignal.any([stop.signal, context.signal]))
      : Promise.resolve(undefined),
  );
  const sourcesOf = (sums: readonly (string | undefined)[]): ReportSource[] =>
    given.map(({ name, format, bytes, version }, index) => {
      const sha256 = sums[index] ?? (name === 'standard input' && isHashed ? opened.inputHash?.() : undefined);
      return {
        name,
        format,
        ...(bytes !== undefined && { bytes }),
        ...(sha256 !== undefined && { sha256 }),
        ...(version !== undefined && { version }),
      };
    });
  files.forEach(requireWritable);
  // A pipe or a terminal gets only the final report.
  await writeReportFiles(
    files.filter((file) => !isWrittenOnce(file)),
    recorder.report({ state: 'running', sources: sourcesOf([]) }),
    context.signal,
  );
  return {
    follow: recorder.follow,
    async finish(report) {
      const sums = await Promise.all([...hashes, sayWhileWaiting(hashes, context)]);
      await writeReportFiles(
        files,
        recorder.report({ state: 'finished', report, sources: sourcesOf(sums.slice(0, -1)) }),
        context.signal,
      );
      context.output.message(`wrote ${files.join(', ')}`);
    },
    async fail(thrown) {
      stop.abort();
      const error = toRegtarError(thrown);
      await writeReportFiles(
        files,
        recorder.report({
          state: error.code === 'INTERRUPTED' ? 'interrupted' : 'failed',
          error,
          sources: sourcesOf(await Promise.all(hashes)),
        }),
        // The reader of a pipe is not waited for then.
        AbortSignal.timeout(lastWordMilliseconds),
      ).catch((failure: unknown) => {
        if (failure instanceof RegtarError) throw failure;
      });
      context.output.message(`wrote ${files.join(', ')}, which says what was finished`);
    },
  };
}

/** JSON, or a page where the name ends in `.html`. @throws RegtarError OUTPUT_UNWRITABLE, OUTPUT_FULL */
export async function writeReportFiles(
  files: readonly string[],
  report: UnlistedReport,
  signal?: AbortSignal,
): Promise<void> {
  const { writeReport } = await import('../report/write-report.ts');
  for (const file of files) {
    if (/\.html?$/i.test(file)) {
      const [{ reportPage }, { renderPage }] = await Promise.all([
        import('../report/report-page.ts'),
        import('../report/page/render-page.ts'),
      ]);
      await writeReport(file, renderPage(reportPage({ ...report, images: [...report.images] })), { signal });
    } else await writeReport(file, formatReport(report), { signal });
  }
}

/** A person who waits at the end should know what for. */
async function sayWhileWaiting(hashes: readonly Promise<unknown>[], context: Context): Promise<undefined> {
  const isLate = await Promise.race([
    Promise.all(hashes).then(() => false),
    new Promise<boolean>((resolve) => setTimeout(resolve, 1000, true).unref()),
  ]);
  if (isLate) context.output.message('still hashing the source for the report');
  return undefined;
}
