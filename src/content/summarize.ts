import { RegtarError, type Problem } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { DigestMap } from '../oci/digest-map.ts';
import { formatPlatform } from '../oci/platform.ts';
import { compareCodePoints } from '../oci/reference.ts';
import type { Catalog, ContentStore } from './contracts.ts';
import {
  childrenFirst,
  createGraphReader,
  imagePlatforms,
  imageProblems,
  type GraphReader,
  type ManifestNode,
} from './image-graph.ts';

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

export interface RepositorySummary {
  readonly repository: string;
  readonly tags: number;
  /** Everything that its tags reach. */
  readonly bytes: number;
  /** The part that no other repository's tags reach. */
  readonly own: number;
}

/** A blob or manifest that tags reach. */
interface Reach {
  readonly digest: Digest;
  size: number;
  repositories: number;
  lastRepository: number;
  /** One of the images that need it. */
  image: { readonly repository: string; readonly tag: string };
}

const biggestShown = 20;

/** Follows every tag and revision. @param graph share it with whoever reads the same backup next */
export function summarize(
  catalog: Catalog,
  store: ContentStore,
  graph: GraphReader = createGraphReader(store),
): BackupSummary {
  const problems: Problem[] = [...catalog.problems];
  const platforms = new Map<string, number>();
  const reached = new DigestMap<Reach>();
  const revisions = new Set<Digest>();
  const roots = new Set<Digest>();
  const repositories: { name: string; tags: number; parts: Reach[] }[] = [];
  let tags = 0;

  for (const repository of catalog.repositories()) {
    const parts: Reach[] = [];
    const index = repositories.length;
    let count = 0;
    for (const { tag, digest } of catalog.tags(repository)) {
      count++;
      const root = tryRead(graph, digest, { repository, tag }, problems);
      if (root === undefined) continue;
      for (const problem of imageProblems(root, { repository, tag })) problems.push(problem);
      if (!roots.has(digest)) {
        roots.add(digest);
        for (const platform of imagePlatforms(root).map(formatPlatform))
          platforms.set(platform, (platforms.get(platform) ?? 0) + 1);
      }
      const image = { repository, tag };
      for (const part of digestsOf(root, catalog)) {
        const reach = reached.getOrMake(part, (known) => ({
          digest: known,
          size: store.stat(known)?.size ?? 0,
          repositories: 0,
          lastRepository: -1,
          image,
        }));
        if (reach.lastRepository === index) continue;
        reach.repositories++;
        reach.lastRepository = index;
        parts.push(reach);
      }
    }
    tags += count;
    repositories.push({ name: repository, tags: count, parts });
    for (const digest of catalog.revisions(repository)) revisions.add(digest);
  }
  return {
    repositories: repositories.length,
    tags,
    images: roots.size,
    manifests: revisions.size,
    ...countBlobs(catalog, store, graph, reached, revisions),
    platforms: [...platforms]
      .map(([platform, images]) => ({ platform, images }))
      .sort((left, right) => right.images - left.images || compareCodePoints(left.platform, right.platform)),
    perRepository: repositories
      .map(({ name, tags: count, parts }) => ({
        repository: name,
        tags: count,
        bytes: sum(parts),
        own: sum(parts.filter((part) => part.repositories === 1)),
      }))
      .sort((left, right) => right.bytes - left.bytes || compareCodePoints(left.repository, right.repository)),
    biggestLayers: biggest(reached.values()).map(({ digest, size, repositories: count, image }) => ({
      digest,
      size,
      repositories: count,
      image: `${image.repository}:${image.tag}`,
    })),
    problems,
  };
}

function countBlobs(
  catalog: Catalog,
  store: ContentStore,
  graph: GraphReader,
  reached: DigestMap<Reach>,
  revisions: ReadonlySet<Digest>,
): Pick<BackupSummary, 'blobs' | 'bytes'> {
  const sizeOf = (digest: Digest): number => store.stat(digest)?.size ?? 0;
  /** What revisions reach and tags do not. */
  const sizes = new DigestMap<number>();
  for (const digest of revisions) {
    if (reached.has(digest)) continue;
    const root = tryRead(graph, digest, undefined, []);
    for (const part of root === undefined ? [digest] : digestsOf(root, catalog))
      if (!reached.has(part)) sizes.getOrMake(part, sizeOf);
  }
  let blobs = 0;
  let bytes = 0;
  for (const digest of catalog.blobs()) {
    blobs++;
    bytes += sizeOf(digest);
  }
  const referenced = sum(reached.values());
  let untagged = 0;
  for (const size of sizes.values()) untagged += size;
  return { blobs, bytes: { blobs: bytes, referenced, untagged, unreferenced: bytes - referenced - untagged } };
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
    if (!(error instanceof RegtarError)) throw error;
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

/** The biggest, without sorting all of them. */
function biggest(all: Iterable<Reach>): readonly Reach[] {
  const compare = (left: Reach, right: Reach): number =>
    right.size - left.size || compareCodePoints(left.digest, right.digest);
  const kept: Reach[] = [];
  for (const reach of all) {
    const last = kept[biggestShown - 1];
    if (last !== undefined && compare(last, reach) <= 0) continue;
    if (last !== undefined) kept.pop();
    kept.push(reach);
    kept.sort(compare);
  }
  return kept;
}

function sum(parts: Iterable<Reach>): number {
  let total = 0;
  for (const { size } of parts) total += size;
  return total;
}
