import { RegtarError } from '../errors.ts';
import type { PlacedBlobs } from '../formats/registry/placed-blobs.ts';
import { digestAlgorithm, type Digest } from '../oci/digest.ts';
import { blobMissing, type BlobPlaces } from './blob-places.ts';

/** Blobs as files of the target's own storage, and what was done to it. */
export interface PlacedLayers extends BlobPlaces {
  /** What this run has placed. */
  readonly placed: ReadonlySet<Digest>;
}

/**
 * Brings blobs into the storage that a registry serves: the file, then the link that lets a repository serve it.
 * @param api for what a storage would need another name for: Distribution keeps a blob of any other digest under its
 * sha256
 */
export function createPlacedLayers(blobs: PlacedBlobs, api: BlobPlaces): PlacedLayers {
  const placed = new Set<Digest>();
  const isPlaceable = (digest: Digest): boolean => digestAlgorithm(digest) === 'sha256';
  return {
    ...api,
    placed,
    async put(blob, repository, open, write) {
      if (!isPlaceable(blob.digest)) return api.put(blob, repository, open, write);
      const outcome = await blobs.put(blob, open, write, repository);
      if (outcome !== 'present') placed.add(blob.digest);
      const link = await blobs.link(repository, blob.digest);
      if (outcome === 'server-copied') return outcome;
      return outcome === 'written' ? 'placed' : link === 'written' ? 'mounted' : 'present';
    },
    async adopt(blob, repository, write) {
      if (!isPlaceable(blob.digest) || !(await blobs.has(blob, write))) return api.adopt(blob, repository, write);
      return (await blobs.link(repository, blob.digest)) === 'written' ? 'mounted' : 'present';
    },
  };
}

/**
 * For a target that has all blobs already: nothing is ever sent.
 * @param blobs where its storage is at hand, so that blobs can be looked for and linked; otherwise the registry says
 * what it does not know
 */
export function createAdoptedLayers(
  registry: Parameters<typeof blobMissing>[0],
  api: BlobPlaces,
  blobs: PlacedBlobs | undefined,
): BlobPlaces {
  const adopt: BlobPlaces['adopt'] = async (blob, repository, write) => {
    if (blobs === undefined || digestAlgorithm(blob.digest) !== 'sha256') return 'present';
    if (!(await blobs.has(blob, write))) throw blobMissing(registry, repository, [blob.digest]);
    return (await blobs.link(repository, blob.digest)) === 'written' ? 'mounted' : 'present';
  };
  return {
    ...api,
    adopt,
    put: (blob, repository, _open, write) => adopt(blob, repository, write),
    upload: async (blob, repository) => {
      throw new RegtarError(
        'INTERNAL',
        `${blob.digest} was to be sent to ${repository}, and --in-place sends nothing`,
        {
          where: { repository, digest: blob.digest },
        },
      );
    },
  };
}
