import { RegtarError, type ErrorCode } from '../errors.ts';
import { artifactKind } from '../content/artifact-kind.ts';
import type { Catalog, ContentStore } from '../content/contracts.ts';
import {
  childrenFirst,
  imagePlatforms,
  imageProblems,
  type GraphReader,
  type ManifestNode,
  tryReadNode,
} from '../content/image-graph.ts';
import type { Digest } from '../oci/digest.ts';
import { formatPlatform } from '../oci/platform.ts';

/** One digest of one repository, with every tag that names it. Sizes are bytes as stored. */
export interface WeighedImage {
  readonly repository: string;
  readonly tags: readonly string[];
  readonly digest: Digest;
  /** @see artifactKind */
  readonly kind: string;
  readonly platforms: readonly string[];
  /** Everything it needs. */
  readonly bytes: number;
  /** The part that no other image needs. */
  readonly own: number;
  readonly problems: readonly ErrorCode[];
}

/** The images of a repository and what each would free; sizes are in bytes. */
export interface WeighedRepository {
  readonly repository: string;
  readonly images: readonly WeighedImage[];
  /** Needed by several images of this repository and by no other repository. */
  readonly kept: number;
}

/**
 * Who needs which bytes, each blob counted once: `own` of all images, `kept` of all repositories and `common` together
 * are what tags reach.
 */
export interface Weights {
  readonly repositories: readonly WeighedRepository[];
  /** Blobs that several repositories need, by bytes, most first. */
  readonly common: readonly {
    readonly digest: Digest;
    readonly bytes: number;
    readonly repositories: number;
    readonly images: number;
    readonly example: string;
  }[];
}

interface Reach {
  images: number;
  repositories: number;
  lastRepository: number;
  readonly example: string;
}

interface Root {
  readonly digest: Digest;
  readonly tags: string[];
  readonly node: ManifestNode | ErrorCode;
}

/** Follows every tag twice: first to learn who needs each blob, then to weigh. */
export function weighImages(catalog: Catalog, store: ContentStore, graph: GraphReader): Weights {
  const reached = new Map<Digest, Reach>();
  const repositories = [...catalog.repositories()].map((repository, index) => {
    const roots = readRoots(catalog, graph, repository);
    for (const { node, tags, digest } of roots) {
      for (const part of typeof node === 'string' ? [] : partsOf(node)) {
        const reach = reached.get(part);
        if (reach === undefined)
          reached.set(part, {
            images: 1,
            repositories: 1,
            lastRepository: index,
            example: nameOf(repository, tags, digest),
          });
        else {
          reach.images++;
          if (reach.lastRepository !== index) reach.repositories++;
          reach.lastRepository = index;
        }
      }
    }
    return { repository, roots };
  });
  const sizeOf = (digest: Digest): number => store.stat(digest)?.size ?? 0;
  return {
    repositories: repositories.map(({ repository, roots }) => weighRepository(repository, roots, reached, store)),
    common: [...reached]
      .filter(([, { repositories: count }]) => count > 1)
      .map(([digest, { repositories: count, images, example }]) => ({
        digest,
        bytes: sizeOf(digest),
        repositories: count,
        images,
        example,
      }))
      .sort((left, right) => right.bytes - left.bytes || (left.digest < right.digest ? -1 : 1)),
  };
}

function weighRepository(
  repository: string,
  roots: readonly Root[],
  reached: ReadonlyMap<Digest, Reach>,
  store: ContentStore,
): WeighedRepository {
  const sizeOf = (digest: Digest): number => store.stat(digest)?.size ?? 0;
  const kept = new Set<Digest>();
  const images = roots.map(({ digest, tags, node }): WeighedImage => {
    if (typeof node === 'string')
      return { repository, tags, digest, kind: 'unreadable', platforms: [], bytes: 0, own: 0, problems: [node] };
    let bytes = 0;
    let own = 0;
    for (const part of partsOf(node)) {
      const reach = reached.get(part);
      const size = sizeOf(part);
      bytes += size;
      if (reach?.images === 1) own += size;
      else if (reach?.repositories === 1) kept.add(part);
    }
    return {
      repository,
      tags,
      digest,
      kind: artifactKind(store, node, tags[0]).kind,
      platforms: imagePlatforms(node).map(formatPlatform),
      bytes,
      own,
      problems: [...new Set(imageProblems(node, { repository }).map(({ code }) => code))],
    };
  });
  let keptBytes = 0;
  for (const digest of kept) keptBytes += sizeOf(digest);
  return { repository, images, kept: keptBytes };
}

/** `repository:tag` of its first tag. */
export function nameOf(repository: string, tags: readonly string[], digest: Digest): string {
  return tags[0] === undefined ? `${repository}@${digest}` : `${repository}:${tags[0]}`;
}

function readRoots(catalog: Catalog, graph: GraphReader, repository: string): readonly Root[] {
  const roots = new Map<Digest, Root>();
  for (const { tag, digest } of catalog.tags(repository)) {
    const known = roots.get(digest);
    if (known === undefined) roots.set(digest, { digest, tags: [tag], node: tryRead(graph, digest) });
    else known.tags.push(tag);
  }
  return [...roots.values()];
}

function tryRead(graph: GraphReader, digest: Digest): ManifestNode | ErrorCode {
  const node = tryReadNode(graph, digest);
  return node instanceof RegtarError ? node.code : node;
}

/** Each once: an image may use a layer twice. */
function partsOf(root: ManifestNode): ReadonlySet<Digest> {
  const parts = new Set<Digest>();
  for (const node of childrenFirst(root)) {
    parts.add(node.descriptor.digest);
    for (const { digest } of node.blobs) parts.add(digest);
  }
  return parts;
}
