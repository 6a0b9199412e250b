import { othersGoOn } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { compareCodePoints } from '../oci/reference.ts';
import type { Catalog, ContentStore } from './contracts.ts';
import { childrenFirst, type GraphReader } from './image-graph.ts';
import { findReferrers } from './referrers.ts';

/** Some blobs, manifests included; bytes as stored. */
export interface BlobSet {
  readonly blobs: number;
  readonly bytes: number;
  readonly digests: readonly Digest[];
}

/** A manifest that no tag keeps. */
export interface UntaggedManifest {
  readonly repository: string;
  readonly digest: Digest;
}

/** What one repository has of it. A blob of several repositories counts in each. */
export interface RepositoryGarbage {
  /** undefined for blobs to which no repository has a link. */
  readonly repository: string | undefined;
  readonly untaggedManifests: number;
  readonly untaggedBytes: number;
  readonly unreferencedBlobs: number;
  readonly unreferencedBytes: number;
}

/** What a registry's garbage collection would remove of a storage. */
export interface Garbage {
  /** No manifest of any repository names them: what `registry garbage-collect` removes. */
  readonly unreferenced: BlobSet;
  /** Only manifests without a tag need them: what `--delete-untagged` removes as well. */
  readonly untagged: BlobSet & { readonly manifests: readonly UntaggedManifest[] };
  /** By bytes, most first. */
  readonly repositories: readonly RepositoryGarbage[];
}

/**
 * Finds what nothing reaches, by the rules of Distribution: a manifest counts where its repository has a link to its
 * revision, a tag where it means such a manifest, and children of a kept index are kept. Referrers of what is kept are
 * kept, which Distribution does not do.
 * @see distribution, registry/storage/garbagecollect.go
 */
export function findGarbage(catalog: Catalog, store: ContentStore, graph: GraphReader): Garbage {
  const { revisions, reached } = reachOfRevisions(catalog, graph);
  const { reached: kept, manifests } = reachOfTags(catalog, graph);
  const unreferenced: Digest[] = [];
  const onlyUntagged: Digest[] = [];
  for (const digest of catalog.blobs()) {
    if (kept.has(digest)) continue;
    if (reached.has(digest) || revisions.has(digest)) onlyUntagged.push(digest);
    else unreferenced.push(digest);
  }
  return {
    unreferenced: measure(store, unreferenced),
    untagged: { ...measure(store, onlyUntagged), manifests },
    repositories: byRepository(catalog, store, graph, { unreferenced, onlyUntagged, manifests }),
  };
}

/** How many blobs, and their bytes. */
export function measure(store: ContentStore, digests: readonly Digest[]): BlobSet {
  return {
    blobs: digests.length,
    bytes: digests.reduce((sum, digest) => sum + (store.stat(digest)?.size ?? 0), 0),
    digests,
  };
}

/** What any manifest names, tagged or not. A child counts by its own link. */
function reachOfRevisions(
  catalog: Catalog,
  graph: GraphReader,
): { readonly revisions: ReadonlySet<Digest>; readonly reached: ReadonlySet<Digest> } {
  const revisions = new Set<Digest>();
  const reached = new Set<Digest>();
  for (const repository of catalog.repositories())
    for (const digest of catalog.revisions(repository)) {
      if (revisions.has(digest)) continue;
      revisions.add(digest);
      for (const part of namedBy(catalog, graph, digest)) reached.add(part);
    }
  return { revisions, reached };
}

