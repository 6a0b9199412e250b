import { closeSync, fstatSync, openSync, read, readSync } from 'node:fs';
import { isOutOfFiles, RegtarError, systemErrorCode, systemReason, tooManyFiles } from '../errors.ts';

/** A stretch of a plain file, for readers that open it themselves: worker threads. */
export interface FileRange {
  readonly path: string;
  readonly start: number;
  /** In bytes. */
  readonly size: number;
}

/** Bytes that can be read at any place: a file, or the parts of one. */
export interface RandomAccess {
  readonly size: number;
  /**
   * When it was last written, in milliseconds since 1970; the sum of these for several pieces. Absent where that
   * is not known.
   */
  readonly modified?: number;
  /** Reads up to `length` bytes at `position` into `buffer` from `offset` on. @returns how many, 0 at the end */
  readSync(buffer: Uint8Array, offset: number, length: number, position: number): number;
  /** The same off the main thread. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /**
   * Where bytes have to be brought first, how many lie at hand from `position` on: `length` or more. Absent where all
   * can be read at once.
   * @throws NotAtHand where there are fewer; so does `readSync`
   */
  atHand?(position: number, length: number): number;
  /** Whether the bytes may have changed since opening: size or modification time differ. */
  changed(): boolean;
  /** Where `size` bytes at `start` lie in plain files, in order; absent where they are in none. */
  ranges?(start: number, size: number): readonly FileRange[];
  close(): void;
}

/**
 * Bytes that are still elsewhere. A reader leaves everything as it was, so that the same step can be taken again
 * when they are here.
 */
export class NotAtHand extends Error {
  readonly position: number;
  /** In bytes. */
  readonly length: number;

  constructor(position: number, length: number) {
    super(`${length} bytes at ${position} have not been brought yet`);
    this.position = position;
    this.length = length;
  }
}

/** @throws RegtarError SOURCE_NOT_FOUND, SOURCE_UNREADABLE */
export function openRandomAccess(path: string): RandomAccess {
  const descriptor = openForReading(path);
  const { size, mtimeMs } = fstatSync(descriptor);
  return {
    size,
    modified: mtimeMs,
    readSync: (buffer, offset, length, position) => readSync(descriptor, buffer, offset, length, position),
    read: (buffer, offset, length, position) =>
      new Promise((resolve, reject) => {
        read(descriptor, buffer, offset, length, position, (error, count) => (error ? reject(error) : resolve(count)));
      }),
    changed: () => {
      const now = fstatSync(descriptor);
      return now.size !== size || now.mtimeMs !== mtimeMs;
    },
    ranges: (start, length) => [{ path, start, size: length }],
    close: () => closeSync(descriptor),
  };
}

/** Several pieces read as one, in the order given. */
export function concatRandomAccess(pieces: readonly RandomAccess[]): RandomAccess {
  const starts: number[] = [];
  let size = 0;
  for (const piece of pieces) {
    starts.push(size);
    size += piece.size;
  }
  const locate = (position: number) => {
    let low = 0;
    for (let high = pieces.length - 1; low < high;) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= position) low = middle;
      else high = middle - 1;
    }
    const piece = pieces[low];
    const inside = position - (starts[low] ?? 0);
    return piece === undefined || inside >= piece.size ? undefined : { piece, inside };
  };
  return {
    size,
    modified: pieces.reduce((sum, { modified = Number.NaN }) => sum + modified, 0),
    readSync: (buffer, offset, length, position) => {
      const place = locate(position);
      return place === undefined
        ? 0
        : place.piece.readSync(buffer, offset, Math.min(length, place.piece.size - place.inside), place.inside);
    },
    read: async (buffer, offset, length, position) => {
      const place = locate(position);
      return place === undefined
        ? 0
        : place.piece.read(buffer, offset, Math.min(length, place.piece.size - place.inside), place.inside);
    },
    changed: () => pieces.some((piece) => piece.changed()),
    ...(pieces.every((piece) => piece.ranges !== undefined) && {
      ranges: (start: number, length: number) => rangesOf(pieces, starts, start, length),
    }),
    close: () => pieces.forEach((piece) => piece.close()),
  };
}

function rangesOf(
  pieces: readonly RandomAccess[],
  starts: readonly number[],
  start: number,
  length: number,
): FileRange[] {
  return pieces.flatMap((piece, index) => {
    const from = Math.max(start - (starts[index] ?? 0), 0);
    const to = Math.min(start + length - (starts[index] ?? 0), piece.size);
    return from < to ? (piece.ranges?.(from, to - from) ?? []) : [];
  });
}

/** Fills `length` bytes. @returns how many there were: less only at the end */
export function readFullySync(
  access: Pick<RandomAccess, 'readSync'>,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
): number {
  let done = 0;
  while (done < length) {
    const count = access.readSync(buffer, offset + done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

function openForReading(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') {
      throw new RegtarError('SOURCE_NOT_FOUND', `${path} does not exist`, {
        where: { path },
        cause,
        hint: 'name the backup: `regtar inspect path/to/docker.tar`',
      });
    }
    if (isOutOfFiles(cause)) throw tooManyFiles(cause);
    throw new RegtarError('SOURCE_UNREADABLE', `${path} cannot be read: ${systemReason(cause)}`, {
      where: { path },
      cause,
    });
  }
}
