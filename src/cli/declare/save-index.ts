import type { IndexOptions } from '../commands/save-index.ts';
import { addCommon } from './options.ts';
import type { Declare, GlobalOptions } from './run.ts';

/** Declares `regtar index`. */
export const declareIndex: Declare = (program, run) => {
  addCommon(
    program
      .command('index')
      .description('scan a tar once and save an index beside it, so that no later command scans it again')
      .argument('[SOURCE...]', 'the backup, a tar in a file; docker.tar where none is given'),
  ).action(async (sources: readonly string[], options: GlobalOptions & IndexOptions) =>
    run(options, async (context) => (await import('../commands/save-index.ts')).saveIndex(sources, options, context)),
  );
};
