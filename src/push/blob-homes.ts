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

/** Most blobs are in one repository: a set for each of half a million would take ten times what they are. */
export function createBlobHomes(): BlobHomes {
  const homes = new Map<Digest, string | Set<string>>();
  const of = (digest: Digest): ReadonlySet<string> | readonly string[] => {
    const home = homes.get(digest);
    return home === undefined ? [] : typeof home === 'string' ? [home] : home;
  };
  return {
    of,
    isKnown: (digest) => homes.has(digest),
    has(digest, repository) {
      const home = homes.get(digest);
      return home === repository || (typeof home === 'object' && home.has(repository));
    },
    add(digest, repository) {
      const home = homes.get(digest);
      if (home === undefined) homes.set(digest, repository);
      else if (typeof home === 'object') home.add(repository);
      else if (home !== repository) homes.set(digest, new Set([home, repository]));
    },
  };
}
