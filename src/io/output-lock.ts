import { linkSync, lstatSync, readdirSync, readFileSync, renameSync, rmSync, writeSync, closeSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { RegtarError, systemErrorCode } from '../errors.ts';
import { onOutput } from './output-error.ts';
import { isProcessAlive } from './process-alive.ts';
import { createNewFile, readPlainFile, temporaryName, temporaryNames } from './temporary-file.ts';
import { tryJson } from './try-json.ts';

/**
 * Who holds an output. `started` tells a process from a later one with the same number; undefined where the system does
 * not say.
 */
interface Holder {
  readonly host: string;
  readonly pid: number;
  readonly started: string | undefined;
}

/** An output that belongs to this process alone. */
export interface OutputLock {
  /** May be called twice. */
  release(): void;
}

/** A lock whose holder was killed between making it and writing into it is empty; a living one writes within this. */
const emptyLockMilliseconds = 5_000;

/**
 * Takes an output for this process alone. A lock that a killed process left is taken over.
 * @param path the lock file, beside or inside the output
 * @param output what to call the output in messages
 * @throws RegtarError OUTPUT_BUSY, OUTPUT_UNWRITABLE
 */
export function lockOutput(path: string, output: string): OutputLock {
  const mine = JSON.stringify(self());
  for (let attempt = 0; attempt < 3; attempt++) {
    if (create(path, mine)) {
      removeSetAside(path);
      return releasing(path, mine);
    }
    const found = readLock(path);
    if (found === undefined) continue;
    if (isHeld(path, found)) throw busy(output, path, found);
    takeAway(path, found);
  }
  throw busy(output, path, readLock(path) ?? '');
}

/** Whether a living process holds a lock: one that is not there, or that a killed process left, is free. */
export function isLockHeld(path: string): boolean {
  const found = readLock(path);
  return found !== undefined && isHeld(path, found);
}

function create(path: string, content: string): boolean {
  let descriptor: number;
  try {
    descriptor = createNewFile(path);
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false;
    return onOutput(path, () => {
      throw error;
    });
  }
  try {
    onOutput(path, () => writeSync(descriptor, content));
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
  return true;
}

function releasing(path: string, mine: string): OutputLock {
  return {
    release() {
      // A person who removed the lock by hand and started again owns it now.
      if (readLock(path) === mine) rmSync(path, { force: true });
    },
  };
}

/**
 * Renames before it removes: of two that find the same dead lock one takes it, and a fresh lock that was taken by
 * mistake is put back.
 */
function takeAway(path: string, dead: string): void {
  const aside = temporaryName(path);
  try {
    renameSync(path, aside);
    if (readLock(aside) !== dead) linkSync(aside, path);
  } catch {
    // Another process was quicker; the next attempt sees what it made of it.
  }
  rmSync(aside, { force: true });
}

/** A process that was killed in the middle of a takeover leaves the dead lock under its other name. */
function removeSetAside(path: string): void {
  const folder = dirname(path);
  const beginning = temporaryNames(basename(path));
  try {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(beginning)) continue;
      const aside = join(folder, name);
      if (!isLockHeld(aside)) rmSync(aside, { force: true });
    }
  } catch {
    // A folder that may be written and not listed, or a file of another user in a folder for everybody: it stays there.
  }
}

function isHeld(path: string, content: string): boolean {
  const holder = parseHolder(content);
  if (holder === undefined)
    return Date.now() - (lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) < emptyLockMilliseconds;
  // Processes of another machine cannot be seen from here.
  if (holder.host !== hostname()) return true;
  if (!isProcessAlive(holder.pid)) return false;
  const started = startOf(holder.pid);
  return started === undefined || holder.started === undefined || started === holder.started;
}

function parseHolder(content: string): Holder | undefined {
  const json = tryJson(content);
  if (typeof json !== 'object' || json === null || !('pid' in json) || !('host' in json)) return undefined;
  if (typeof json.pid !== 'number' || !Number.isSafeInteger(json.pid) || json.pid <= 0 || typeof json.host !== 'string')
    return undefined;
  return {
    pid: json.pid,
    host: json.host,
    started: 'started' in json && typeof json.started === 'string' ? json.started : undefined,
  };
}

function self(): Holder {
  return { host: hostname(), pid: process.pid, started: startOf(process.pid) };
}

/** Boot and start time of a process. @see proc(5), /proc/pid/stat field 22 */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name stands in parentheses and may hold spaces and parentheses itself.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${ticks}`;
  } catch {
    return undefined;
  }
}

/** A lock has about 100 bytes. In a folder for everybody its name may be taken by anything. */
const lockBytesAtMost = 4096;

function readLock(path: string): string | undefined {
  return readPlainFile(path, lockBytesAtMost);
}

function busy(output: string, path: string, content: string): RegtarError {
  const holder = parseHolder(content);
  const who =
    holder === undefined
      ? 'another process'
      : `process ${holder.pid}${holder.host === hostname() ? '' : ` on ${holder.host}`}`;
  return new RegtarError('OUTPUT_BUSY', `${output} is being written by ${who}`, {
    where: { path: output },
    hint: `wait until it has ended; if it has, remove ${path}`,
  });
}
