import { othersGoOn, type Problem } from '../errors.ts';
import type { Catalog, ContentStore, LostTag, TagEntry } from '../content/contracts.ts';
import { readManifest } from '../content/read-manifest.ts';
import type { Digest } from '../oci/digest.ts';
import { childManifests, manifestBlobs } from '../oci/manifest.ts';
import { compareCodePoints } from '../oci/reference.ts';
import type { Location } from '../source/backup.ts';
import { createProblemList } from './registry/problem-list.ts';

/** A blob and its place in SOURCE. */
export interface PlacedBlob {
  /** The one string that stands for this digest, so that equal ones need not be kept twice. */
  readonly digest: Digest;
  readonly location: Location | undefined;
  /** Its place in the order of the medium; -1 where it is not there. */
  readonly rank: number;
}

/** Where blobs lie. */
export type Placed = Pick<ReadonlyMap<Digest, PlacedBlob>, 'get' | 'keys'>;

interface Repository {
  /** A tag that was named twice for different images has both. */
  readonly tags: Map<string, Set<Digest>>;
  readonly roots: Set<Digest>;
}

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
  /** What a repository holds follows from its manifests, which are read when they are asked for. */
  catalog(placed: Placed, store: ContentStore, damage: readonly Problem[]): Catalog;
}

/** Collects names. */
export function createNameList(): NameList {
  const repositories = new Map<string, Repository>();
  const named = new Set<Digest>();
  const problems = createProblemList();
  const repositoryOf = (name: string): Repository => {
    const known = repositories.get(name) ?? { tags: new Map(), roots: new Set() };
    repositories.set(name, known);
    return known;
  };
  return {
    report: problems.report,
    name(repository, tag, digest) {
      const { tags, roots } = repositoryOf(repository);
      roots.add(digest);
      named.add(digest);
      if (tag === undefined) return;
      const meanings = tags.get(tag) ?? new Set();
      tags.set(tag, meanings.add(digest));
    },
    lose(repository, tag) {
      const { tags } = repositoryOf(repository);
      if (!tags.has(tag)) tags.set(tag, new Set());
    },
    has: (digest) => named.has(digest),
    repositories: () => repositories.keys(),
    roots: (repository) => repositories.get(repository)?.roots ?? [],
    isEmpty: () => repositories.size === 0,
    catalog(placed, store, damage) {
      reportAmbiguous(repositories, problems.report);
      return catalogOf(repositories, placed, store, [...damage, ...problems.all()]);
    },
  };
}

function reportAmbiguous(repositories: ReadonlyMap<string, Repository>, report: (problem: Problem) => void): void {
  for (const [repository, { tags }] of repositories)
    for (const [tag, meanings] of tags)
      if (meanings.size > 1)
        report({
          code: 'TAG_AMBIGUOUS',
          repository,
          tag,
          message:
            `${repository}:${tag} names ${meanings.size} images: ${[...meanings].slice(0, 10).join(', ')}; ` +
            'choose with --at-digest',
        });
}

function catalogOf(
  repositories: ReadonlyMap<string, Repository>,
  placed: Placed,
  store: ContentStore,
  problems: readonly Problem[],
): Catalog {
  const names = [...repositories.keys()].sort(compareCodePoints);
  const sortedTags = (repository: string): [string, Set<Digest>][] =>
    [...(repositories.get(repository)?.tags ?? [])].sort(([left], [right]) => compareCodePoints(left, right));
  const reached = new Map<string, Reached>();
  const reachedBy = (repository: string): Reached => {
    const known = reached.get(repository) ?? reach(store, repositories.get(repository)?.roots ?? []);
    reached.set(repository, known);
    return known;
  };
  return {
    problems,
    repositories: () => names,
    *tags(repository) {
      for (const [tag, meanings] of sortedTags(repository)) {
        const [digest] = meanings;
        if (digest !== undefined && meanings.size === 1) yield { tag, digest, history: [digest] } satisfies TagEntry;
      }
    },
    *lostTags(repository) {
      for (const [tag, meanings] of sortedTags(repository))
        if (meanings.size !== 1) yield { tag, candidates: [...meanings] } satisfies LostTag;
    },
    revisions: (repository) => [...reachedBy(repository).manifests].sort(compareCodePoints),
    layers: (repository) => reachedBy(repository).blobs,
    blobs: () =>
      [...placed.keys()].sort((left, right) => (placed.get(left)?.rank ?? 0) - (placed.get(right)?.rank ?? 0)),
  };
}

interface Reached {
  readonly manifests: ReadonlySet<Digest>;
  readonly blobs: ReadonlySet<Digest>;
}

/** Everything that manifests name. What cannot be read names nothing; it is reported where it is itself looked at. */
function reach(store: ContentStore, roots: Iterable<Digest>): Reached {
  const manifests = new Set<Digest>();
  const blobs = new Set<Digest>();
  const open = [...roots];
  for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
    if (manifests.has(digest)) continue;
    manifests.add(digest);
    try {
      const { manifest } = readManifest(store, digest);
      for (const child of childManifests(manifest)) if (store.stat(child.digest) !== undefined) open.push(child.digest);
      for (const blob of manifestBlobs(manifest)) if (store.stat(blob.digest) !== undefined) blobs.add(blob.digest);
    } catch (error) {
      if (!othersGoOn(error)) throw error;
    }
  }
  return { manifests, blobs };
}

/** Ranks places in the order of the medium, as `ContentStore.position` gives them. */
export function rankPlaces(places: ReadonlyMap<Digest, Location>): Map<Digest, PlacedBlob> {
  const ordered = [...places].sort(
    ([, left], [, right]) => (left.source ?? 0) - (right.source ?? 0) || left.start - right.start,
  );
  return new Map(ordered.map(([digest, location], rank) => [digest, { digest, location, rank }]));
}
