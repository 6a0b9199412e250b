import { RegtarError, type Problem } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { formatPlatform } from '../oci/platform.ts';
import { compareCodePoints } from '../oci/reference.ts';
import type { Catalog, ContentStore } from './contracts.ts';
import { childrenFirst, createGraphReader, imagePlatforms, imageProblems, type GraphReader, type ManifestNode } from './image-graph.ts';

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
  readonly biggestLayers: readonly { readonly digest: Digest; readonly size: number; readonly repositories: number; readonly image: string }[];
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

interface Reach {
  repositories: number;
  lastRepository: number;
  image: string;
}

/** Follows every tag and revision. @param graph share it with whoever reads the same backup next */
export function summarize(catalog: Catalog, store: ContentStore, graph: GraphReader = createGraphReader(store)): BackupSummary {
  const problems: Problem[] = [...catalog.problems];
  const platforms = new Map<string, number>();
  const reached = new Map<Digest, Reach>();
  const revisions = new Set<Digest>();
  const roots = new Set<Digest>();
  const repositories: { name: string; tags: number; digests: Digest[] }[] = [];
  let tags = 0;

  for (const repository of catalog.repositories()) {
    const digests: Digest[] = [];
    const index = repositories.length;
    let count = 0;
    for (const { tag, digest } of catalog.tags(repository)) {
      count++;
      const root = tryRead(graph, digest, { repository, tag }, problems);
      if (root === undefined) continue;
      for (const problem of imageProblems(root, { repository, tag })) problems.push(problem);
      if (!roots.has(digest)) {
        roots.add(digest);
        for (const platform of imagePlatforms(root).map(formatPlatform)) platforms.set(platform, (platforms.get(platform) ?? 0) + 1);
      }
      for (const part of digestsOf(root)) {
        const reach = reached.get(part);
        if (reach === undefined) reached.set(part, { repositories: 1, lastRepository: index, image: `${repository}:${tag}` });
        else if (reach.lastRepository === index) continue;
        else {
          reach.repositories++;
          reach.lastRepository = index;
        }
        digests.push(part);
      }
    }
    tags += count;
    repositories.push({ name: repository, tags: count, digests });
    for (const digest of catalog.revisions(repository)) revisions.add(digest);
  }
  const sizeOf = (digest: Digest): number => store.stat(digest)?.size ?? 0;
  return {
    repositories: repositories.length,
    tags,
    images: roots.size,
    manifests: revisions.size,
    ...countBlobs(catalog, store, graph, reached, revisions),
    platforms: [...platforms].map(([platform, images]) => ({ platform, images })).sort((left, right) => right.images - left.images || compareCodePoints(left.platform, right.platform)),
    perRepository: repositories
      .map(({ name, tags: count, digests }) => ({ repository: name, tags: count, bytes: sum(digests.map(sizeOf)), own: sum(digests.filter((digest) => reached.get(digest)?.repositories === 1).map(sizeOf)) }))
      .sort((left, right) => right.bytes - left.bytes || compareCodePoints(left.repository, right.repository)),
    biggestLayers: [...reached]
      .map(([digest, { repositories: count, image }]) => ({ digest, size: sizeOf(digest), repositories: count, image }))
      .sort((left, right) => right.size - left.size || compareCodePoints(left.digest, right.digest))
      .slice(0, 20),
    problems,
  };
}

function countBlobs(catalog: Catalog, store: ContentStore, graph: GraphReader, reached: ReadonlyMap<Digest, Reach>, revisions: ReadonlySet<Digest>): Pick<BackupSummary, 'blobs' | 'bytes'> {
  const byRevisions = new Set<Digest>();
  for (const digest of revisions) {
    if (reached.has(digest)) continue;
    const root = tryRead(graph, digest, undefined, []);
    for (const part of root === undefined ? [digest] : digestsOf(root)) byRevisions.add(part);
  }
  const bytes = { blobs: 0, referenced: 0, untagged: 0, unreferenced: 0 };
  let blobs = 0;
  for (const digest of catalog.blobs()) {
    const size = store.stat(digest)?.size ?? 0;
    blobs++;
    bytes.blobs += size;
    if (reached.has(digest)) bytes.referenced += size;
    else if (byRevisions.has(digest)) bytes.untagged += size;
    else bytes.unreferenced += size;
  }
  return { blobs, bytes };
}

function tryRead(graph: GraphReader, digest: Digest, name: { readonly repository: string; readonly tag: string } | undefined, problems: Problem[]): ManifestNode | undefined {
  try {
    return graph.read(digest);
  } catch (error) {
    if (!(error instanceof RegtarError)) throw error;
    if (name !== undefined) problems.push({ code: error.code, ...name, digest, message: `${name.repository}:${name.tag}: ${error.message}` });
    return undefined;
  }
}

function digestsOf(root: ManifestNode): Digest[] {
  return childrenFirst(root).flatMap((node) => [node.descriptor.digest, ...node.blobs.map((blob: Descriptor) => blob.digest)]);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
