import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { RegtarError } from '../errors.ts';
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
    .action(async (source: string | undefined, reference: string | undefined, options: GlobalOptions & { source?: string[] }) =>
      run(options, async (context) => (await import('./commands/inspect.ts')).inspect(present(source, reference), options, context)));

  addSelection(addCommon(command('list', 'print one repository:tag a line').argument('[SOURCE]')))
    .option('--untagged', 'also print repository@digest of manifests that no tag and no index reaches')
    .action(async (source: string | undefined, options: GlobalOptions) => run(options, async (context) => (await import('./commands/list.ts')).list(source, options, context)));

  addCopy(addSelection(addCommon(command('export', 'write images as files that other tools take').argument('[SOURCE]').argument('[OUT]'))))
    .addOption(new Option('--format <format>', 'what to write').choices(['oci', 'dir', 'docker-archive', 'registry']).default('oci'))
    .option('--untagged', 'also export manifests that no tag and no index reaches')
    .action(async (source: string | undefined, out: string | undefined, options: GlobalOptions) => run(options, async (context) => (await import('./commands/export.ts')).exportImages(present(source, out), options, context)));

  return program;
}

function present(...operands: (string | undefined)[]): string[] {
  return operands.filter((operand) => operand !== undefined);
}

function addCommon(command: Command): Command {
  return command
    .option('--source <source>', 'a further SOURCE, read as one store with the others; repeatable', collect)
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

function collect(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}

function wholeNumber(value: string): number {
  if (!/^[1-9][0-9]{0,3}$/.test(value)) throw new InvalidArgumentError('a whole number from 1 to 9999 was expected.');
  return Number(value);
}
