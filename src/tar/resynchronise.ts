import { readFullySync, type RandomAccess } from '../io/random-access.ts';
import { blockBytes, headerSize, isHeaderValid, isZeroBlock } from './header.ts';

const pieceBytes = 1024 * 1024;

/**
 * Where the next header is, or the archive's size when none follows; whether anything but zeros, and whether a block of
 * zeros lay between.
 */
export interface FoundHeader {
  readonly position: number;
  readonly hasRubbish: boolean;
  readonly hasZeros: boolean;
}

/**
 * A search for the next valid header, block by block. Headers lie on the archive's 512-byte grid, which damage in place
 * does not move.
 */
export interface HeaderSearch {
  /**
   * Looks at one more piece.
   * @returns undefined while nothing is found.
   * @throws NotAtHand, and can be called again then
   */
  readonly step: () => FoundHeader | undefined;
}

/** @param from where the search begins, in bytes */
export function searchHeader(access: RandomAccess, from: number): HeaderSearch {
  // Most archives end within one record of 10 KiB: do not read a whole piece for that.
  let length = 16 * 1024;
  let position = from;
  const memory = new ArrayBuffer(pieceBytes);
  const buffer = Buffer.from(memory);
  const words = new Int32Array(memory);
  let hasRubbish = false;
  let hasZeros = false;
  const end = (): FoundHeader => ({ position: access.size, hasRubbish, hasZeros });
  return {
    step() {
      if (position >= access.size) return end();
      const filled = readFullySync(access, buffer, 0, Math.min(length, access.size - position), position);
      length = pieceBytes;
      if (filled < blockBytes) {
        hasRubbish ||= !isZero(buffer.subarray(0, filled));
        position = access.size;
        return end();
      }
      const whole = filled - (filled % blockBytes);
      for (let at = 0; at < whole; at += blockBytes) {
        if (buffer[at] === 0 && isZeroBlock(words, at)) {
          hasZeros = true;
          continue;
        }
        if (isHeaderValid(buffer, words, at) && headerSize(buffer, at) !== undefined)
          return { position: position + at, hasRubbish, hasZeros };
        hasRubbish = true;
      }
      position += whole;
      return undefined;
    },
  };
}

/** The whole search at once. */
export function findNextHeader(access: RandomAccess, from: number, signal?: AbortSignal): FoundHeader {
  const search = searchHeader(access, from);
  for (;;) {
    signal?.throwIfAborted();
    const found = search.step();
    if (found !== undefined) return found;
  }
}

/** @returns the offset of the first block that is not all zeros, or the archive's size */
export function skipZeros(access: RandomAccess, from: number, signal?: AbortSignal): number {
  const buffer = Buffer.alloc(pieceBytes);
  for (let position = from; position < access.size;) {
    signal?.throwIfAborted();
    const filled = readFullySync(access, buffer, 0, Math.min(pieceBytes, access.size - position), position);
    if (filled === 0) break;
    for (let at = 0; at < filled; at += blockBytes)
      if (!isZero(buffer.subarray(at, Math.min(at + blockBytes, filled)))) return position + at;
    position += filled;
  }
  return access.size;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
