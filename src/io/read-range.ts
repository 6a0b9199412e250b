import type { RandomAccess } from './random-access.ts';
import { readFullySync } from './random-access.ts';
import { createRing, type Ring } from './ring.ts';
import { limits } from './limits.ts';

/** Up to here a read on the main thread is cheaper than a trip to the thread pool. */
const syncReadBytes = 128 * 1024;

/**
 * Streams `size` bytes from `start` on, one chunk read ahead while the consumer works on the last.
 * @returns fewer bytes when the file has become shorter: verifying shows it
 */
export async function* readRange(
  access: RandomAccess,
  start: number,
  size: number,
  ring: Ring = createRing(),
): AsyncGenerator<Uint8Array> {
  if (size <= syncReadBytes) {
    // One buffer takes it all, unless the ring gives smaller ones.
    for (let done = 0; done < size;) {
      const buffer = ring.take(size - done);
      const count = readFullySync(access, buffer, 0, buffer.length, start + done);
      if (count === 0) return;
      done += count;
      yield buffer.subarray(0, count);
    }
    return;
  }
  const end = start + size;
  const readAt = async (position: number): Promise<Uint8Array> => {
    const buffer = ring.take(Math.min(limits.chunkBytes, end - position));
    const count =
      ring.ahead === false
        ? await readNow(access, buffer, position)
        : await access.read(buffer, 0, buffer.length, position);
    return buffer.subarray(0, count);
  };
  let position = start;
  let pending: Promise<Uint8Array> | undefined = readAt(position);
  try {
    while (pending !== undefined) {
      const chunk: Uint8Array = await pending;
      pending = undefined;
      if (chunk.length === 0) return;
      position += chunk.length;
      if (position < end && ring.ahead !== false) pending = readAt(position);
      yield chunk;
      if (position < end) pending ??= readAt(position);
    }
  } finally {
    // The consumer left early: the buffer may be reused only when nothing is read into it any more.
    await pending?.catch(() => undefined);
  }
}

/** A read that takes longer came from a disk, not from memory. */
const memoryMilliseconds = 2;
/** Reads that are left to the thread pool after a slow one. */
const readsAfterSlow = 64;
/** Of each medium, how many reads are still left to the thread pool. */
const pooledReads = new WeakMap<RandomAccess, number>();

/**
 * Reads a chunk that is waited for. What lies in memory is read at once, for less than half of what a trip to the
 * thread pool costs;
 * a medium that is slow holds nothing else up.
 */
async function readNow(access: RandomAccess, buffer: Uint8Array, position: number): Promise<number> {
  const pooled = pooledReads.get(access) ?? 0;
  if (pooled > 0) {
    pooledReads.set(access, pooled - 1);
    return access.read(buffer, 0, buffer.length, position);
  }
  const began = performance.now();
  const count = access.readSync(buffer, 0, buffer.length, position);
  if (performance.now() - began > memoryMilliseconds) pooledReads.set(access, readsAfterSlow);
  return count;
}
