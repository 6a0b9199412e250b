import { othersGoOn, type Problem } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { formatPlatform } from '../oci/platform.ts';
import { compareCodePoints } from '../oci/reference.ts';
import { blobNumbersOf } from './blob-numbers.ts';
import type { Catalog, ContentStore } from './contracts.ts';
import { createDigestSet } from './digest-set.ts';
import {
  childrenFirst,
  createGraphReader,
  imagePlatforms,
  imageProblems,
  type GraphReader,
  type ManifestNode,
} from './image-graph.ts';
import { ReachTable } from './reach.ts';

/** A backup at a glance; sizes are bytes as stored, each blob once. */
export interface BackupSummary {
  readonly repositories: number;
  readonly tags: number;
  /** Distinct digests that tags name. */
  readonly images: number;
  /** Manifests that a repository has, tagged or not, each digest once. */
  readonly manifests: number;
  readonly blobs: number;
  readonly bytes: {
    /** Every blob. */
    readonly blobs: number;
    /** What tags reach. */
    readonly referenced: number;
    /** What only untagged revisions reach. */
    readonly untagged: number;
    /** What nothing reaches. */
    readonly unreferenced: number;
  };
  /** How many images run on each platform, most first. */
  readonly platforms: readonly { readonly platform: string; readonly images: number }[];
  /** By bytes, most first. */
  readonly perRepository: readonly RepositorySummary[];
  /** The biggest blobs that tags reach, at most 20. */
  readonly biggestLayers: readonly {
    readonly digest: Digest;
    readonly size: number;
    readonly repositories: number;
    readonly image: string;
  }[];
  readonly problems: readonly Problem[];
}

/** One repository in numbers; sizes are in bytes. */
export interface RepositorySummary {
  readonly repository: string;
  readonly tags: number;
  /** Everything that its tags reach. */
  readonly bytes: number;
  /** The part that no other repository's tags reach. */
  readonly own: number;
}

const biggestShown = 20;

/** Follows every tag and revision. @param graph share it with the next reader of the same backup */
export function summarize(
  catalog: Catalog,
  store: ContentStore,
  graph: GraphReader = createGraphReader(store),
): BackupSummary {
  const problems: Problem[] = [...catalog.problems];
  const platforms = new Map<string, number>();
  const reached = new ReachTable(blobNumbersOf(store));
  const revisions = createDigestSet(store);
  const roots = createDigestSet(store);
  let imageCount = 0;
  let manifests = 0;
  const repositories: { name: string; tags: number }[] = [];
  /** By number of the image. */
  const images: { readonly repositories: number[]; readonly tags: string[] } = { repositories: [], tags: [] };

  for (const repository of catalog.repositories()) {
    const before = images.tags.length;
    for (const { tag, digest } of catalog.tags(repository)) {
      images.repositories.push(repositories.length);
      images.tags.push(tag);
      const root = tryRead(graph, digest, { repository, tag }, problems);
      if (root === undefined) continue;
      for (const problem of imageProblems(root, { repository, tag })) problems.push(problem);
      if (roots.add(digest)) {
        imageCount++;
        for (const platform of imagePlatforms(root).map(formatPlatform))
          platforms.set(platform, (platforms.get(platform) ?? 0) + 1);
      }
      for (const part of digestsOf(root, catalog)) reached.add(part, repositories.length, images.tags.length - 1);
    }
    repositories.push({ name: repository, tags: images.tags.length - before });
    for (const digest of catalog.revisions(repository)) if (revisions.add(digest)) manifests++;
  }
  const own = reached.ownBytes();
  const nameOf = (image: number): string =>
    `${repositories[images.repositories[image] ?? 0]?.name ?? ''}:${images.tags[image] ?? ''}`;
  return {
    repositories: repositories.length,
    tags: images.tags.length,
    images: imageCount,
    manifests,
    ...countBlobs(catalog, store, graph, reached),
    platforms: [...platforms]
      .map(([platform, count]) => ({ platform, images: count }))
      .sort((left, right) => right.images - left.images || compareCodePoints(left.platform, right.platform)),
    perRepository: repositories
      .map(({ name, tags }, number) => ({
        repository: name,
        tags,
        bytes: reached.bytes(number),
        own: own[number] ?? 0,
      }))
      .sort((left, right) => right.bytes - left.bytes || compareCodePoints(left.repository, right.repository)),
    biggestLayers: reached.biggest(biggestShown).map((reach) => ({ ...reach, image: nameOf(reach.image) })),
    problems,
  };
}

function countBlobs(
  catalog: Catalog,
  store: ContentStore,
  graph: GraphReader,
  reached: ReachTable,
): Pick<BackupSummary, 'blobs' | 'bytes'> {
  /** What revisions reach and tags do not. */
  const untagged = new ReachTable(blobNumbersOf(store));
  const seen = createDigestSet(store);
  for (const repository of catalog.repositories()) {
    for (const digest of catalog.revisions(repository)) {
      if (reached.has(digest) || !seen.add(digest)) continue;
      const root = tryRead(graph, digest, undefined, []);
      for (const part of root === undefined ? [digest] : digestsOf(root, catalog))
        if (!reached.has(part)) untagged.add(part, 0, 0);
    }
  }
  let blobs = 0;
  let bytes = 0;
  for (const digest of catalog.blobs()) {
    blobs++;
    bytes += store.stat(digest)?.size ?? 0;
  }
  const referenced = reached.total();
  const unreferenced = bytes - referenced - untagged.total();
  return { blobs, bytes: { blobs: bytes, referenced, untagged: untagged.total(), unreferenced } };
}

function tryRead(
  graph: GraphReader,
  digest: Digest,
  name: { readonly repository: string; readonly tag: string } | undefined,
  problems: Problem[],
): ManifestNode | undefined {
  try {
    return graph.read(digest);
  } catch (error) {
    if (!othersGoOn(error)) throw error;
    if (name !== undefined)
      problems.push({ code: error.code, ...name, digest, message: `${name.repository}:${name.tag}: ${error.message}` });
    return undefined;
  }
}

/** Every manifest and blob of an image under the digest by which it is stored, so that no bytes count twice. */
function digestsOf(root: ManifestNode, { aliases }: Catalog): Digest[] {
  const digests: Digest[] = [];
  for (const node of childrenFirst(root)) {
    digests.push(node.descriptor.digest);
    for (const { digest } of node.blobs) digests.push(aliases?.get(digest) ?? digest);
  }
  return digests;
}
