import type { CheckCommandOptions } from '../commands/check.ts';
import { addGeneral } from './options.ts';
import { addRemote } from './push.ts';
import type { Declare, GlobalOptions } from './run.ts';
import { collect, requireSignatureHelp, wholeNumber } from './values.ts';

/** Declares `regtar check`. */
export const declareCheck: Declare = (program, run) => {
  addRemote(
    addGeneral(
      program
        .command('check')
        .description('compare a registry or what was exported with the report of an export or push')
        .argument(
          '<TARGET>',
          'a registry, an OCI layout, a docker-archive, a tree of dir images, or the storage of a registry',
        ),
    ),
  )
    .requiredOption(
      '--report <file>',
      'what `export --report` or `push --report` wrote, JSON or page; - is standard input',
    )
    .option('--require-signature <keys>', requireSignatureHelp)
    .option('--deep', 'read and hash every blob, instead of only looking for it')
    .option('-j, --jobs <n>', 'how many images to handle at once', wholeNumber)
    .option('--project <project>', 'as given to push: the project for repositories of one component')
    .option('--map <from=to>', "as given to push: rename repositories, such as 'old/*=new/*'; repeatable", collect)
    .action(async (target: string, options: GlobalOptions & CheckCommandOptions) =>
      run(options, async (context) => (await import('../commands/check.ts')).check(target, options, context)),
    );
};
