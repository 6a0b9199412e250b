import { fstatSync, fsyncSync, writeSync } from 'node:fs';
import { RegtarError, systemErrorCode } from '../errors.ts';
import { outputError } from '../io/output-error.ts';

const descriptor = 1;
const pauseMilliseconds = 5;

let failure: RegtarError | undefined;
/** The reader has stopped, as `head` does: that is not a failure, and nothing more need be written. */
let isClosed = false;
let isFile: boolean | undefined;

/**
 * Writes results. What cannot be written is remembered for `settleStandardOutput`, so that a command ends its work: a
 * push that is done must still say what it did.
 */
export function writeStandardOutput(text: string | Uint8Array): void {
  if (isClosed || failure !== undefined) return;
  isFile ??= isFileOrDevice();
  // Node's stream for files takes part of a text for all of it when the disk fills up.
  if (isFile) remember(() => writeWhole(Buffer.from(text)));
  else {
    if (!process.stdout.listeners('error').includes(fail)) process.stdout.on('error', fail);
    process.stdout.write(text);
  }
}

/** Waits until everything is written. @returns why it is not, once */
export async function settleStandardOutput(): Promise<RegtarError | undefined> {
  if (isFile === false && !isClosed)
    // An error is an event, too.
    await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  if (isFile === true && failure === undefined) remember(syncFile);
  const first = failure;
  failure = undefined;
  return first;
}

function writeWhole(bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(descriptor, bytes, done);
    } catch (error) {
      if (systemErrorCode(error) !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMilliseconds);
    }
  }
}

/** On some file systems a full disk shows only now. */
function syncFile(): void {
  try {
    if (fstatSync(descriptor).isFile()) fsyncSync(descriptor);
  } catch (error) {
    // Not every file system can.
    if (!['EINVAL', 'ENOTSUP', 'EROFS', 'ENOSYS'].includes(systemErrorCode(error) ?? '')) throw error;
  }
}

function isFileOrDevice(): boolean {
  try {
    const found = fstatSync(descriptor);
    return found.isFile() || (found.isCharacterDevice() && !process.stdout.isTTY);
  } catch {
    return false;
  }
}

function remember(step: () => void): void {
  try {
    step();
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): void {
  if (systemErrorCode(error) === 'EPIPE') {
    isClosed = true;
    return;
  }
  const named = outputError(error, 'standard output');
  failure ??=
    named instanceof RegtarError
      ? named
      : new RegtarError('OUTPUT_UNWRITABLE', `standard output cannot be written: ${String(error)}`, { cause: error });
}