/** What tags keep, with the referrers of it; and the manifests that they do not keep. */
function reachOfTags(
  catalog: Catalog,
  graph: GraphReader,
): { readonly reached: ReadonlySet<Digest>; readonly manifests: readonly UntaggedManifest[] } {
  const reached = new Set<Digest>();
  const manifests: UntaggedManifest[] = [];
  for (const repository of catalog.repositories()) {
    const revisions = new Set(catalog.revisions(repository));
    const tags = [...catalog.tags(repository)].filter(({ digest }) => revisions.has(digest));
    const marked = new Set<Digest>();
    const mark = (digest: Digest): void => {
      if (marked.has(digest)) return;
      marked.add(digest);
      for (const part of namedBy(catalog, graph, digest)) {
        reached.add(part);
        if (revisions.has(part)) mark(part);
      }
    };
    for (const { digest } of tags) mark(digest);
    const loose = [...revisions].filter((digest) => !marked.has(digest));
    for (const { digest } of findReferrers(graph, [...marked], tags, loose)) mark(digest);
    for (const digest of marked) reached.add(digest);
    for (const digest of loose) if (!marked.has(digest)) manifests.push({ repository, digest });
  }
  return { reached, manifests };
}

/**
 * What one manifest names: its config and layers, or what an index lists, under the digests by which they are stored.
 */
function namedBy({ aliases }: Catalog, graph: GraphReader, digest: Digest): readonly Digest[] {
  try {
    const node = graph.read(digest);
    return [
      ...node.children.map(({ descriptor }) => descriptor.digest),
      ...node.lostChildren.map(({ descriptor }) => descriptor.digest),
      ...node.blobs.map((blob) => aliases?.get(blob.digest) ?? blob.digest),
    ];
  } catch (error) {
    // What cannot be read names nothing; `verify` says so. A registry would stop here.
    if (othersGoOn(error)) return [];
    throw error;
  }
}

function byRepository(
  catalog: Catalog,
  store: ContentStore,
  graph: GraphReader,
  garbage: {
    readonly unreferenced: readonly Digest[];
    readonly onlyUntagged: readonly Digest[];
    readonly manifests: readonly UntaggedManifest[];
  },
): readonly RepositoryGarbage[] {
  const free = new Set(garbage.unreferenced);
  const loose = new Set(garbage.onlyUntagged);
  const linked = new Set<Digest>();
  const rows: RepositoryGarbage[] = [];
  const manifestsOf = new Map<string, Digest[]>();
  for (const { repository, digest } of garbage.manifests)
    (manifestsOf.get(repository) ?? manifestsOf.set(repository, []).get(repository))?.push(digest);
  for (const repository of catalog.repositories()) {
    const manifests = manifestsOf.get(repository) ?? [];
    const needed = manifests.flatMap((digest) => digestsBelow(catalog, graph, digest));
    const mine = new Set(needed.filter((part) => loose.has(part)));
    const unreferenced = [...catalog.layers(repository)].filter((digest) => free.has(digest));
    for (const digest of unreferenced) linked.add(digest);
    if (manifests.length + unreferenced.length > 0)
      rows.push(rowOf(store, repository, manifests.length, [...mine], unreferenced));
  }
  const alone = garbage.unreferenced.filter((digest) => !linked.has(digest));
  if (alone.length > 0) rows.push(rowOf(store, undefined, 0, [], alone));
  const bytesOf = (row: RepositoryGarbage): number => row.untaggedBytes + row.unreferencedBytes;
  return rows.sort(
    (left, right) => bytesOf(right) - bytesOf(left) || compareCodePoints(left.repository ?? '', right.repository ?? ''),
  );
}

function rowOf(
  store: ContentStore,
  repository: string | undefined,
  untaggedManifests: number,
  untagged: readonly Digest[],
  unreferenced: readonly Digest[],
): RepositoryGarbage {
  return {
    repository,
    untaggedManifests,
    untaggedBytes: measure(store, untagged).bytes,
    unreferencedBlobs: unreferenced.length,
    unreferencedBytes: measure(store, unreferenced).bytes,
  };
}

/**
 * Everything that an image needs, itself included, under the digests by which it is stored; itself alone where it
 * cannot be read.
 */
export function digestsBelow({ aliases }: Catalog, graph: GraphReader, digest: Digest): readonly Digest[] {
  try {
    return childrenFirst(graph.read(digest)).flatMap((node) => [
      node.descriptor.digest,
      ...node.blobs.map((blob) => aliases?.get(blob.digest) ?? blob.digest),
    ]);
  } catch (error) {
    if (othersGoOn(error)) return [digest];
    throw error;
  }
}
