// @ts-check
import { runCommand } from './run-command.js';

/**
 * @typedef {import('./run-command.js').Command} Command
 * @typedef {import('./run-command.js').Run} Run
 * @typedef {object} Contender
 * @property {string} name
 * @property {Command} command
 * @property {() => void | Promise<void>} [prepare] before every run, not timed
 * @property {() => void | Promise<void>} [cleanUp] after every run, not timed
 * @property {number} [repetitions] fewer than the others', for the slow
 * @property {(run: Run) => number} [seconds] where a program says itself how long it took
 *
 * @typedef {{ name: string, seconds: number[], peakMiB: number | undefined, failure: string | undefined, output: string }} Measured
 */

/**
 * Runs everybody in turn, A B A B, so that a busy minute hits all of them. Who fails once runs no more.
 * @param {readonly Contender[]} contenders
 * @param {{ repetitions: number, warmUp: boolean, folder: string, log: (line: string) => void }} options `warmUp` is one run of each that does not count
 * @returns {Promise<Measured[]>} in the same order
 */
export async function race(contenders, { repetitions, warmUp, folder, log }) {
  const measured = contenders.map(
    ({ name }) => /** @type {Measured} */ ({ name, seconds: [], peakMiB: undefined, failure: undefined, output: '' }),
  );
  for (let round = warmUp ? -1 : 0; round < repetitions; round++) {
    for (const [index, contender] of contenders.entries()) {
      const entry = measured[index];
      if (!entry || entry.failure !== undefined || round >= (contender.repetitions ?? repetitions)) continue;
      const run = await runOnce(contender, folder);
      if (run.code !== 0) {
        entry.failure = failureOf(run);
        log(`  ${contender.name}: ${entry.failure}`);
      } else if (round >= 0) {
        const seconds = contender.seconds?.(run) ?? run.seconds;
        entry.seconds.push(seconds);
        entry.output = run.output;
        entry.peakMiB = run.peakMiB === undefined ? entry.peakMiB : Math.max(run.peakMiB, entry.peakMiB ?? 0);
        log(`  ${contender.name}: ${seconds.toFixed(2)} s`);
      }
    }
  }
  return measured;
}

/** @param {readonly number[]} numbers */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** @param {Contender} contender @param {string} folder @returns {Promise<Run>} */
async function runOnce(contender, folder) {
  await contender.prepare?.();
  try {
    return await runCommand(contender.command, folder);
  } finally {
    await contender.cleanUp?.();
  }
}

/** @param {Run} run */
function failureOf({ code, messages }) {
  const lines = messages.split('\n').filter((line) => line.trim() !== '');
  const telling = lines.find((line) => /error|regtar:|cannot/i.test(line)) ?? lines.at(-1) ?? '';
  return `exit ${code}: ${telling.trim().slice(0, 160)}`;
}
