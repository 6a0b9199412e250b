import { createRing, type Ring } from './ring.ts';

/** A fixed number of places for transfers, each with buffers of its own that every transfer in it reuses. */
export interface Slots {
  /** Waits for a place, in the order of asking. */
  run<Result>(transfer: (ring: Ring) => Promise<Result>): Promise<Result>;
}

/** @param chunkBytes of their buffers. @defaultValue `limits.chunkBytes` */
export function createSlots(count: number, chunkBytes?: number): Slots {
  const free: Ring[] = Array.from({ length: Math.max(1, count) }, () => createRing({ chunkBytes }));
  const waiting: ((ring: Ring) => void)[] = [];
  return {
    async run(transfer) {
      const ring = free.pop() ?? (await new Promise<Ring>((resolve) => waiting.push(resolve)));
      try {
        return await transfer(ring);
      } finally {
        const next = waiting.shift();
        if (next === undefined) free.push(ring);
        else next(ring);
      }
    },
  };
}
