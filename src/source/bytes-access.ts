import type { RandomAccess } from '../io/random-access.ts';

/** Bytes in memory as if they were a file. */
export function bytesAccess(bytes: Uint8Array): RandomAccess {
  const readSync = (buffer: Uint8Array, offset: number, length: number, position: number): number => {
    const piece = bytes.subarray(position, position + length);
    buffer.set(piece, offset);
    return piece.length;
  };
  return {
    size: bytes.length,
    readSync,
    read: async (...place) => Promise.resolve(readSync(...place)),
    changed: () => false,
    close: () => undefined,
  };
}
