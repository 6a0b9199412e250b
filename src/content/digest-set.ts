import type { Digest } from '../oci/digest.ts';
import type { ContentStore } from './contracts.ts';

/** Digests that were met, each once. */
export interface DigestSet {
  /** @returns whether it is new */
  add(digest: Digest): boolean;
  has(digest: Digest): boolean;
}

const bitsPerByte = 8;

/**
 * A set that takes a bit for each digest of a backup, and room only for others.
 * @param store whose digests most of them are
 */
export function createDigestSet({ numbers }: Pick<ContentStore, 'numbers'>): DigestSet {
  const others = new Set<Digest>();
  const bits = new Uint8Array(Math.ceil((numbers?.size ?? 0) / bitsPerByte));
  return {
    add(digest) {
      const number = numbers?.find(digest) ?? -1;
      if (number < 0) return !others.has(digest) && others.add(digest) === others;
      const byte = Math.floor(number / bitsPerByte);
      const old = bits[byte] ?? 0;
      bits[byte] = old | (1 << (number % bitsPerByte));
      return bits[byte] !== old;
    },
    has(digest) {
      const number = numbers?.find(digest) ?? -1;
      if (number < 0) return others.has(digest);
      return ((bits[Math.floor(number / bitsPerByte)] ?? 0) & (1 << (number % bitsPerByte))) !== 0;
    },
  };
}
