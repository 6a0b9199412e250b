import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const sampleBytes = 4096;
const samples = 64;

/**
 * How many bytes of a large file its medium really holds, where nearly all of it is a hole.
 * @param size of the file, in bytes
 * @returns undefined where it is full enough, or nothing can be said: some file systems count no blocks, so what looks
 * like a hole must also read like one
 */
export function heldBytes(path: string, size: number): number | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    const held = fstatSync(descriptor).blocks * 512;
    if (held * 100 >= size) return undefined;
    const sample = Buffer.alloc(sampleBytes);
    // Not at its ends: what little there is often lies there.
    for (let index = 1; index <= samples; index++) {
      const at = Math.floor((size / (samples + 1)) * index);
      const read = readSync(descriptor, sample, 0, sampleBytes, at);
      if (sample.subarray(0, read).some((byte) => byte !== 0)) return undefined;
    }
    return held;
  } catch {
    // Who reads the file for its bytes says what is wrong with it.
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
