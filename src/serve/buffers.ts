import type { Ring } from '../io/ring.ts';

/** What one reader holds. */
const readerBytes = 128 * 1024;
/** Buffers that are kept for the next readers; more are left to the garbage collector. */
const mostKept = 64;

/** Lends each reader one buffer of 128 KiB. */
export interface Buffers {
  /**
   * Gives a buffer to `use` for as long as it runs.
   * @param use gets a maker of rings, each for a body of `bytes`; it must be done with a chunk before it asks for the
   * next
   */
  lend<Result>(use: (ringOf: (bytes: number) => Ring) => Promise<Result>): Promise<Result>;
}

/** @returns buffers that are shared by all readers of a server */
export function createBuffers(): Buffers {
  const free: Buffer[] = [];
  return {
    async lend(use) {
      const buffer = free.pop() ?? Buffer.allocUnsafeSlow(readerBytes);
      try {
        return await use((bytes) => ringOf(buffer, bytes));
      } finally {
        if (free.length < mostKept) free.push(buffer);
      }
    },
  };
}

/** Never gives more than is wanted, so that nothing is read behind the end of a range. */
function ringOf(buffer: Buffer, bytes: number): Ring {
  let left = bytes;
  return {
    ahead: false,
    take(length) {
      const size = Math.min(length, readerBytes, left);
      left -= size;
      return buffer.subarray(0, size);
    },
  };
}
