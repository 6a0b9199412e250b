import type { Ring } from '../io/ring.ts';

/** What one reader holds, however slow it is. */
const readerBytes = 128 * 1024;
/** What a few readers of big blobs hold: a trip to the system costs as much as copying tens of kilobytes. */
const largeBytes = 1024 * 1024;
/** Large buffers at once. Readers that come when all are lent have a small one. */
const mostLarge = 16;
/** Small buffers that are kept for the next readers; more are left to the garbage collector. */
const mostKept = 64;

/** The buffer of one reader. A chunk of its rings is done with before the next one is asked for. */
export interface ReaderBuffer {
  /** The whole buffer, again and again, for a body of `bytes`: nothing is read behind the end of a range. */
  ring(bytes: number): Ring;
  /**
   * Its two halves in turn, so that another thread may look at a chunk while the next one is read. Absent where the
   * buffer is small: its memory is not shared with threads.
   */
  halves?(bytes: number): Ring;
}

/** Lends each reader one buffer: of 128 KiB, or of 1 MiB while few read. */
export interface Buffers {
  /** Gives a buffer to `use` for as long as it runs. @param bytes that will be read in all */
  lend<Result>(bytes: number, use: (buffer: ReaderBuffer) => Promise<Result>): Promise<Result>;
}

/** @returns buffers that are shared by all readers of a server */
export function createBuffers(): Buffers {
  const small: Buffer[] = [];
  const large: Buffer[] = [];
  let lentLarge = 0;

  const lendLarge = async <Result>(use: (buffer: ReaderBuffer) => Promise<Result>): Promise<Result> => {
    const buffer = large.pop() ?? Buffer.from(new SharedArrayBuffer(largeBytes));
    lentLarge++;
    try {
      const halves = [buffer.subarray(0, largeBytes / 2), buffer.subarray(largeBytes / 2)];
      return await use({ ring: (bytes) => ringOf([buffer], bytes), halves: (bytes) => ringOf(halves, bytes) });
    } finally {
      lentLarge--;
      large.push(buffer);
    }
  };

  return {
    async lend(bytes, use) {
      if (bytes >= largeBytes && lentLarge < mostLarge) return lendLarge(use);
      const buffer = small.pop() ?? Buffer.allocUnsafeSlow(readerBytes);
      try {
        return await use({ ring: (length) => ringOf([buffer], length) });
      } finally {
        if (small.length < mostKept) small.push(buffer);
      }
    },
  };
}

function ringOf(buffers: readonly Buffer[], bytes: number): Ring {
  let left = bytes;
  let turn = 0;
  return {
    ahead: false,
    take(length) {
      const buffer = buffers[turn++ % buffers.length] as Buffer;
      const size = Math.min(length, buffer.length, left);
      left -= size;
      return buffer.subarray(0, size);
    },
  };
}
