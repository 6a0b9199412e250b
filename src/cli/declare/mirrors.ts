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
        .description('print the files that lead clients from the old registry to the new one')
        .argument('[SOURCE]', 'the backup; docker.tar where none is given; there may be several')
        .argument('[TARGET]', 'the new registry, as for push; no operand with --report')
        .allowExcessArguments(),
      'speak http to TARGET, and read SOURCE, without TLS',
    ),
  )
    .addOption(
      new Option('--for <client>', 'whom the files are for; table lists old and new names')
        .choices(['containerd', 'k3s', 'podman', 'docker', 'table'])
        .makeOptionMandatory(),
    )
    .option('--from <host>', 'the registry in the old names of images')
    .option('--ca-file <file>', 'the authority of the new registry, PEM; it is printed beside the files')
    .option('--report <file>', 'take what arrived where from the report of a push')
    .option('--prefix <path>', 'what push put before every repository')
    .option('--project <project>', 'what push put before repositories of one component')
    .option('--map <from=to>', "how push renamed repositories, such as 'old/*=new/*'; repeatable", collect)
    .action(async (_source: unknown, _target: unknown, options: GlobalOptions & MirrorsOptions, command: Command) =>
      run(options, async (context) => (await import('../commands/mirrors.ts')).mirrors(command.args, options, context)),
    );
};
