import { readFullySync, type RandomAccess } from '../io/random-access.ts';
import { blockBytes, headerSize, isHeaderValid, isZeroBlock } from './header.ts';

const pieceBytes = 1024 * 1024;

/**
 * Looks for the next valid header, block by block. Headers lie on the archive's 512-byte grid, which damage in place does not move.
 * @returns its offset, or the archive's size when none follows; whether anything but zeros, and whether a block of zeros lay between
 */
export function findNextHeader(
  access: RandomAccess,
  from: number,
  signal?: AbortSignal,
): { readonly position: number; readonly hasRubbish: boolean; readonly hasZeros: boolean } {
  // Most archives end within one record of 10 KiB: do not read a whole piece for that.
  let length = 16 * 1024;
  const memory = new ArrayBuffer(pieceBytes);
  const buffer = Buffer.from(memory);
  const words = new Int32Array(memory);
  let hasRubbish = false;
  let hasZeros = false;
  for (let position = from; position < access.size; length = pieceBytes) {
    signal?.throwIfAborted();
    const filled = readFullySync(access, buffer, 0, Math.min(length, access.size - position), position);
    if (filled < blockBytes)
      return { position: access.size, hasRubbish: hasRubbish || !isZero(buffer.subarray(0, filled)), hasZeros };
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
  }
  return { position: access.size, hasRubbish, hasZeros };
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
