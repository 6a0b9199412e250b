import type { DiffCommandOptions } from '../commands/diff.ts';
import { addChoice, addCommon } from './options.ts';
import { present, type Declare, type GlobalOptions } from './run.ts';

/** Declares `regtar diff`. */
export const declareDiff: Declare = (program, run) => {
  addChoice(
    addCommon(
      program
        .command('diff')
        .description('compare two backups: what is new, changed, gone, and how many bytes must travel')
        .argument('[OLD]', 'the earlier backup')
        .argument('[NEW]', 'the later one; dates and numbers choose from it'),
    ),
  ).action(async (before: string | undefined, after: string | undefined, options: GlobalOptions & DiffCommandOptions) =>
    run(options, async (context) =>
      (await import('../commands/diff.ts')).diff(present(before, after), options, context),
    ),
  );
};
