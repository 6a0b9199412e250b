// @ts-check
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {{ argv: readonly string[], input?: string }} Command `input` is a file for its standard input
 * @typedef {{ seconds: number, peakMiB: number | undefined, code: number, output: string, messages: string }} Run
 */

const timeProgram = '/usr/bin/time';

/** A pipeline that fails when any part of it does. @param {string} line @returns {Command} */
export function shell(line) {
  return { argv: ['bash', '-o', 'pipefail', '-c', line] };
}

/** For a shell line. @param {readonly string[]} argv */
export function quoted(argv) {
  return argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}

/**
 * Runs a program with its output in files, since a pipe or /dev/null makes some programs do other work.
 * @param {Command} command
 * @param {string} folder for these files
 * @returns {Promise<Run>} the peak is that of the largest process; undefined where GNU time is not installed
 */
export async function runCommand(command, folder) {
  const names = {
    output: join(folder, 'output.txt'),
    messages: join(folder, 'messages.txt'),
    peak: join(folder, 'peak.txt'),
  };
  rmSync(names.peak, { force: true });
  const timed = existsSync(timeProgram)
    ? [timeProgram, '-q', '-f', '%M', '-o', names.peak, ...command.argv]
    : [...command.argv];
  const files = [
    openSync(command.input ?? '/dev/null', 'r'),
    openSync(names.output, 'w'),
    openSync(names.messages, 'w'),
  ];
  try {
    const started = performance.now();
    const code = await exitCode(timed, files);
    const seconds = (performance.now() - started) / 1000;
    const peak = existsSync(names.peak)
      ? Number(readFileSync(names.peak, 'utf8').trim().split('\n').at(-1)) / 1024
      : undefined;
    return {
      seconds,
      peakMiB: peak,
      code,
      output: readFileSync(names.output, 'utf8'),
      messages: readFileSync(names.messages, 'utf8'),
    };
  } finally {
    for (const file of files) closeSync(file);
  }
}

/** @param {readonly string[]} argv @param {readonly number[]} files @returns {Promise<number>} */
function exitCode([program = '', ...words], files) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { stdio: [...files] });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 128));
  });
}
