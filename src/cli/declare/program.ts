import { Command } from 'commander';
import { declareCheck } from './check.ts';
import { declareCompletion } from './completion.ts';
import { declareConfig } from './config.ts';
import { declareDiff } from './diff.ts';
import { declareExport } from './export.ts';
import { declareHelp } from './help.ts';
import { declareInspect } from './inspect.ts';
import { declareList } from './list.ts';
import { declareLoad } from './load.ts';
import { declareMirrors } from './mirrors.ts';
import { declarePush } from './push.ts';
import { declareReport } from './report.ts';
import { writeStandardOutput } from '../standard-output.ts';
import type { Declare, Run } from './run.ts';
import { declareIndex } from './save-index.ts';
import { declareServe } from './serve.ts';
import { declareVerify } from './verify.ts';

/** Every command, in the order of `--help`. A new one is a file of its own and a line here. */
const commands: readonly Declare[] = [
  declareInspect,
  declareList,
  declareVerify,
  declarePush,
  declareExport,
  declareLoad,
  declareServe,
  declareMirrors,
  declareCheck,
  declareReport,
  declareDiff,
  declareIndex,
  declareConfig,
  declareCompletion,
  declareHelp,
];

/** The whole command line as data, which help, completions, manual and settings read too. */
export function createProgram(version: string, run: Run): Command {
  const program = new Command('regtar')
    .description('Carry a Docker registry across an air gap: read its storage from docker.tar without unpacking it.')
    .version(version, '-V, --version')
    .showSuggestionAfterError()
    .configureOutput({ writeOut: writeStandardOutput, writeErr: () => undefined })
    .exitOverride();
  for (const declare of commands) declare(program, run);
  return program;
}
