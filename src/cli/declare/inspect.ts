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
        .description('show what a backup holds, one image of it, or what would stay of it')
        .argument('[SOURCE]', 'the backup; docker.tar where none is given; there may be several')
        .argument('[REF]', 'repository:tag or repository@digest; a repository alone for its tags')
        .allowExcessArguments(),
    ),
  )
    .option('--raw', "with REF: the manifest's bytes as they are stored")
    .option('--unreferenced', 'what no tag and no manifest needs, as garbage collection would find it')
    .option('--history', 'with REF: everything that the tag ever meant')
    .option('--html <file>', 'also write it as one page that needs no network')
    .action(async (_source: unknown, _operand: unknown, options: GlobalOptions & InspectOptions, command: Command) =>
      run(options, async (context) => (await import('../commands/inspect.ts')).inspect(command.args, options, context)),
    );
};
