import { closeSync, constants, fstatSync, fsync, ftruncate, read, rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { createDigester, digestAlgorithm, type Digest } from '../oci/digest.ts';
import { limits } from './limits.ts';
import { onOutput, outputError } from './output-error.ts';
import { createNewFile, openPlainFile } from './temporary-file.ts';
import { writeFully } from './write-file.ts';

/** One file, or several that are read and written as if they were one. */
export interface FileSpan {
  /** What an earlier run left in it, in bytes. */
  readonly size: number;
  /** @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Whether just these bytes lie at a position. What cannot be read is not there. */
  holds(bytes: Uint8Array, position: number): Promise<boolean>;
  /** What a stretch is, by the algorithm of the digest that it should have; undefined where it cannot be read. */
  digestAt(position: number, size: number, expected: Digest): Promise<Digest | undefined>;
  /** Cuts it off behind `size` bytes and syncs it; files that are then empty are removed, but for the first. */
  finish(size: number): Promise<void>;
  /** May be called twice. */
  close(): void;
}

/**
 * Opens files for writing; the second and later ones are made when they are reached.
 * @param fileBytes how many bytes each but the last one takes
 * @param options.resume keeps what is there; otherwise they begin empty. @defaultValue false
 * @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE
 */
export function openFileSpan(
  paths: readonly string[],
  fileBytes: number,
  { resume = false }: { readonly resume?: boolean } = {},
): FileSpan {
  const { descriptors, size } = openEarlier(paths, fileBytes, resume);
  const pathOf = (index: number): string => paths[index] ?? '';
  const open = (index: number): number => {
    const known = descriptors.get(index);
    if (known !== undefined) return known;
    const made = onOutput(pathOf(index), () => createNewFile(pathOf(index)));
    descriptors.set(index, made);
    return made;
  };
  open(0);

  const readInto = async (buffer: Uint8Array, position: number): Promise<boolean> => {
    for (const { index, at, done, count } of piecesOf(position, buffer.length, fileBytes)) {
      const descriptor = descriptors.get(index);
      if (descriptor === undefined) return false;
      for (let got = 0; got < count;) {
        const found = await readAt(descriptor, buffer, done + got, count - got, at + got).catch(() => 0);
        if (found === 0) return false;
        got += found;
      }
    }
    return true;
  };
  let buffer: Buffer | undefined;
  const scratch = (length: number): Buffer => {
    if (buffer === undefined || buffer.length < length)
      buffer = Buffer.allocUnsafeSlow(Math.max(length, limits.chunkBytes));
    return buffer.subarray(0, length);
  };

  return {
    size,
    async write(bytes, position) {
      for (const { index, at, done, count } of piecesOf(position, bytes.length, fileBytes))
        await writeFully(open(index), bytes.subarray(done, done + count), at, pathOf(index));
    },
    async holds(bytes, position) {
      const found = scratch(bytes.length);
      return (await readInto(found, position)) && found.equals(bytes);
    },
    async digestAt(position, length, expected) {
      const digester = createDigester(digestAlgorithm(expected));
      for (let done = 0; done < length; done += limits.chunkBytes) {
        const chunk = scratch(Math.min(limits.chunkBytes, length - done));
        if (!(await readInto(chunk, position + done))) return undefined;
        digester.update(chunk);
      }
      return digester.digest();
    },
    async finish(end) {
      try {
        for (const [index, descriptor] of descriptors) {
          const own = fileBytes === Infinity ? end : Math.max(0, Math.min(fileBytes, end - index * fileBytes));
          await promisify(ftruncate)(descriptor, own);
          await promisify(fsync)(descriptor);
          closeSync(descriptor);
          descriptors.delete(index);
          if (own === 0 && index > 0) rmSync(pathOf(index), { force: true });
        }
      } catch (error) {
        throw outputError(error, pathOf(0));
      }
    },
    close() {
      for (const descriptor of descriptors.values()) {
        try {
          closeSync(descriptor);
        } catch {
          // A medium that is gone may say so once more; the descriptor is closed all the same.
        }
      }
      descriptors.clear();
    },
  };
}

/** What an earlier run left, where it is to be kept; anything else of these names is removed. */
function openEarlier(
  paths: readonly string[],
  fileBytes: number,
  resume: boolean,
): { readonly descriptors: Map<number, number>; readonly size: number } {
  const descriptors = new Map<number, number>();
  let size = 0;
  for (const [index, path] of paths.entries()) {
    const found = resume ? openPlainFile(path, constants.O_RDWR) : undefined;
    if (found === undefined) {
      // What a killed run left, or a link that was put there: neither is written through.
      onOutput(path, () => rmSync(path, { force: true }));
      continue;
    }
    descriptors.set(index, found);
    // A file counts where all before it are full.
    if (size === index * fileBytes || index === 0) size += Math.min(fstatSync(found).size, fileBytes);
  }
  return { descriptors, size };
}

/** A piece of one file; `done` is its offset in the stretch that it belongs to. */
interface Piece {
  readonly index: number;
  readonly at: number;
  readonly done: number;
  readonly count: number;
}

/** The pieces of single files that a stretch of the whole lies in. */
function* piecesOf(position: number, length: number, fileBytes: number): Generator<Piece> {
  for (let done = 0; done < length;) {
    const index = fileBytes === Infinity ? 0 : Math.floor((position + done) / fileBytes);
    const at = fileBytes === Infinity ? position + done : position + done - index * fileBytes;
    const count = Math.min(length - done, fileBytes - at);
    yield { index, at, done, count };
    done += count;
  }
}

const readAt = (descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number) =>
  new Promise<number>((resolve, reject) => {
    read(descriptor, buffer, offset, length, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
