import type { ListOptions } from '../commands/list.ts';
import { addCommon, addSelection } from './options.ts';
import type { Declare, GlobalOptions } from './run.ts';

/** Declares `regtar list`. */
export const declareList: Declare = (program, run) => {
  addSelection(
    addCommon(
      program
        .command('list')
        .description('print one repository:tag a line')
        .argument('[SOURCE...]', 'the backup; docker.tar where none is given; several are read as one'),
    ),
  )
    .option('--untagged', 'also print repository@digest of manifests that no tag and no index reaches')
    .action(async (sources: readonly string[], options: GlobalOptions & ListOptions) =>
      run(options, async (context) => (await import('../commands/list.ts')).list(sources, options, context)),
    );
};
