import { Option } from 'commander';
import type { ServeCommandOptions } from '../commands/serve.ts';
import { addChoice, addCommon } from './options.ts';
import type { Declare, GlobalOptions } from './run.ts';
import { collect } from './values.ts';

/** Declares `regtar serve`. */
export const declareServe: Declare = (program, run) => {
  addChoice(
    addCommon(
      program
        .command('serve')
        .description('serve a backup as a read-only registry, without unpacking it')
        .argument('[SOURCE...]', 'the backup; docker.tar where none is given; several are read as one'),
      'serve other machines, and read SOURCE, without TLS',
    ),
  )
    .option('--project <project>', 'the project for repositories of one component')
    .option('--map <from=to>', "rename repositories, such as 'old/*=new/*'; repeatable", collect)
    .option(
      '--listen <host:port>',
      'where to listen; :5000 means every address of this machine (default 127.0.0.1:5000)',
    )
    .option('--tls-cert <file>', 'the certificate of the server and its chain, PEM')
    .option('--tls-key <file>', 'its key, PEM')
    .option('--tls-self-signed', 'make a certificate, and print the one that clients must trust')
    .option('--tls-dir <folder>', 'keep what --tls-self-signed makes, for the next time')
    .option('--tls-name <host>', 'another name or address in that certificate; repeatable', collect)
    .option('--htpasswd <file>', 'let in only the users in this file, with bcrypt hashes as `htpasswd -B` writes them')
    .option('--ns <host>', 'as a mirror, answer only for this registry; repeatable', collect)
    .option('--verify', 'hash every blob before serving the first client')
    .addOption(
      new Option(
        '--print-config <client>',
        'print the files that send a client to this registry, and serve nothing',
      ).choices(['containerd', 'k3s', 'podman', 'docker']),
    )
    .action(async (sources: readonly string[], options: GlobalOptions & ServeCommandOptions) =>
      run(options, async (context) => (await import('../commands/serve.ts')).serve(sources, options, context)),
    );
};
