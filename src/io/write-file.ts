import { closeSync, fsyncSync, ftruncateSync, openSync, renameSync, rmSync, write, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Body } from './body.ts';
import { createHoleFinder } from './hole-finder.ts';
import { onOutput, outputError } from './output-error.ts';
import { createNewFile, temporaryName } from './temporary-file.ts';

/** How writing is stopped and followed. */
export interface WriteBodyOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Up to here a write on the main thread is cheaper than a trip to the thread pool. */
const syncWriteBytes = 128 * 1024;

/**
 * Writes a body into a new file, or over an unfinished one. While one chunk is on its way to the file the next is read
 * and hashed.
 * Not synced to the disk: see `writeFileAtomically` for why.
 * @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE; what the body throws; the file is left for its owner to
 * remove
 */
export async function writeBody(path: string, body: Body, options: WriteBodyOptions = {}): Promise<void> {
  const descriptor = onOutput(path, () => openSync(path, 'w'));
  try {
    await writeBodyTo(descriptor, path, body, options);
  } finally {
    closeSync(descriptor);
  }
}

/** The same into a file that is open, empty, and stays open. @param path for messages */
export async function writeBodyTo(
  descriptor: number,
  path: string,
  body: Body,
  options: WriteBodyOptions = {},
): Promise<void> {
  let pending: Promise<void> | undefined;
  try {
    let position = 0;
    let isHoleLast = false;
    for await (const chunk of body) {
      await pending;
      options.signal?.throwIfAborted();
      isHoleLast = isHole(chunk);
      if (isHoleLast) {
        // Zeros need no room on the disk.
      } else if (chunk.length <= syncWriteBytes) writeFullySync(descriptor, chunk, position, path);
      else {
        pending = writeFully(descriptor, chunk, position, path);
        // Marked as handled: the next turn awaits it, but the body may fail before.
        pending.catch(() => undefined);
      }
      position += chunk.length;
      options.onBytes?.(chunk.length);
    }
    await pending;
    if (isHoleLast) onOutput(path, () => ftruncateSync(descriptor, position));
  } finally {
    await pending?.catch(() => undefined);
  }
}

const isHole = createHoleFinder(1024 * 1024);

/** What a small file gets: bytes, or pieces of them, which can be gone through more than once. */
export type FileContent = Uint8Array | Iterable<Uint8Array>;

function writePieces(descriptor: number, content: FileContent, path: string): void {
  let position = 0;
  for (const piece of content instanceof Uint8Array ? [content] : content) {
    writeFullySync(descriptor, piece, position, path);
    position += piece.length;
  }
}

/**
 * Writes a small file under another name, syncs it and renames it, so that the name is never seen with half of its
 * bytes. Only files that complete an output come this way. Blobs are not synced: hundreds of thousands of them would
 * make an export many times slower than `tar -xf`, and a blob that a power cut emptied has the wrong size, so the next
 * run writes it again.
 * @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE
 */
export function writeFileAtomically(path: string, content: FileContent, options: WriteAtomicallyOptions = {}): void {
  const { sync = true, temporary = temporaryName(path), mode } = options;
  const descriptor = onOutput(path, () => createNewFile(temporary, mode));
  try {
    try {
      writePieces(descriptor, content, path);
      if (sync) onOutput(path, () => fsyncSync(descriptor));
    } finally {
      closeSync(descriptor);
    }
    giveName(temporary, path, { sync });
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/**
 * Gives a file or a folder its name when it is finished, so that what has its name is whole.
 * @param options sync: whether the name lasts through a power cut, for what completes an output
 * @throws RegtarError OUTPUT_UNWRITABLE, OUTPUT_NAME, OUTPUT_COLLISION
 */
export function giveName(temporary: string, path: string, { sync = false }: { readonly sync?: boolean } = {}): void {
  onOutput(path, () => renameSync(temporary, path));
  if (sync) syncFolder(dirname(path));
}

/** How a file is replaced. */
export interface WriteAtomicallyOptions {
  /** False where an output has thousands of such files. @defaultValue true */
  readonly sync?: boolean | undefined;
  /** A new name on the same file system. @defaultValue one beside the file that cannot be foreseen */
  readonly temporary?: string | undefined;
  /** Permissions, before the umask. @defaultValue 0o666 */
  readonly mode?: number | undefined;
}

/** Writes a small file in place. @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE */
export function writeSmallFile(path: string, content: FileContent): void {
  const descriptor = onOutput(path, () => openSync(path, 'w'));
  try {
    writePieces(descriptor, content, path);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes a rename last through a power cut; file systems that cannot sync a folder do without. */
function syncFolder(path: string): void {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    fsyncSync(descriptor);
  } catch {
    // Windows and some network file systems refuse this; the rename itself has happened.
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** @param position undefined writes where a pipe or device stands */
export async function writeFully(
  descriptor: number,
  bytes: Uint8Array,
  position: number | undefined,
  path: string,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const at = position === undefined ? null : position + done;
    done += await new Promise<number>((resolve, reject) => {
      write(descriptor, bytes, done, bytes.length - done, at, (error, count) => {
        if (error === null) resolve(count);
        // Another user of a pipe may have made it non-blocking: full is not a failure then.
        else if (error.code === 'EAGAIN') setTimeout(resolve, 2, 0);
        else reject(outputError(error, path) as Error);
      });
    });
  }
}

/** @param path for messages. @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE */
export function writeFullySync(descriptor: number, bytes: Uint8Array, position: number, path: string): void {
  onOutput(path, () => {
    for (let done = 0; done < bytes.length;)
      done += writeSync(descriptor, bytes, done, bytes.length - done, position + done);
  });
}
