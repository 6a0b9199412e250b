// @ts-check
import { mkdirSync, openSync, readFileSync, rmSync, writeSync, closeSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * Does something while nobody else does it: tests that run at once ask for the same files.
 * @template Result
 * @param {string} path of a file that names who does it
 * @param {() => Promise<Result>} action
 */
export async function withLock(path, action) {
  mkdirSync(dirname(path), { recursive: true });
  while (!take(path)) await wait(200);
  try {
    return await action();
  } finally {
    rmSync(path, { force: true });
  }
}

/** @param {string} path */
function take(path) {
  try {
    const descriptor = openSync(path, 'wx');
    writeSync(descriptor, String(process.pid));
    closeSync(descriptor);
    return true;
  } catch {
    if (!isAlive(path)) rmSync(path, { force: true });
    return false;
  }
}

/** @param {string} path */
function isAlive(path) {
  try {
    const holder = Number(readFileSync(path, 'utf8'));
    // Between making and writing it the file is empty.
    return holder === 0 || process.kill(holder, 0);
  } catch {
    return false;
  }
}
