import { addConfigOption } from './options.ts';
import type { Declare } from './run.ts';

/** Declares `regtar config check`. */
export const declareConfig: Declare = (program, run) => {
  const config = program.command('config').description('show the settings of regtar.yaml and the environment');
  addConfigOption(
    config
      .command('check')
      .description('print the settings in force, and where each comes from')
      .argument('[COMMAND]', 'for this command only, with its defaults'),
  )
    .option('--json', 'print it for programs on standard output')
    .action(async (command: string | undefined, options: { readonly config?: string; readonly json?: boolean }) =>
      run(options, async (context) =>
        (await import('../commands/config-check.ts')).checkConfig(command, options, program, context),
      ),
    );
};
