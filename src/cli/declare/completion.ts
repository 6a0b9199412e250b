import { Argument } from 'commander';
import type { Shell } from '../commands/completion.ts';
import type { Declare } from './run.ts';

/** Declares `regtar completion`. */
export const declareCompletion: Declare = (program, run) => {
  program
    .command('completion')
    .description('print a script that lets a shell complete commands and options')
    .addArgument(new Argument('<SHELL>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: Shell) =>
      run({}, async (context) => (await import('../commands/completion.ts')).completion(shell, program, context)),
    );
};
