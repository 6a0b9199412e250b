import { chunksKept } from './body.ts';
import { limits } from './limits.ts';

/**
 * A few buffers in turn, so that streaming any number of blobs costs no allocation: fresh megabytes are page faults and
 * garbage.
 * A ring serves one transfer at a time; before the next one starts on it, its user has seen the last one's consumer
 * finish.
 */
export interface Ring {
  /**
   * Whether there is a buffer to read the next chunk into while the last one is used; without, a chunk is read when it
   * is asked for.
   * @defaultValue true
   */
  readonly ahead?: boolean;
  /** @returns the next buffer, of up to `length` bytes; it is given again after those that are kept and two more */
  take(length: number): Uint8Array;
}

/** The size of a ring's buffers, and how many of them stay valid. */
export interface RingOptions {
  /** The largest buffer; at least 128 KiB, which readers take as one. @defaultValue `limits.chunkBytes` */
  readonly chunkBytes?: number | undefined;
  /** Chunks that stay valid while further ones are asked for, for a consumer that needs more than `Body` promises. */
  readonly kept?: number;
}

/** Buffers are made when they are first needed. */
export function createRing({ chunkBytes = limits.chunkBytes, kept = chunksKept }: RingOptions = {}): Ring {
  // One chunk is with the consumer, one is being read ahead.
  const bufferCount = kept + 2;
  const buffers: Uint8Array[] = [];
  let turn = 0;
  return {
    take(length) {
      const size = Math.min(length, chunkBytes);
      turn = (turn + 1) % bufferCount;
      let buffer = buffers[turn];
      if (buffer === undefined || buffer.length < size) {
        buffer = Buffer.allocUnsafeSlow(size > 64 * 1024 ? chunkBytes : size);
        buffers[turn] = buffer;
      }
      return buffer.subarray(0, size);
    },
  };
}
