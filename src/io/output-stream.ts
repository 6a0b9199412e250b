import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncate,
  fsync,
  openSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { RegtarError } from '../errors.ts';
import { onOutput, outputError } from './output-error.ts';
import { createNewFile } from './temporary-file.ts';
import { giveName, writeFully } from './write-file.ts';

/** One long file or stream, written from its beginning to its end. */
export interface OutputStream {
  /** Whether what was written can be taken back; not on a pipe. */
  readonly rewindable: boolean;
  /** How many bytes were written. */
  readonly position: number;
  /** @param bytes stay valid until the next call has returned: their write may still be under way */
  write(bytes: Uint8Array): Promise<void>;
  /** Takes back everything from a position on. */
  rewind(position: number): Promise<void>;
  /** Everything is written and synced, and the file has its name. */
  complete(): Promise<void>;
  /** Forgets the file. What a pipe has taken is gone; it only ends. */
  discard(): Promise<void>;
}

/** Where one output file is written, and what keeps others from it. */
export interface OutputFile {
  /** Absolute, symbolic links resolved. */
  readonly path: string;
  /**
   * Where its bytes are while it is not complete: beside it, always the same name, so that the next run writes over it.
   */
  readonly temporary: string;
  readonly lock: string;
}

/** Small pieces are gathered up to this many bytes, so that a header does not cost a trip to the thread pool. */
const gatherBytes = 256 * 1024;
const smallBytes = 64 * 1024;

/** The names around an output file. */
export function outputFile(out: string): OutputFile {
  const path = existsSync(out) ? realpathSync(out) : resolve(out);
  const beside = (ending: string): string => join(dirname(path), `.regtar-${basename(path)}.${ending}`);
  return { path, temporary: beside('tmp'), lock: beside('lock') };
}

/** Whether OUT is there and neither a file nor a folder: a pipe, a device. Such a thing is written as it is. */
export function isSpecialFile(out: string): boolean {
  const found = onOutput(out, () => statSync(out, { throwIfNoEntry: false }));
  return found !== undefined && !found.isFile() && !found.isDirectory();
}

/** @throws RegtarError OUTPUT_FOREIGN when a file is there that does not begin as regtar's do */
export function refuseForeignFile(path: string, beginning: Uint8Array): void {
  const found = onOutput(path, () => statSync(path, { throwIfNoEntry: false }));
  if (found === undefined || (found.isFile() && (found.size === 0 || startsWith(path, beginning)))) return;
  throw new RegtarError(
    'OUTPUT_FOREIGN',
    found.isDirectory()
      ? `${path} is a folder, and this format makes one file`
      : `${path} is there and regtar did not make it`,
    {
      where: { path },
      hint: 'choose a new name: regtar replaces only archives that it made itself',
    },
  );
}

/**
 * Writes `file.temporary`, and renames it to `path` when it is complete.
 * @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE
 */
export function createOutputFile(path: string, temporary: string): OutputStream {
  const descriptor = onOutput(temporary, () => {
    // What a killed run left, or a link that was put there: neither is written through.
    rmSync(temporary, { force: true });
    return createNewFile(temporary);
  });
  return streamTo(descriptor, path, {
    rewindable: true,
    end: async (size) => {
      await promisify(ftruncate)(descriptor, size);
      await promisify(fsync)(descriptor);
      closeSync(descriptor);
      giveName(temporary, path, { sync: true });
    },
    discard: () => {
      closeSync(descriptor);
      rmSync(temporary, { force: true });
    },
  });
}

/**
 * Writes a pipe or a device that is there.
 * @param opened a descriptor of it, which is closed at the end; opened here where absent
 */
export function openSpecialFile(path: string, opened?: number): OutputStream {
  const descriptor = opened ?? onOutput(path, () => openSync(path, 'w'));
  const close = (): void => closeSync(descriptor);
  return streamTo(descriptor, path, { rewindable: false, end: async () => close(), discard: close });
}

/** Writes an open descriptor, which stays open. @param name for messages */
export function openOutputDescriptor(descriptor: number, name: string): OutputStream {
  return streamTo(descriptor, name, {
    rewindable: false,
    end: async () => {
      // Standard output may be a file, and then a full disk may show only now.
      if (fstatSync(descriptor).isFile()) fsyncSync(descriptor);
    },
    discard: () => undefined,
  });
}

interface Ending {
  readonly rewindable: boolean;
  readonly end: (size: number) => Promise<void>;
  readonly discard: () => void;
}

function streamTo(descriptor: number, path: string, { rewindable, end, discard }: Ending): OutputStream {
  let gathering = Buffer.allocUnsafeSlow(gatherBytes);
  let other = Buffer.allocUnsafeSlow(gatherBytes);
  let gathered = 0;
  let sent = 0;
  let pending: Promise<void> | undefined;
  /** Whether the bytes under way are a caller's, who waits for them; the gathered ones are our own. */
  let isLent = false;

  const send = async (bytes: Uint8Array, lent: boolean): Promise<void> => {
    await pending;
    isLent = lent;
    pending = writeFully(descriptor, bytes, rewindable ? sent : undefined, path);
    // Marked as handled: the next call awaits it.
    pending.catch(() => undefined);
    sent += bytes.length;
  };
  const sendGathered = async (): Promise<void> => {
    if (gathered === 0) return;
    const full = gathering.subarray(0, gathered);
    [gathering, other] = [other, gathering];
    gathered = 0;
    await send(full, false);
  };
  const settle = async (): Promise<void> => {
    await sendGathered();
    await pending;
  };

  return {
    rewindable,
    get position() {
      return sent + gathered;
    },
    async write(bytes) {
      if (bytes.length > smallBytes) {
        await sendGathered();
        await send(bytes, true);
        return;
      }
      if (isLent) await pending;
      isLent = false;
      if (gathered + bytes.length > gatherBytes) await sendGathered();
      gathering.set(bytes, gathered);
      gathered += bytes.length;
    },
    async rewind(position) {
      await settle();
      sent = position;
    },
    async complete() {
      await settle();
      try {
        await end(sent);
      } catch (error) {
        throw outputError(error, path);
      }
    },
    async discard() {
      await pending?.catch(() => undefined);
      discard();
    },
  };
}

function startsWith(path: string, beginning: Uint8Array): boolean {
  const descriptor = onOutput(path, () => openSync(path, 'r'));
  try {
    const head = Buffer.alloc(beginning.length);
    return readSync(descriptor, head, 0, head.length, 0) === head.length && head.equals(beginning);
  } finally {
    closeSync(descriptor);
  }
}
