import { deflateRawSync, inflateRawSync } from 'node:zlib';

/**
 * Manifests and configs of bytes elsewhere, kept while they are needed: reading them does not wait for a network.
 */
export interface SmallFiles {
  has(key: number): boolean;
  /** Keeps a copy. */
  keep(key: number, bytes: Uint8Array): void;
  get(key: number): Uint8Array | undefined;
}

/** Up to here they are kept as they are: those of 3,000 images or so. JSON takes a third when it is packed. */
const plainBytes = 8 * 1024 * 1024;

/** A window as large as most of them; the usual one takes a quarter of a mebibyte each time. */
const packing = { level: 1, windowBits: 13, memLevel: 5 } as const;
const leastChunkBytes = 64;

/** Keys are places of files, as their backup numbers them. */
export function createSmallFiles(): SmallFiles {
  const files = new Map<number, { readonly bytes: Buffer; readonly isPlain: boolean; readonly size: number }>();
  let held = 0;
  return {
    has: (key) => files.has(key),
    keep(key, bytes) {
      if (files.has(key)) return;
      const isPlain = held < plainBytes;
      // A copy of just these bytes: a piece would keep all that came with it.
      const kept = Buffer.from(isPlain ? bytes : deflateRawSync(bytes, packing));
      files.set(key, { bytes: kept, isPlain, size: bytes.length });
      held += bytes.length;
    },
    get(key) {
      const file = files.get(key);
      if (file === undefined || file.isPlain) return file?.bytes;
      return inflateRawSync(file.bytes, {
        windowBits: packing.windowBits,
        chunkSize: Math.max(file.size, leastChunkBytes),
        maxOutputLength: file.size,
      });
    },
  };
}
