import { CommanderError, type Command } from 'commander';
import { existsSync } from 'node:fs';
import { toRegtarError, type RegtarError } from '../errors.ts';
import type { Context } from './context.ts';
import { createProgram } from './declare/program.ts';
import type { GlobalOptions } from './declare/run.ts';
import { exitCodeOf } from './exit-code.ts';
import { holdPipe, holdPipes } from './hold-pipes.ts';
import { understandHabits } from './habits.ts';
import { createOutput } from './output.ts';
import { createEventWriter } from './progress/event-writer.ts';
import { settleStandardOutput } from './standard-output.ts';
import { toUsageError } from './usage-error.ts';

/** Parses the command line and runs one command. @returns the exit code */
export async function runProgram(
  argv: readonly string[],
  outside: { readonly version: string; readonly signal: AbortSignal },
): Promise<number> {
  let exitCode = 0;
  let settings: readonly string[] = [];
  const program = createProgram(outside.version, async (options, action) => {
    const context = contextOf(options, outside);
    if (settings.length > 0) context.output.message(`using ${settings.join(' and ')}`);
    exitCode = await act(context, async (acting) => {
      await holdPipes(options, acting);
      return action(acting);
    });
  });
  program.hook('preAction', async (_program, command) => {
    if (!hasSettings(command)) return;
    const config: unknown = command.getOptionValue('config');
    if (typeof config === 'string')
      command.setOptionValue('config', await holdPipe(config, contextOf(command.opts<GlobalOptions>(), outside)));
    settings = (await import('./settings/apply.ts')).applySettings(program, command, process.env);
  });
  if (argv.length === 0 || argv.some((word) => word === '--help' || word === '-h' || word === 'help'))
    (await import('./help/add-examples.ts')).addExamples(program);
  if (argv.length === 0) {
    program.configureOutput({ writeErr: (text) => void process.stderr.write(text) });
    program.outputHelp({ error: true });
    return 2;
  }
  const words = understandHabits(argv, program);
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw toUsageError(error, argv, program);
  }
  return exitCode;
}

/** Where a wrapper listens, even a failure is an event, and the exit code the last one. */
async function act(context: Context, action: (context: Context) => Promise<number>): Promise<number> {
  const { events } = context;
  if (events === undefined) return action(context);
  const tell = (error: RegtarError): number => {
    events.write('error', {
      code: error.code,
      text: error.message,
      ...(error.hint !== undefined && { hint: error.hint }),
      ...(context.verbose && { stack: error.stack }),
    });
    return exitCodeOf(error);
  };
  let exitCode = await action(context).catch((thrown: unknown) => tell(toRegtarError(thrown)));
  const unwritten = await settleStandardOutput();
  if (unwritten !== undefined) exitCode = [exitCode, tell(unwritten)].find((code) => code !== 0) ?? 0;
  events.write('end', { exitCode });
  return exitCode;
}

function contextOf(
  options: GlobalOptions,
  outside: { readonly version: string; readonly signal: AbortSignal },
): Context {
  const events =
    options.events === undefined ? undefined : createEventWriter((line) => void process.stderr.write(line));
  return {
    output: createOutput({ quiet: options.quiet === true, events }),
    events,
    signal: outside.signal,
    version: outside.version,
    verbose: options.verbose === true,
    quiet: options.quiet === true,
    json: options.json === true,
    progress: options.progress !== false && options.quiet !== true,
  };
}

/** Whether anything but flags may say something: the parser of settings is not loaded otherwise. */
function hasSettings(command: Command): boolean {
  if (command.parent?.parent || !command.options.some((option) => option.long === '--config')) return false;
  return (
    command.getOptionValue('config') !== undefined ||
    Object.keys(process.env).some((name) => name.startsWith('REGTAR_')) ||
    existsSync('regtar.yaml')
  );
}
