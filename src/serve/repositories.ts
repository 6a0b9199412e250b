import type { Catalog, ContentStore } from '../content/contracts.ts';
import { childrenFirst, createGraphReader, tryReadNode } from '../content/image-graph.ts';
import { RegtarError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';

/** A repository as clients see it. */
export interface ServedRepository {
  /** What tags mean, in the order of `tags/list`. */
  readonly tags: ReadonlyMap<string, Digest>;
  /** The same, names alone. */
  readonly tagNames: readonly string[];
  /** A promise where manifests have to be read for the answer. */
  hasManifest(digest: Digest): boolean | Promise<boolean>;
  /** The same. */
  hasBlob(digest: Digest): boolean | Promise<boolean>;
  /** Every manifest that it links or that a tag names, each once. */
  manifests(): Iterable<Digest>;
}

/** All repositories; what they hold is looked up when it is asked for. */
export interface ServedRepositories {
  /** In code point order, which is the order of `_catalog`. */
  readonly names: readonly string[];
  /** undefined where there is none of this name. */
  find(name: string): ServedRepository | undefined;
}

/** Manifests that are read before others get a turn. */
export const readAtOnce = 64;

/** What a repository reaches through its manifests, links or not. */
interface Reach {
  readonly manifests: ReadonlySet<Digest>;
  readonly blobs: ReadonlySet<Digest>;
}

/** Prepares a catalog for lookups. Nothing is read before a repository is asked for. */
export function openRepositories(catalog: Catalog, store: ContentStore): ServedRepositories {
  const names = [...catalog.repositories()];
  const known = new Set(names);
  const opened = new Map<string, ServedRepository>();
  return {
    names,
    find(name) {
      if (!known.has(name)) return undefined;
      let repository = opened.get(name);
      if (repository === undefined) {
        repository = openRepository(catalog, store, name);
        opened.set(name, repository);
      }
      return repository;
    },
  };
}

function openRepository(catalog: Catalog, store: ContentStore, name: string): ServedRepository {
  const tags = new Map(
    [...catalog.tags(name)]
      .sort((left, right) => compareTags(left.tag, right.tag))
      .map(({ tag, digest }): [string, Digest] => [tag, digest]),
  );
  const manifests = new Set<Digest>([...tags.values(), ...catalog.revisions(name)]);
  const layers = new Set(catalog.layers(name));
  let reach: Promise<Reach> | undefined;
  // Links get lost where their blobs do not: what a manifest of the repository names belongs to it. Asked for last,
  // because it reads them all.
  const isReached = async (digest: Digest, kind: keyof Reach): Promise<boolean> => {
    reach ??= reachOf(store, manifests);
    // A source that could not be read may be readable later.
    reach.catch(() => (reach = undefined));
    return (await reach)[kind].has(digest);
  };
  return {
    tags,
    tagNames: [...tags.keys()],
    hasManifest: (digest) => manifests.has(digest) || (isStored(store, digest) && isReached(digest, 'manifests')),
    hasBlob: (digest) => layers.has(digest) || (isStored(store, digest) && isReached(digest, 'blobs')),
    manifests: () => manifests,
  };
}

/** Something that the backup has not at all is no reason to read every manifest of a repository. */
function isStored(store: ContentStore, digest: Digest): boolean {
  return store.stat(digest) !== undefined;
}

async function reachOf(store: ContentStore, roots: Iterable<Digest>): Promise<Reach> {
  const graph = createGraphReader(store);
  const manifests = new Set<Digest>();
  const blobs = new Set<Digest>();
  let read = 0;
  for (const root of roots) {
    if (++read % readAtOnce === 0) await new Promise((resolve) => setImmediate(resolve));
    const node = tryReadNode(graph, root);
    // What cannot be read reaches nothing.
    if (node instanceof RegtarError) continue;
    for (const below of childrenFirst(node)) {
      manifests.add(below.descriptor.digest);
      for (const blob of below.blobs) blobs.add(blob.digest);
    }
  }
  return { manifests, blobs };
}

/** @see OCI distribution-spec v1.1, "Listing Tags": lexical, that is case-insensitive alphanumeric order */
export function compareTags(left: string, right: string): number {
  const [low, high] = [left.toLowerCase(), right.toLowerCase()];
  return low < high ? -1 : low > high ? 1 : left < right ? -1 : left > right ? 1 : 0;
}
