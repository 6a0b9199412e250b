import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { limits } from '../io/limits.ts';
import { onOutput } from '../io/output-error.ts';
import { isLockHeld, lockOutput } from '../io/output-lock.ts';
import { openRandomAccess, type RandomAccess } from '../io/random-access.ts';
import { writeFully, writeFullySync } from '../io/write-file.ts';
import { createDigester, type Digest, type DigestAlgorithm } from '../oci/digest.ts';

/**
 * What a stream held, on disk while it is needed: small contents in one file, each large one in a file of its own.
 */
export interface Spool {
  readonly folder: string;
  /** Path of a file by its number. */
  fileOf(number: number): string;
  /** Begins a file. @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE */
  create(algorithm: DigestAlgorithm): SpoolFile;
  /** Keeps the digest of a content that is not kept itself. @returns the number of a file that is not there */
  note(digest: Digest): number;
  /** Appends a small content. @returns where it begins in `pack` */
  append(bytes: Uint8Array): number;
  /** Small contents, to be read back after `flush`. */
  readonly pack: RandomAccess;
  flush(): void;
  /** The digest that a content had when it passed; undefined for files with holes. */
  digestOf(file: string): Digest | undefined;
  drop(file: string): void;
  files(): Iterable<string>;
  /** Removes everything, at once. May be called twice. */
  removeSync(): void;
}

/** One file of the spool while it is written. */
export interface SpoolFile {
  readonly number: number;
  /**
   * Hashes and writes; `chunk` may be reused when it returns, or when the promise is fulfilled.
   * @param at offset in the file.
   * @defaultValue its end
   */
  write(chunk: Uint8Array, at?: number): Promise<void> | void;
  /** @param size in bytes, of a file with holes */
  close(size?: number): void;
  /** Forgets the file: its member was cut. */
  discard(): void;
}

/** Up to here a write on the main thread is cheaper than a trip to the thread pool. */
const syncWriteBytes = 128 * 1024;

const folderPrefix = '.regtar-spool-';
/** Between making its folder and locking it a process needs less than this. */
const unlockedMilliseconds = 5_000;

/**
 * Makes an empty spool, and removes what killed processes left in the same place.
 * @param parent a folder on the file system of the output; made where it is missing
 */
export function createSpool(parent: string): Spool {
  const folder = onOutput(parent, () => {
    mkdirSync(parent, { recursive: true });
    removeDeadSpools(parent);
    return mkdtempSync(join(parent, folderPrefix));
  });
  lockOutput(join(folder, lockName), folder);
  const digests = new Map<string, Digest | undefined>();
  const packPath = join(folder, 'small');
  const packDescriptor = onOutput(packPath, () => openSync(packPath, 'wx'));
  let isOpen = true;
  let packAccess: RandomAccess | undefined;
  let packed = 0;
  const pending = Buffer.allocUnsafeSlow(limits.chunkBytes);
  let pendingBytes = 0;
  let count = 0;

  const fileOf = (number: number): string => join(folder, String(number));
  const flush = (): void => {
    writeFullySync(packDescriptor, pending.subarray(0, pendingBytes), packed - pendingBytes, packPath);
    pendingBytes = 0;
  };

  return {
    folder,
    fileOf,
    flush,
    create(algorithm) {
      const number = count++;
      return createFile(fileOf(number), number, algorithm, (digest) => digests.set(fileOf(number), digest));
    },
    append(bytes) {
      const start = packed;
      if (pendingBytes + bytes.length > pending.length) flush();
      if (bytes.length > pending.length) writeFullySync(packDescriptor, bytes, packed, packPath);
      else {
        pending.set(bytes, pendingBytes);
        pendingBytes += bytes.length;
      }
      packed += bytes.length;
      return start;
    },
    get pack() {
      return (packAccess ??= openRandomAccess(packPath));
    },
    note(digest) {
      const number = count++;
      digests.set(fileOf(number), digest);
      return number;
    },
    digestOf: (file) => digests.get(file),
    drop(file) {
      if (digests.delete(file)) rmSync(file, { force: true });
    },
    files: () => digests.keys(),
    removeSync() {
      if (!isOpen) return;
      isOpen = false;
      packAccess?.close();
      closeSync(packDescriptor);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Of the file in each spool that says which process it belongs to. */
const lockName = 'lock';

function removeDeadSpools(parent: string): void {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(folderPrefix)) continue;
    const folder = join(parent, name);
    const found = lstatSync(folder, { throwIfNoEntry: false });
    // In a folder for everybody such a name may be anything, and belong to any user: a link, a pipe, a trap.
    if (found?.isDirectory() !== true || found.uid !== (process.getuid?.() ?? found.uid)) continue;
    if (Date.now() - found.mtimeMs < unlockedMilliseconds || isLockHeld(join(folder, lockName))) continue;
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // Of another user, or on its way out already: it does not hinder this run.
    }
  }
}

function createFile(
  path: string,
  number: number,
  algorithm: DigestAlgorithm,
  keep: (digest: Digest | undefined) => void,
): SpoolFile {
  const descriptor = onOutput(path, () => openSync(path, 'wx'));
  const digester = createDigester(algorithm);
  let size = 0;
  return {
    number,
    write(chunk, at = size) {
      size = at + chunk.length;
      // The hash is made while the thread pool writes.
      const writing =
        chunk.length > syncWriteBytes
          ? writeFully(descriptor, chunk, at, path)
          : writeFullySync(descriptor, chunk, at, path);
      digester.update(chunk);
      return writing;
    },
    close(holedSize) {
      if (holedSize !== undefined) onOutput(path, () => ftruncateSync(descriptor, holedSize));
      closeSync(descriptor);
      keep(holedSize === undefined ? digester.digest() : undefined);
    },
    discard() {
      closeSync(descriptor);
      unlinkSync(path);
    },
  };
}
