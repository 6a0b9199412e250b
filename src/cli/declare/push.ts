import { Option, type Command } from 'commander';
import type { PushOptions } from '../commands/push.ts';
import { addCommon, addCopy, addNames, addPatience, addReport, addSelection } from './options.ts';
import type { Declare, GlobalOptions } from './run.ts';
import { byteLimit, byteSize, ownerIds, requireSignatureHelp } from './values.ts';

/** Declares `regtar push`. */
export const declarePush: Declare = (program, run) => {
  addRemote(
    addReport(
      addNames(
        addCopy(
          addSelection(
            addCommon(
              program
                .command('push')
                .description('push images to a registry')
                .argument('[SOURCE]', 'the backup; docker.tar where none is given; several are read as one')
                .argument('[TARGET]', 'host[:port][/project[/prefix]]')
                .allowExcessArguments(),
            ),
          ),
        ),
      ),
    ),
  )
    .addOption(
      new Option('--on-existing-tag <what>', 'what to do with a tag that has another digest there')
        .choices(['overwrite', 'skip', 'error'])
        .default('overwrite'),
    )
    .option('--prefix <path>', 'put before every repository')
    .option('--create-projects', 'Harbor: create projects that are missing (the default)')
    .option('--no-create-projects', 'Harbor: refuse images whose project is missing')
    .option('--public-projects', 'Harbor: make created projects public')
    .option(
      '--storage-limit <size>',
      'Harbor: the quota of created projects, -1 for none; only administrators can set it',
      byteLimit,
    )
    .option('--no-harbor', 'treat the target as a plain registry, even if it is Harbor')
    .option(
      '--storage <place>',
      "TARGET's own storage, as it is mounted here: blobs are placed there as files, and only manifests go " +
        'through the API',
    )
    .option('--link', '--storage: hard-link files of SOURCE where owner and mode fit, instead of copying')
    .option('--owner <uid:gid>', '--storage: the owner of new files (default: the owner of what is there)', ownerIds)
    .option('--verify-storage', '--storage: hash the blobs that are already there')
    .option('--in-place', 'TARGET has all blobs already: send manifests only; SOURCE may be the folder of --storage')
    .option('--repair', 'check everything that TARGET has, and replace what is damaged or missing')
    .option('--keep-fallback-tags', 'push sha256-… indexes of referrers even where TARGET lists referrers itself')
    .option(
      '--signed-report <file>',
      'push only images that are in this report with the same digest; needs --require-signature',
    )
    .option('--require-signature <keys>', requireSignatureHelp)
    .option('--verify', 'at the end, read every tag back and compare it')
    .option('--chunk-size <size>', 'send blobs in pieces of this size, for proxies that limit bodies', byteSize)
    .option(
      '--state <file>',
      'the file that keeps unfinished uploads of large blobs for a later run (default: beside SOURCE)',
    )
    .action(async (_source: unknown, _operand: unknown, options: GlobalOptions & PushOptions, command: Command) =>
      run(options, async (context) => (await import('../commands/push.ts')).push(command.args, options, context)),
    );
};

/** How regtar talks to a registry: credentials, certificates, patience. */
export function addRemote(command: Command): Command {
  return addPatience(command)
    .addOption(
      new Option('--username <user>', 'log in as this user; the password comes from --password-stdin').conflicts([
        'registryTokenStdin',
        'anonymous',
      ]),
    )
    .addOption(
      new Option('--password-stdin', 'read the password from standard input').conflicts([
        'registryTokenStdin',
        'anonymous',
      ]),
    )
    .addOption(
      new Option('--registry-token-stdin', 'read a bearer token from standard input').conflicts([
        'username',
        'anonymous',
      ]),
    )
    .addOption(new Option('--anonymous', 'use no credentials').conflicts(['username', 'registryTokenStdin']))
    .option('--authfile <file>', 'credentials as docker and podman keep them')
    .option('--ca-file <file>', 'trust this certificate authority, too')
    .option('--cert-file <file>', 'client certificate')
    .option('--key-file <file>', 'its key')
    .option('--cert-dir <folder>', 'certificates as in certs.d/HOST')
    .option('--insecure', 'do not verify certificates');
}
