import type { Catalog, ContentStore } from '../content/contracts.ts';
import { RegtarError } from '../errors.ts';
import { limits } from '../io/limits.ts';
import type { Digest } from '../oci/digest.ts';
import type { CheckedTarget } from './contract.ts';
import { hashBody } from './layout-target.ts';

/** A registry's storage as it lies on disk or in an archive. Its opener closes it. */
export function storageTarget(describe: string, catalog: Catalog, store: ContentStore): CheckedTarget {
  const known = new Map<string, ReadonlyMap<string, Digest>>();
  const tagsOf = (repository: string): ReadonlyMap<string, Digest> => {
    const tags =
      known.get(repository) ?? new Map([...catalog.tags(repository)].map(({ tag, digest }) => [tag, digest]));
    known.set(repository, tags);
    return tags;
  };
  return {
    describe,
    parallel: 2,
    async digestOf({ repository, tag, digest }) {
      if (tag !== undefined) return tagsOf(repository).get(tag);
      for (const revision of catalog.revisions(repository)) if (revision === digest) return revision;
      return undefined;
    },
    async readManifest(_image, digest) {
      const size = store.stat(digest)?.size;
      if (size === undefined) return undefined;
      if (size > limits.manifestBytes)
        throw new RegtarError('MANIFEST_TOO_LARGE', `${digest} has ${size} bytes`, {
          side: 'target',
          where: { digest },
        });
      return store.readSmall(digest);
    },
    statBlob: async (_image, digest) => store.stat(digest)?.size,
    hashBlob: async (_image, digest) => hashBody(store.open(digest), digest),
    placeOf: () => '',
  };
}
