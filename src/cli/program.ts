import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { RegtarError } from '../errors.ts';
import type { ExportOptions } from './commands/export.ts';
import type { InspectOptions } from './commands/inspect.ts';
import type { ListOptions } from './commands/list.ts';
import type { PushOptions } from './commands/push.ts';
import type { Split } from '../sink/options.ts';
import type { VerifyCommandOptions } from './commands/verify.ts';
import type { Context } from './context.ts';
import { createOutput } from './output.ts';

interface GlobalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly progress?: boolean;
}

/** Parses the command line and runs one command. @returns the exit code */
export async function runProgram(argv: readonly string[], outside: { readonly version: string; readonly signal: AbortSignal }): Promise<number> {
  let exitCode = 0;
  const contextOf = (options: GlobalOptions): Context => ({
    output: createOutput({ quiet: options.quiet === true }),
    signal: outside.signal,
    version: outside.version,
    verbose: options.verbose === true,
    quiet: options.quiet === true,
    json: options.json === true,
    progress: options.progress !== false && options.quiet !== true,
  });
  const program = createProgram(outside.version, async (options, action) => {
    exitCode = await action(contextOf(options));
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw new RegtarError('USAGE', error.message.replace(/^error: /, ''), { side: 'usage', hint: 'run `regtar --help`, or `regtar COMMAND --help`' });
  }
  return exitCode;
}

type Run = (options: GlobalOptions, action: (context: Context) => Promise<number>) => Promise<void>;

function createProgram(version: string, run: Run): Command {
  const program = new Command('regtar')
    .description("Carry a Docker registry across an air gap: read its storage from docker.tar without unpacking it.")
    .version(version, '-V, --version')
    .showSuggestionAfterError()
    .configureOutput({ writeErr: () => undefined })
    .exitOverride();

  const command = (name: string, description: string): Command => program.command(name).description(description).exitOverride().configureOutput({ writeErr: () => undefined });

  addCommon(command('inspect', 'show what a backup holds, or one image of it').argument('[SOURCE]').argument('[REF]'))
    .option('--history', 'with REF: everything that the tag ever meant')
    .action(async (source: string | undefined, reference: string | undefined, options: GlobalOptions & InspectOptions) =>
      run(options, async (context) => (await import('./commands/inspect.ts')).inspect(present(source, reference), options, context)));

  addSelection(addCommon(command('list', 'print one repository:tag a line').argument('[SOURCE]')))
    .option('--untagged', 'also print repository@digest of manifests that no tag and no index reaches')
    .action(async (source: string | undefined, options: GlobalOptions & ListOptions) => run(options, async (context) => (await import('./commands/list.ts')).list(source, options, context)));

  addSelection(addCommon(command('verify', 're-hash everything, follow every link, and say what is whole, partial or lost').argument('[SOURCE]')))
    .option('--quick', 'check links and sizes only')
    .option('-j, --jobs <n>', 'threads that hash', wholeNumber)
    .action(async (source: string | undefined, options: GlobalOptions & VerifyCommandOptions) => run(options, async (context) => (await import('./commands/verify.ts')).verify(source, options, context)));

  addPush(addNames(addCopy(addSelection(addCommon(command('push', 'push images to a registry').argument('[SOURCE]').argument('[TARGET]'))))))
    .action(async (source: string | undefined, target: string | undefined, options: GlobalOptions & PushOptions) => run(options, async (context) => (await import('./commands/push.ts')).push(present(source, target), options, context)));

  addNames(addCopy(addSelection(addCommon(command('export', 'write images as files that other tools take').argument('[SOURCE]').argument('[OUT]')))))
    .addOption(new Option('--format <format>', 'what to write').choices(['oci', 'dir', 'docker-archive', 'registry']).default('oci'))
    .option('--force', 'replace what regtar made at OUT before')
    .option('--link', 'hard-link files of a directory SOURCE instead of copying them')
    .option('--per-repository', 'oci: one layout for each repository')
    .addOption(new Option('--path-style <style>', 'dir: names that exFAT and NTFS take').choices(['skopeo', 'safe']))
    .option('--prefix <host/project>', 'oci, docker-archive: put before names that loaders see')
    .option('--split <how>', 'docker-archive: image, repository or a size such as 4GB', splitBy)
    .option('--base <old>', 'oci, registry: leave out blobs that OLD has: a backup, an OCI layout, or a file of --save-digests')
    .option('--save-digests <file>', 'write what the other side has after this handoff, for the next --base')
    .option('--owner <uid:gid>', 'registry: whom the files belong to, such as 10000:10000 for Harbor 1.x', ownerIds)
    .action(async (source: string | undefined, out: string | undefined, options: GlobalOptions & ExportOptions) => run(options, async (context) => (await import('./commands/export.ts')).exportImages(present(source, out), options, context)));

  addCommon(command('diff', 'compare two backups: what is new, changed, gone, and how many bytes must travel').argument('[OLD]').argument('[NEW]'))
    .action(async (before: string | undefined, after: string | undefined, options: GlobalOptions) => run(options, async (context) => (await import('./commands/diff.ts')).diff(present(before, after), context)));

  return program;
}

function present(...operands: (string | undefined)[]): string[] {
  return operands.filter((operand) => operand !== undefined);
}

function addCommon(command: Command): Command {
  return command
    .option('--source <source>', 'a further SOURCE, read as one store with the others; repeatable', collect)
    .option('--tag-map <file>', 'names that storage does not hold: CSV, Harbor\'s artifact JSON, or a pg_dump of its tables')
    .option('--at-digest <repository:tag@digest>', 'let a tag mean an earlier image of its history; repeatable', collect)
    .option('--index-file <file>', 'the saved index of a tar that lies on read-only media')
    .option('--json', 'print a report for programs on standard output')
    .option('-q, --quiet', 'print results and failures only')
    .option('-v, --verbose', 'print more, stack traces included')
    .option('--no-progress', 'print no progress');
}

function addSelection(command: Command): Command {
  return command
    .option('--include <glob>', 'take only what matches repository:tag, or repository where the glob has no colon; repeatable', collect)
    .option('--exclude <glob>', 'leave out what matches; repeatable', collect)
    .option('--images <file>', 'take only the names in this images.list; - is standard input')
    .option('--platform <os/arch>', 'take only these platforms of multi-arch images; repeatable', collect);
}

function addCopy(command: Command): Command {
  return command
    .option('-j, --jobs <n>', 'images under way at once', wholeNumber)
    .option('--dry-run', 'print what would be done and do nothing')
    .option('--keep-going', 'go on when an image fails (the default)')
    .option('--fail-fast', 'stop at the first image that fails');
}

function addNames(command: Command): Command {
  return command
    .option('--untagged', 'also take manifests that no tag and no index reaches')
    .option('--no-referrers', 'leave signatures and other referrers behind')
    .option('--sparse', 'keep an index as it is although platforms are left out')
    .option('--project <project>', 'put before repositories of one component')
    .option('--map <from=to>', "rename repositories, such as 'old/*=new/*'; repeatable", collect);
}

function addPush(command: Command): Command {
  return command
    .addOption(new Option('--on-existing-tag <what>', 'what to do where a tag has another digest').choices(['overwrite', 'skip', 'error']).default('overwrite'))
    .option('--username <user>', 'log in as this user; the password comes from --password-stdin')
    .option('--password-stdin', 'read the password from standard input')
    .option('--registry-token-stdin', 'read a bearer token from standard input')
    .option('--anonymous', 'use no credentials')
    .option('--authfile <file>', 'credentials as docker and podman keep them')
    .option('--ca-file <file>', 'trust this authority too')
    .option('--cert-file <file>', 'client certificate')
    .option('--key-file <file>', 'its key')
    .option('--cert-dir <folder>', 'certificates as in certs.d/HOST')
    .option('--insecure', 'do not verify certificates')
    .option('--plain-http', 'speak http')
    .option('--retry-times <n>', 'how often a request is repeated after a passing failure', wholeNumberFrom0)
    .option('--retry-delay <seconds>', 'the first pause between attempts', seconds)
    .option('--stall-timeout <seconds>', 'give up a connection on which no byte moves', seconds);
}

function splitBy(value: string): Split {
  if (value === 'image' || value === 'repository') return value;
  const match = /^([1-9][0-9]*(?:\.[0-9]+)?) ?(k|M|G|T)i?B?$/.exec(value);
  if (match === null) throw new InvalidArgumentError('image, repository or a size such as 700MB or 4GB was expected.');
  const base = value.includes('i') ? 1024 : 1000;
  return { bytes: Math.floor(Number(match[1]) * base ** ('kMGT'.indexOf(match[2] ?? 'k') + 1)) };
}

function ownerIds(value: string): { uid: number; gid: number } {
  const match = /^([0-9]{1,9}):([0-9]{1,9})$/.exec(value);
  if (match === null) throw new InvalidArgumentError('two numbers such as 10000:10000 were expected.');
  return { uid: Number(match[1]), gid: Number(match[2]) };
}

function wholeNumberFrom0(value: string): number {
  if (!/^[0-9]{1,3}$/.test(value)) throw new InvalidArgumentError('a whole number was expected.');
  return Number(value);
}

function seconds(value: string): number {
  if (!/^[0-9]+(?:\.[0-9]+)?$/.test(value)) throw new InvalidArgumentError('a number of seconds was expected.');
  return Number(value);
}

function collect(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}

function wholeNumber(value: string): number {
  if (!/^[1-9][0-9]{0,3}$/.test(value)) throw new InvalidArgumentError('a whole number from 1 to 9999 was expected.');
  return Number(value);
}
