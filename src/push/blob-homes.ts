import type { BlobNumbers } from '../content/contracts.ts';
import { createDigestKeys, type DigestKey } from '../content/digest-key.ts';
import type { Digest } from '../oci/digest.ts';

/** Repositories of the target by the blobs that they have. */
export interface BlobHomes {
  /** Whether any has it. */
  isKnown(digest: Digest): boolean;
  has(digest: Digest, repository: string): boolean;
  add(digest: Digest, repository: string): void;
  /** In the order in which they got it. */
  of(digest: Digest): Iterable<string>;
}

/**
 * Most blobs are in one repository: a set for each of half a million would take ten times what they are.
 * @param numbers of what the blobs come from; undefined where it has none
 */
export function createBlobHomes(numbers?: BlobNumbers): BlobHomes {
  const keyOf = createDigestKeys(numbers);
  const homes = new Map<DigestKey, string | Set<string>>();
  const of = (digest: Digest): ReadonlySet<string> | readonly string[] => {
    const home = homes.get(keyOf(digest));
    return home === undefined ? [] : typeof home === 'string' ? [home] : home;
  };
  return {
    of,
    isKnown: (digest) => homes.has(keyOf(digest)),
    has(digest, repository) {
      const home = homes.get(keyOf(digest));
      return home === repository || (typeof home === 'object' && home.has(repository));
    },
    add(digest, repository) {
      const key = keyOf(digest);
      const home = homes.get(key);
      if (home === undefined) homes.set(key, repository);
      else if (typeof home === 'object') home.add(repository);
      else if (home !== repository) homes.set(key, new Set([home, repository]));
    },
  };
}
