// @ts-check
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { benchFolder, generateBackup } from '../backup/generate-backup.js';
import { presets } from '../backup/parameters.js';
import { race } from './race.js';

/**
 * @typedef {import('./race.js').Contender} Contender
 * @typedef {import('./race.js').Measured} Measured
 * @typedef {import('./run-command.js').Command} Command
 * @typedef {import('../backup/generate-backup.js').GeneratedBackup} GeneratedBackup
 *
 * @typedef {{ atMost: number } | { timesFaster: number } | { peakMiB: number } | { gigabytesPerSecond: number } | { percent: number } | { seconds: number }} Goal
 * `atMost`: our time over theirs; `timesFaster`: their time over ours; `percent` and `seconds`: at most
 *
 * @typedef {object} Result
 * @property {string} title
 * @property {Measured} ours
 * @property {Measured | undefined} theirs
 * @property {Goal} goal
 * @property {number} [bytes] that went through, for a rate
 * @property {number} [percent] what a goal of this name is about
 * @property {string} [remark]
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {string} about
 * @property {(bench: Bench) => Promise<Result[]>} measure
 *
 * @typedef {ReturnType<typeof createBench>} Bench
 */

/** What rows measure with. @param {{ scale: 'small' | 'full', repetitions: number | undefined, log: (line: string) => void }} options */
export function createBench({ scale, repetitions, log }) {
  const project = fileURLToPath(new URL('../..', import.meta.url));
  const work = join(benchFolder(), `work-${process.pid}`);
  mkdirSync(work, { recursive: true });
  return {
    scale,
    /** What the command line says, for rows that count themselves. */
    repetitions,
    project,
    log,

    /** A path in the run's own folder, with nothing there. @param {string} name */
    fresh: (name) => {
      const path = join(work, name);
      rmSync(path, { recursive: true, force: true });
      return path;
    },

    /** @param {'scale' | 'push' | 'harbor' | 'members' | 'huge'} name @returns {GeneratedBackup} */
    backup: (name) => {
      const made = generateBackup(
        presets[/** @type {keyof typeof presets} */ (scale === 'full' ? name : `${name}-small`)],
      );
      log(`  ${made.file}: ${made.images} images, ${made.members} members, ${(made.bytes / 1e9).toFixed(2)} GB`);
      return made;
    },

    /** @param {readonly string[]} words @returns {Command} */
    regtar: (...words) => ({ argv: [process.execPath, join(project, 'bin/regtar.js'), ...words] }),

    /**
     * @param {readonly Contender[]} contenders
     * @param {{ warmUp?: boolean, repetitions?: number, exactly?: number }} [how] `repetitions` unless the command line says others
     */
    race: (contenders, { warmUp = false, repetitions: usual = 3, exactly } = {}) =>
      race(contenders, { repetitions: exactly ?? repetitions ?? usual, warmUp, folder: work, log }),

    /** Writes out what is dirty and, where it may, forgets what is cached, so that nobody starts on another's cost or gain. */
    settle: () => {
      execFileSync('sync');
      dropCaches();
    },

    end: () => rmSync(work, { recursive: true, force: true }),
  };
}

/** Whether cold rows can be measured here. */
export const canDropCaches = dropCaches();

function dropCaches() {
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch {
    return false;
  }
}
