import type { Command } from 'commander';
import type { InspectOptions } from '../commands/inspect.ts';
import { addChoice, addCommon } from './options.ts';
import type { Declare, GlobalOptions } from './run.ts';

/** Declares `regtar inspect`. */
export const declareInspect: Declare = (program, run) => {
  addChoice(
    addCommon(
      program
        .command('inspect')
        .description('show what a backup holds, one of its images, or what a selection would keep')
        .argument('[SOURCE]', 'the backup; docker.tar where none is given; several are read as one')
        .argument('[REF]', 'repository:tag or repository@digest; a repository alone for its tags')
        .allowExcessArguments(),
    ),
  )
    .option('--raw', "with REF: print the manifest's bytes as they are stored")
    .option('--unreferenced', 'show what no tag and no manifest needs, as garbage collection would find it')
    .option('--history', 'with REF: show every image that the tag ever pointed to')
    .option('--html <file>', 'also write it as one page that needs no network')
    .action(async (_source: unknown, _operand: unknown, options: GlobalOptions & InspectOptions, command: Command) =>
      run(options, async (context) => (await import('../commands/inspect.ts')).inspect(command.args, options, context)),
    );
};
