import type { ReportMergeOptions } from '../commands/report-merge.ts';
import type { Declare, GlobalOptions } from './run.ts';
import { collect } from './values.ts';

/** Declares `regtar report merge`. */
export const declareReport: Declare = (program, run) => {
  const report = program.command('report').description('work with reports of exports and pushes');
  report
    .command('merge')
    .description('join the reports of shards, or of runs that continued one another, into one')
    .argument('<FILE...>', 'what `--report` wrote: JSON or pages')
    .option(
      '-o, --output <file>',
      'the file to write: JSON, or a page where FILE ends in .html; repeatable (default: JSON on standard output)',
      collect,
    )
    .option('-q, --quiet', 'print results and failures only')
    .option('-v, --verbose', 'print more, stack traces included')
    .action(async (files: readonly string[], options: GlobalOptions & ReportMergeOptions) =>
      run(options, async (context) =>
        (await import('../commands/report-merge.ts')).reportMerge(files, options, context),
      ),
    );
};
