import { mergeReports } from '../../report/merge-reports.ts';
import { formatReport } from '../../report/report.ts';
import { readReport } from '../../report/read-report.ts';
import type { Context } from '../context.ts';
import { writeReportFiles } from '../run-report.ts';
import { printableLines } from '../../io/printable.ts';
import { formatCount, plural } from '../../io/sizes.ts';
import { readWholeFile } from '../selection.ts';

/** Options of `regtar report merge`. */
export interface ReportMergeOptions {
  readonly output?: readonly string[];
}

/** `regtar report merge FILE…`: exit code 3 where a shard is missing, or an image did not arrive. */
export async function reportMerge(
  files: readonly string[],
  options: ReportMergeOptions,
  context: Context,
): Promise<number> {
  const reports = [];
  for (const file of files) reports.push(readReport(await readWholeFile(file, context), file));
  const merged = mergeReports(reports);
  if (options.output === undefined)
    for (const piece of formatReport(merged)) context.output.raw(Buffer.from(printableLines(piece)));
  else await writeReportFiles(options.output, merged);
  const { copied, present, skipped, failed, unfinished } = merged.totals.images;
  const missing = merged.shards?.missing ?? [];
  context.output.message(
    [
      `${plural(copied + present, 'image')} arrived`,
      ...(skipped > 0 ? [`${formatCount(skipped)} skipped`] : []),
      ...(failed > 0 ? [`${formatCount(failed)} failed`] : []),
      ...(unfinished > 0 ? [`${formatCount(unfinished)} unfinished`] : []),
      ...(missing.length > 0
        ? [
            `no report of ${missing.length === 1 ? 'shard' : 'shards'} ${missing.join(', ')} of ` +
              `${merged.shards?.count ?? 0}`,
          ]
        : []),
    ].join(', '),
  );
  return failed > 0 || unfinished > 0 || missing.length > 0 ? 3 : 0;
}
