import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/**
 * A name beside a file for what is not finished. It cannot be foreseen, so that no link can be put there; the
 * process's number stands in it, so that a later run can tell what a killed one left.
 */
export function temporaryName(path: string): string {
  return `${temporaryNames(path)}${process.pid}-${randomBytes(6).toString('hex')}`;
}

/** What every temporary name of a file begins with, of whichever process. */
export function temporaryNames(path: string): string {
  return `${path}.regtar-`;
}

/**
 * Creates a file that was not there. A link of that name is not followed.
 * @param mode permissions, before the umask. @defaultValue 0o666
 * @returns a descriptor for writing
 * @throws the system's error, EEXIST where the name is taken
 */
export function createNewFile(path: string, mode = 0o666): number {
  return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | noFollow, mode);
}

/**
 * Reads a small file that others may have put there: no link is followed, no pipe is waited for.
 * @returns undefined for what is not there, not a plain file, or longer than `bytesAtMost`
 */
export function readPlainFile(path: string, bytesAtMost: number): string | undefined {
  const descriptor = openPlainFile(path, constants.O_RDONLY);
  if (descriptor === undefined) return undefined;
  try {
    const { size } = fstatSync(descriptor);
    if (size > bytesAtMost) return undefined;
    const bytes = Buffer.alloc(size);
    return bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Opens a file that others may have put there: no link is followed, no pipe is waited for.
 * @param access `constants.O_RDONLY` or `constants.O_RDWR`
 * @returns undefined for what is not there, may not be opened, or is not a plain file
 */
export function openPlainFile(path: string, access: number): number | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, access | constants.O_NONBLOCK | noFollow);
  } catch {
    return undefined;
  }
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  return undefined;
}

/** Windows has no such flag, and no such links in its folders for everybody. */
const noFollow = (constants.O_NOFOLLOW as number | undefined) ?? 0;
