import type { RandomAccess } from '../../../src/io/random-access.ts';

/** Bytes in memory as a file that can be sought. */
export function memoryAccess(bytes: Uint8Array): RandomAccess {
  const readSync = (buffer: Uint8Array, offset: number, length: number, position: number): number => {
    const piece = bytes.subarray(position, position + Math.max(0, length));
    buffer.set(piece, offset);
    return piece.length;
  };
  return {
    size: bytes.length,
    readSync,
    read: async (...place) => readSync(...place),
    changed: () => false,
    close: () => undefined,
  };
}
