import { Option, type Command } from 'commander';
import type { MirrorsOptions } from '../commands/mirrors.ts';
import { addChoice, addCommon } from './options.ts';
import type { Declare, GlobalOptions } from './run.ts';
import { collect } from './values.ts';

/** Declares `regtar mirrors`. */
export const declareMirrors: Declare = (program, run) => {
  addChoice(
    addCommon(
      program
        .command('mirrors')
        .description('print the files that send clients to the new registry instead of the old one')
        .argument('[SOURCE]', 'the backup; docker.tar where none is given; several are read as one')
        .argument('[TARGET]', 'the new registry, as given to push; leave it out with --report')
        .allowExcessArguments(),
      'speak http to TARGET, and read SOURCE, without TLS',
    ),
  )
    .addOption(
      new Option('--for <client>', 'the client that reads the files; table lists old and new names')
        .choices(['containerd', 'k3s', 'podman', 'docker', 'table'])
        .makeOptionMandatory(),
    )
    .option('--from <host>', 'the registry in the old names of images')
    .option('--ca-file <file>', 'the certificate authority of the new registry, PEM; it is printed with the files')
    .option('--report <file>', 'take the names from the report of a push')
    .option('--prefix <path>', 'as given to push: put before every repository')
    .option('--project <project>', 'as given to push: the project for repositories of one component')
    .option('--map <from=to>', "as given to push: rename repositories, such as 'old/*=new/*'; repeatable", collect)
    .action(async (_source: unknown, _target: unknown, options: GlobalOptions & MirrorsOptions, command: Command) =>
      run(options, async (context) => (await import('../commands/mirrors.ts')).mirrors(command.args, options, context)),
    );
};
