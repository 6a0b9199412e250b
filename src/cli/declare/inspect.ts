import type { InspectOptions } from '../commands/inspect.ts';
import { addCommon } from './options.ts';
import { present, type Declare, type GlobalOptions } from './run.ts';

export const declareInspect: Declare = (program, run) => {
  addCommon(
    program
      .command('inspect')
      .description('show what a backup holds, or one image of it')
      .argument('[SOURCE]', 'the backup; docker.tar where none is given')
      .argument('[REF]', 'repository:tag or repository@digest'),
  )
    .option('--history', 'with REF: everything that the tag ever meant')
    .option('--html <file>', 'also write it as one page that needs no network')
    .action(
      async (source: string | undefined, reference: string | undefined, options: GlobalOptions & InspectOptions) =>
        run(options, async (context) =>
          (await import('../commands/inspect.ts')).inspect(present(source, reference), options, context),
        ),
    );
};
