import type { VerifyCommandOptions } from '../commands/verify.ts';
import { addCommon, addSelection } from './options.ts';
import type { Declare, GlobalOptions } from './run.ts';
import { wholeNumber } from './values.ts';

/** Declares `regtar verify`. */
export const declareVerify: Declare = (program, run) => {
  addSelection(
    addCommon(
      program
        .command('verify')
        .description('re-hash everything, follow every link, and say what is whole, partial or lost')
        .argument('[SOURCE...]', 'the backup; docker.tar where none is given; several are read as one'),
    ),
  )
    .option('--quick', 'check links and sizes only')
    .option('-j, --jobs <n>', 'threads that hash', wholeNumber)
    .action(async (sources: readonly string[], options: GlobalOptions & VerifyCommandOptions) =>
      run(options, async (context) => (await import('../commands/verify.ts')).verify(sources, options, context)),
    );
};
