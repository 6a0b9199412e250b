// @ts-check
import { createCipheriv } from 'node:crypto';

const poolBytes = 64 * 1024 * 1024;

/** @typedef {{ next(): number, below(limit: number): number, normal(): number, shuffled<T>(list: readonly T[]): T[] }} Random */

/**
 * The same numbers for the same seed, on every machine.
 * @param {number} seed a 32-bit integer
 * @returns {Random} `next` is in [0, 1), `below` a whole number in [0, limit), `normal` of mean 0 and deviation 1
 */
export function createRandom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (/** @type {number} */ limit) => Math.floor(next() * limit);
  return {
    next,
    below,
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    shuffled: (list) => {
      const copy = [...list];
      for (let last = copy.length - 1; last > 0; last--) {
        const other = below(last + 1);
        const kept = /** @type {any} */ (copy[last]);
        copy[last] = /** @type {any} */ (copy[other]);
        copy[other] = kept;
      }
      return copy;
    },
  };
}

/**
 * 64 MiB of bytes that nothing compresses; layers are cut from it, which costs no time.
 * @param {number} seed
 */
export function createPool(seed) {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed >>> 0);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(poolBytes));
}
