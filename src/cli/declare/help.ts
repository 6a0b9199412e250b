import type { Declare } from './run.ts';

/** Declares `regtar help`. */
export const declareHelp: Declare = (program, run) => {
  program
    .helpCommand(false)
    .command('help')
    .description('explain a command, a topic or an error code')
    .argument('[SUBJECT...]', 'a command, an error code, or formats, auth, exit-codes, storage, config')
    .option('--man', 'print the manual, for man -l')
    .action(async (subject: readonly string[], options: { readonly man?: boolean }) =>
      run({}, async (context) => (await import('../commands/help.ts')).help(subject, options, program, context)),
    );
};
