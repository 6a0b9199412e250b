import { othersGoOn, type Problem } from '../errors.ts';
import type { Catalog, ContentStore, LostTag, TagEntry } from '../content/contracts.ts';
import { readManifest } from '../content/read-manifest.ts';
import { createHeapGuard } from '../io/heap-guard.ts';
import type { Digest } from '../oci/digest.ts';
import { childManifests, manifestBlobs, type Manifest } from '../oci/manifest.ts';
import { compareCodePoints } from '../oci/reference.ts';
import { createProblemList } from './registry/problem-list.ts';

interface Repository {
  /** A tag that was named for different images has a set of them, and one that was lost an empty one. */
  readonly tags: Map<string, Meaning>;
  readonly roots: Set<Digest>;
}

/** A set for each of a million tags takes 200 megabytes. */
type Meaning = Digest | Set<Digest>;

/**
 * Names of images as a format's own documents list them, unlike a registry's storage, which also lists what belongs to
 * whom.
 */
export interface NameList {
  readonly report: (problem: Problem) => void;
  /** @param tag undefined for an image that has none */
  name(repository: string, tag: string | undefined, digest: Digest): void;
  /** A tag whose image is not there or cannot be used. */
  lose(repository: string, tag: string): void;
  /** Whether an image has a name already. */
  has(digest: Digest): boolean;
  repositories(): Iterable<string>;
  /** Roots of a repository's images. */
  roots(repository: string): Iterable<Digest>;
  isEmpty(): boolean;
  /**
   * What a repository holds follows from its manifests, which are read when they are asked for.
   * @param blobs all that SOURCE holds, in the order of the medium
   */
  catalog(blobs: Iterable<Digest>, store: ContentStore, damage: readonly Problem[]): Catalog;
}

/** Collects names. */
export function createNameList(): NameList {
  const repositories = new Map<string, Repository>();
  const named = new Set<Digest>();
  const problems = createProblemList();
  const refuseFullHeap = createHeapGuard('the backup');
  const repositoryOf = (name: string): Repository => {
    const known = repositories.get(name) ?? { tags: new Map(), roots: new Set() };
    repositories.set(name, known);
    return known;
  };
  return {
    report: problems.report,
    name(repository, tag, digest) {
      refuseFullHeap();
      const { tags, roots } = repositoryOf(repository);
      roots.add(digest);
      named.add(digest);
      if (tag === undefined) return;
      const known = tags.get(tag) ?? digest;
      if (known instanceof Set) known.add(digest);
      else tags.set(tag, known === digest ? digest : new Set([known, digest]));
    },
    lose(repository, tag) {
      const { tags } = repositoryOf(repository);
      if (!tags.has(tag)) tags.set(tag, new Set());
    },
    has: (digest) => named.has(digest),
    repositories: () => repositories.keys(),
    roots: (repository) => repositories.get(repository)?.roots ?? [],
    isEmpty: () => repositories.size === 0,
    catalog(blobs, store, damage) {
      reportAmbiguous(repositories, problems.report);
      return catalogOf(repositories, blobs, store, [...damage, ...problems.all()]);
    },
  };
}

function reportAmbiguous(repositories: ReadonlyMap<string, Repository>, report: (problem: Problem) => void): void {
  for (const [repository, { tags }] of repositories)
    for (const [tag, meaning] of tags)
      if (meaning instanceof Set && meaning.size > 1)
        report({
          code: 'TAG_AMBIGUOUS',
          repository,
          tag,
          message:
            `${repository}:${tag} names ${meaning.size} images: ${[...meaning].slice(0, 10).join(', ')}; ` +
            'choose with --at-digest',
        });
}

function catalogOf(
  repositories: ReadonlyMap<string, Repository>,
  blobs: Iterable<Digest>,
  store: ContentStore,
  problems: readonly Problem[],
): Catalog {
  const names = [...repositories.keys()].sort(compareCodePoints);
  const sortedTags = (repository: string): (readonly [string, readonly Digest[]])[] =>
    [...(repositories.get(repository)?.tags ?? [])]
      .sort(([left], [right]) => compareCodePoints(left, right))
      .map(([tag, meaning]) => [tag, meaning instanceof Set ? [...meaning] : [meaning]]);
  const rootsOf = (repository: string): Iterable<Digest> => repositories.get(repository)?.roots ?? [];
  const known = new Map<string, readonly Digest[]>();
  const revisionsOf = (repository: string): readonly Digest[] => {
    const sorted = known.get(repository) ?? [...followManifests(store, rootsOf(repository))].sort(compareCodePoints);
    known.set(repository, sorted);
    return sorted;
  };
  return {
    problems,
    repositories: () => names,
    *tags(repository) {
      for (const [tag, meanings] of sortedTags(repository)) {
        const [digest] = meanings;
        if (digest !== undefined && meanings.length === 1) yield { tag, digest, history: [digest] } satisfies TagEntry;
      }
    },
    *lostTags(repository) {
      for (const [tag, meanings] of sortedTags(repository))
        if (meanings.length !== 1) yield { tag, candidates: meanings } satisfies LostTag;
    },
    revisions: revisionsOf,
    layers: (repository) => blobsOf(store, revisionsOf(repository)),
    blobs: () => blobs,
  };
}

/** Roots and what their indexes name, of what is there. */
function followManifests(store: ContentStore, roots: Iterable<Digest>): ReadonlySet<Digest> {
  const followed = new Set<Digest>();
  const open = [...roots];
  for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
    if (followed.has(digest)) continue;
    followed.add(digest);
    if (store.leaves?.has(digest) === true) continue;
    const manifest = tryRead(store, digest);
    for (const child of manifest === undefined ? [] : childManifests(manifest))
      if (store.stat(child.digest) !== undefined) open.push(child.digest);
  }
  return followed;
}

function blobsOf(store: ContentStore, manifests: Iterable<Digest>): ReadonlySet<Digest> {
  const blobs = new Set<Digest>();
  for (const digest of manifests) {
    const manifest = tryRead(store, digest);
    for (const blob of manifest === undefined ? [] : manifestBlobs(manifest))
      if (store.stat(blob.digest) !== undefined) blobs.add(blob.digest);
  }
  return blobs;
}

/** What cannot be read names nothing; it is reported where it is read for its own sake. */
function tryRead(store: ContentStore, digest: Digest): Manifest | undefined {
  try {
    return readManifest(store, digest).manifest;
  } catch (error) {
    if (othersGoOn(error)) return undefined;
    throw error;
  }
}
