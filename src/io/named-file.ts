import { accessSync, closeSync, constants, existsSync, openSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RegtarError, systemErrorCode } from '../errors.ts';
import { onOutput, outputError } from './output-error.ts';
import { realPath } from './overlap.ts';
import { writeFileAtomically, writeSmallFile, type FileContent } from './write-file.ts';

/** What a name that a person gave for a report or a list leads to. */
type Target =
  /** A file, there or not yet: links are followed, so that the link stays and its file is replaced. */
  | { readonly kind: 'file'; readonly path: string; readonly mode: number | undefined }
  /** A pipe or a device. */
  | { readonly kind: 'special'; readonly path: string }
  /** A stream of this process, such as `/dev/stdout`. */
  | { readonly kind: 'descriptor'; readonly descriptor: number };

/**
 * Writes a file that a person named: whole or not at all where it is a file, and into anything else that is there. A
 * device is never replaced.
 * @param options signal: ends the wait for the reader of a pipe
 * @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE
 */
export async function writeNamedFile(
  path: string,
  content: FileContent,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const target = targetOf(path);
  if (target.kind === 'file') return replace(target.path, target.mode, content);
  const pieces = content instanceof Uint8Array ? [content] : content;
  if (target.kind === 'descriptor')
    for (const piece of pieces) await writeThrough(target.descriptor, piece, path, options.signal);
  else {
    const descriptor = await openSpecial(target.path, options.signal);
    try {
      for (const piece of pieces) await writeThrough(descriptor, piece, path, options.signal);
    } finally {
      closeSync(descriptor);
    }
  }
}

/** Whether a name can be written only once: what a pipe or a terminal has got stays there. */
export function isWrittenOnce(path: string): boolean {
  return targetOf(path).kind !== 'file';
}

/**
 * Finds out whether a name can be written, while that costs nothing.
 * @throws RegtarError OUTPUT_UNWRITABLE
 */
export function requireWritable(path: string): void {
  const target = targetOf(path);
  if (target.kind === 'descriptor') return;
  const found = existsSync(target.path);
  onOutput(path, () => accessSync(found ? target.path : dirname(target.path), constants.W_OK));
}

/**
 * The file behind a name, for writers that need a file.
 * @returns its path, links followed
 * @throws RegtarError OUTPUT_UNWRITABLE for folders, pipes and devices
 */
export function requireFile(path: string): string {
  const target = targetOf(path);
  if (target.kind === 'file') return target.path;
  throw unwritable(path, 'it is a pipe or a device');
}

function targetOf(path: string): Target {
  const descriptor = ownDescriptor(path);
  if (descriptor !== undefined) return { kind: 'descriptor', descriptor };
  const real = realPath(path);
  const found = onOutput(path, () => statSync(real, { throwIfNoEntry: false }));
  if (found === undefined && !existsSync(dirname(real)))
    throw unwritable(path, `the folder ${dirname(real)} does not exist`, 'make the folder, or name another file');
  if (found?.isDirectory() === true) throw unwritable(path, 'it is a folder');
  if (found === undefined || found.isFile()) return { kind: 'file', path: real, mode: found && found.mode & 0o777 };
  return { kind: 'special', path: real };
}

/** Opened a second time, a file behind standard output would lose what else is written to it. */
function ownDescriptor(path: string): number | undefined {
  const names: Readonly<Record<string, number>> = { '/dev/stdout': 1, '/dev/stderr': 2 };
  const number = names[path] ?? /^\/(?:dev|proc\/self)\/fd\/(\d{1,6})$/.exec(path)?.[1];
  return number === undefined ? undefined : Number(number);
}

/**
 * What keeps a file from being replaced, and not from being written: a file that is mounted, a folder that is closed.
 */
const irreplaceable = new Set(['EACCES', 'EPERM', 'EBUSY', 'EXDEV', 'EROFS']);

function replace(path: string, mode: number | undefined, content: FileContent): void {
  try {
    writeFileAtomically(path, content, { mode });
  } catch (error) {
    const code = error instanceof RegtarError ? systemErrorCode(error.cause) : undefined;
    if (mode === undefined || code === undefined || !irreplaceable.has(code)) throw error;
    writeSmallFile(path, content);
  }
}

const pollMilliseconds = 20;

/**
 * Opens a pipe or a device for writing. Nothing waits in the system, where no signal would end it: a pipe without a
 * reader is asked for again and again.
 * @returns a descriptor; a write to a full pipe fails with EAGAIN
 * @throws RegtarError OUTPUT_UNWRITABLE; the signal's reason
 */
export async function openSpecial(path: string, signal: AbortSignal | undefined): Promise<number> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENXIO' || !statSync(path).isFIFO()) throw outputError(error, path);
      await sleep(pollMilliseconds);
    }
  }
}

async function writeThrough(
  descriptor: number,
  bytes: Uint8Array,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(descriptor, bytes, done);
    } catch (error) {
      if (systemErrorCode(error) !== 'EAGAIN') throw outputError(error, path);
      signal?.throwIfAborted();
      await sleep(pollMilliseconds);
    }
  }
}

function unwritable(path: string, reason: string, hint = 'name another file'): RegtarError {
  return new RegtarError('OUTPUT_UNWRITABLE', `${path} cannot be written: ${reason}`, {
    side: 'usage',
    where: { path },
    hint,
  });
}
