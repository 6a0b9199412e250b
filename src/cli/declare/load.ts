import type { LoadOptions } from '../commands/load.ts';
import { addCommon, addCopy, addSelection } from './options.ts';
import type { Declare, GlobalOptions } from './run.ts';
import { collect } from './values.ts';

/** Declares `regtar load`. */
export const declareLoad: Declare = (program, run) => {
  addCopy(
    addSelection(
      addCommon(
        program
          .command('load')
          .description('load images into a running docker or podman, without a file in between')
          .argument('[SOURCE...]', 'the backup; docker.tar where none is given; several are read as one'),
      ),
    ),
  )
    .option(
      '--socket <socket>',
      'the engine: unix:///path or tcp://host:port (default: DOCKER_HOST, then the usual places)',
    )
    .option('--prefix <host/project>', 'put before the names of the images')
    .option('--untagged', 'also load images that no tag and no index reaches')
    .option('--project <project>', 'the project for repositories of one component')
    .option('--map <from=to>', "rename repositories, such as 'old/*=new/*'; repeatable", collect)
    .action(async (sources: readonly string[], options: GlobalOptions & LoadOptions) =>
      run(options, async (context) => (await import('../commands/load.ts')).load(sources, options, context)),
    );
};
