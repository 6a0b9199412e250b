import { setImmediate as nextTurn } from 'node:timers/promises';
import { RegtarError } from '../errors.ts';
import type { Catalog, ContentStore } from '../content/contracts.ts';
import { createDigestSet } from '../content/digest-set.ts';
import { tryReadNode, type GraphReader, type ManifestNode } from '../content/image-graph.ts';
import { unreachedRevisions } from '../content/unreached-revisions.ts';
import type { Digest } from '../oci/digest.ts';

/** Which images are judged. */
export type VerifyFilter = (name: {
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest: string;
}) => boolean;

/** Reduces an image to what of it is judged; undefined leaves it out. */
export type NarrowImage = (root: ManifestNode) => ManifestNode | undefined;

/** Which images are collected, and what of them. */
export interface CollectOptions {
  readonly filter: VerifyFilter | undefined;
  readonly narrow: NarrowImage | undefined;
  readonly signal: AbortSignal | undefined;
}

/** One image with its graph, or with what makes its root unusable. */
export interface VerifiedImage {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
  readonly root: ManifestNode | undefined;
  readonly error: RegtarError | undefined;
}

/** Every tag, every tag whose meaning is lost, and every revision that nothing reaches, by code point. */
export async function collectImages(
  catalog: Catalog,
  store: ContentStore,
  graph: GraphReader,
  { filter, narrow, signal }: CollectOptions,
): Promise<readonly VerifiedImage[]> {
  if (filter === undefined) await readInOrder(catalog, store, graph, signal);
  const images: VerifiedImage[] = [];
  const add = (repository: string, tag: string | undefined, digest: Digest): void => {
    const { root, error } = tryRead(graph, digest);
    const judged = root === undefined || narrow === undefined ? root : narrow(root);
    if (judged !== undefined || root === undefined) images.push({ repository, tag, digest, root: judged, error });
  };
  for (const repository of catalog.repositories()) {
    signal?.throwIfAborted();
    const tags = [...catalog.tags(repository)];
    for (const { tag, digest } of tags) {
      if (filter === undefined || filter({ repository, tag, digest })) add(repository, tag, digest);
    }
    for (const { tag } of catalog.lostTags(repository)) {
      if (filter === undefined || filter({ repository, tag, digest: '' }))
        images.push({ repository, tag, digest: undefined, root: undefined, error: undefined });
    }
    for (const digest of unreachedRevisions(
      graph,
      tags.map((entry) => entry.digest),
      [...catalog.revisions(repository)],
    )) {
      if (filter === undefined || filter({ repository, digest })) add(repository, undefined, digest);
    }
  }
  return images;
}

const readsPerTurn = 256;

/** Manifests lie anywhere on the medium: read as they lie, a spinning disk passes them once. */
async function readInOrder(
  catalog: Catalog,
  store: ContentStore,
  graph: GraphReader,
  signal: AbortSignal | undefined,
): Promise<void> {
  let read = 0;
  for (const digest of manifestsInOrder(catalog, store)) {
    if (read++ % readsPerTurn === 0) await nextTurn();
    signal?.throwIfAborted();
    tryRead(graph, digest);
  }
}

/** Each of a hundred thousand is asked once for its position, not in each comparison. */
function* manifestsInOrder(catalog: Catalog, store: ContentStore): Generator<Digest> {
  const seen = createDigestSet(store);
  const digests: Digest[] = [];
  for (const repository of catalog.repositories())
    for (const digest of catalog.revisions(repository)) if (seen.add(digest)) digests.push(digest);
  const positions = Float64Array.from(digests, (digest) => store.position(digest));
  const order = Uint32Array.from(digests.keys());
  order.sort((left, right) => (positions[left] as number) - (positions[right] as number));
  for (const index of order) yield digests[index] as Digest;
}

function tryRead(graph: GraphReader, digest: Digest): Pick<VerifiedImage, 'root' | 'error'> {
  const root = tryReadNode(graph, digest);
  return root instanceof RegtarError ? { root: undefined, error: root } : { root, error: undefined };
}
