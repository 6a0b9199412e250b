import { othersGoOn, RegtarError, type Problem } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseImageConfig } from '../oci/image-config.ts';
import { childManifests, manifestBlobs, type ImageManifest, type Manifest } from '../oci/manifest.ts';
import { isForeignLayerType, isImageConfigType, isSchema1Type } from '../oci/media-types.ts';
import { isUnknownPlatform, type Platform } from '../oci/platform.ts';
import { formatImageReference, type ImageName } from '../oci/reference.ts';
import { createHeapGuard } from '../io/heap-guard.ts';
import { limits } from '../io/limits.ts';
import type { ContentStore } from './contracts.ts';
import { blobNumbersOf } from './blob-numbers.ts';
import { createCompactor, type Compactor } from './compact.ts';
import { createDigestKeys, type DigestKey } from './digest-key.ts';
import type { ManifestNode } from './manifest-node.ts';
import { createNodePacker, withReference, type NodePacker } from './packed-nodes.ts';
import { readManifest } from './read-manifest.ts';

export type { ManifestNode };

/** An index inside an index inside an index: deeper than this is an attack. */
const deepestNesting = 16;

/** Reads manifests with everything below them, each once. */
export interface GraphReader {
  /**
   * @throws RegtarError what makes the root itself unusable: BLOB_MISSING, BLOB_CORRUPT, BLOB_UNREADABLE,
   * MANIFEST_INVALID, MANIFEST_TOO_LARGE, MANIFEST_CYCLE; SOURCE_CHANGED; MEMORY_FULL
   */
  read(digest: Digest): ManifestNode;
}

/**
 * Reads manifests and configs, each once, however many images share them.
 * @param options.mostNodes when more are kept, all are forgotten before the next root is read: for callers that look at
 * each image once.
 * Never in the middle of a graph, whose indexes may share their children. @defaultValue Infinity
 */
export function createGraphReader(store: ContentStore, options: { readonly mostNodes?: number } = {}): GraphReader {
  const { mostNodes = Infinity } = options;
  const numbers = blobNumbersOf(store);
  const refuseFullHeap = createHeapGuard(store.describe ?? 'the backup', 'MEMORY_FULL');
  const keyOf = createDigestKeys(numbers);
  const known = new Map<DigestKey, ManifestNode | RegtarError>();
  // What is let go of soon is not worth the work of making it small.
  const { compact, compactPlatform } = mostNodes === Infinity ? createCompactor(numbers) : asTheyAre;
  const packer = mostNodes === Infinity ? createNodePacker(numbers) : asTheyAre;

  const readNode = (digest: Digest, expected: Descriptor | undefined, above: readonly Digest[]): ManifestNode => {
    if (above.includes(digest) || above.length > deepestNesting) {
      throw tooDeep(above[0] ?? digest);
    }
    const key = keyOf(digest);
    const earlier = known.get(key);
    if (earlier instanceof RegtarError) throw earlier;
    if (earlier !== undefined) return earlier;
    try {
      const node = packer.pack(build(digest, expected, above));
      known.set(key, node);
      return node;
    } catch (error) {
      // A cycle is a cycle from where it was entered only.
      if (othersGoOn(error) && error.code !== 'MANIFEST_CYCLE') known.set(key, error);
      throw error;
    }
  };

  const build = (digest: Digest, expected: Descriptor | undefined, above: readonly Digest[]): ManifestNode => {
    refuseFullHeap();
    const { descriptor, manifest } = readManifest(store, digest, expected?.mediaType);
    const children: ManifestNode[] = [];
    const lostChildren: { descriptor: Descriptor; problem: Problem }[] = [];
    for (const child of childManifests(manifest)) {
      const loss = isAbsent(child.digest) ? childMissing(child) : readChild(child, [...above, digest], children);
      if (loss !== undefined) lostChildren.push({ descriptor: child, problem: loss });
    }
    const named = manifestBlobs(manifest).map(compact);
    const config = manifest.kind === 'image' && manifest.config !== undefined ? named[0] : undefined;
    const platform = platformOf(store, config) ?? statedPlatform(manifest) ?? expected?.platform;
    return {
      descriptor: compact(descriptor),
      kind: manifest.kind,
      children: exact(children),
      lostChildren: exact(lostChildren),
      ...sortByPresence(store, named),
      config,
      layers: manifest.kind === 'image' ? layersOf(manifest, named) : none,
      platform: platform && compactPlatform(platform),
      subject: manifest.subject,
      levelsBelow: children.reduce((most, child) => Math.max(most, child.levelsBelow + 1), 0),
      annotations: manifest.kind === 'schema1' ? noAnnotations : manifest.annotations,
    };
  };

  // An index may name tens of thousands of children that are not there: an error with its stack for each would fill the
  // heap.
  const isAbsent = (digest: Digest): boolean => store.stat(digest) === undefined;

  /** @returns what makes the child unusable, or undefined when it was added to `children` */
  const readChild = (child: Descriptor, above: readonly Digest[], children: ManifestNode[]): Problem | undefined => {
    try {
      const node = readNode(child.digest, child, above);
      // By what lies below, not by how it was reached: a node that is known already ends the walk early.
      if (node.levelsBelow + 1 > deepestNesting) throw tooDeep(child.digest);
      children.push(withReference(node, compact(child)));
      return undefined;
    } catch (error) {
      if (!othersGoOn(error)) throw error;
      return { code: error.code, digest: child.digest, message: error.message };
    }
  };

  return {
    read(digest) {
      // What callers keep of each image grows as well.
      refuseFullHeap();
      if (known.size > mostNodes) known.clear();
      return readNode(digest, undefined, []);
    },
  };
}

const asTheyAre: Compactor & NodePacker = {
  compact: (descriptor) => descriptor,
  compactPlatform: (platform) => platform,
  pack: (node) => node,
};
const none: readonly never[] = [];
const noAnnotations: Readonly<Record<string, string>> = {};

/** An array that grew has room for more than it holds, and most are empty: backups have a hundred thousand nodes. */
function exact<Item>(items: readonly Item[]): readonly Item[] {
  return items.length === 0 ? none : items.slice();
}

/** Layers as the manifest has them, repetitions included, with the objects that `named` has already. */
function layersOf(manifest: ImageManifest, named: readonly Descriptor[]): readonly Descriptor[] {
  const own = manifest.config === undefined ? named : named.slice(1);
  if (own.length === manifest.layers.length) return own;
  const byDigest = new Map(named.map((blob) => [blob.digest, blob]));
  return manifest.layers.map((layer) => byDigest.get(layer.digest) ?? layer);
}

function sortByPresence(
  store: ContentStore,
  named: readonly Descriptor[],
): Pick<ManifestNode, 'blobs' | 'missing' | 'foreign'> {
  const blobs: Descriptor[] = [];
  const missing: Descriptor[] = [];
  const foreign: Descriptor[] = [];
  for (const blob of named) {
    const stored = store.stat(blob.digest);
    if (stored !== undefined) blobs.push(blob.size < 0 ? { ...blob, size: stored.size } : blob);
    else if (isForeignLayerType(blob.mediaType) || (blob.urls !== undefined && blob.urls.length > 0))
      foreign.push(blob);
    else missing.push(blob);
  }
  return { blobs: exact(blobs), missing: exact(missing), foreign: exact(foreign) };
}

function statedPlatform(manifest: Manifest): Platform | undefined {
  return manifest.kind === 'schema1' && manifest.architecture
    ? { os: 'linux', architecture: manifest.architecture }
    : undefined;
}

function tooDeep(digest: Digest): RegtarError {
  const message = `index ${digest} contains itself or nests deeper than ${deepestNesting}`;
  return new RegtarError('MANIFEST_CYCLE', message, { where: { digest } });
}

function childMissing({ digest }: Descriptor): Problem {
  return { code: 'CHILD_MISSING', digest, message: `blob ${digest} is not in the backup` };
}

/** Every manifest that an image consists of, each once, children before parents, the root last. */
export function childrenFirst(root: ManifestNode): readonly ManifestNode[] {
  if (root.children.length === 0) return [root];
  const seen = new Map<Digest, ManifestNode>();
  const visit = (node: ManifestNode): void => {
    if (seen.has(node.descriptor.digest)) return;
    node.children.forEach(visit);
    seen.set(node.descriptor.digest, node);
  };
  visit(root);
  return [...seen.values()];
}

/** Every blob that an image needs and the backup has, each once. */
export function imageBlobs(root: ManifestNode): readonly Descriptor[] {
  const seen = new Map<Digest, Descriptor>();
  for (const node of childrenFirst(root))
    for (const blob of node.blobs) if (!seen.has(blob.digest)) seen.set(blob.digest, blob);
  return [...seen.values()];
}

/**
 * Reads a root that may be broken.
 * @returns what makes it unusable in its place
 * @throws what ends everything: SOURCE_CHANGED, and bugs. @see othersGoOn
 */
export function tryReadNode(graph: GraphReader, digest: Digest): ManifestNode | RegtarError {
  try {
    return graph.read(digest);
  } catch (error) {
    if (!othersGoOn(error)) throw error;
    return error;
  }
}

/** Everything that an image lacks. Foreign layers do not count: they are absent on purpose. */
export function imageProblems(root: ManifestNode, name: ImageName): readonly Problem[] {
  const nodes = childrenFirst(root).filter(({ lostChildren, missing }) => lostChildren.length + missing.length > 0);
  if (nodes.length === 0) return none;
  const { repository, tag } = name;
  const place = { repository, tag };
  const title = formatImageReference({ ...place, digest: root.descriptor.digest });
  return nodes.flatMap((node): Problem[] => [
    ...node.lostChildren.map(({ descriptor, problem }) => ({
      ...problem,
      ...place,
      message: `${title}: ${descriptor.platform ? `${descriptor.platform.os}/${descriptor.platform.architecture}: ` : ''}${problem.message}`,
    })),
    ...node.missing.map((blob): Problem => ({
      code: 'BLOB_MISSING',
      ...place,
      digest: blob.digest,
      message: `${title} needs ${blob.digest}, which is not in the backup`,
    })),
  ]);
}

/** Platforms of the runnable images in an image, in its order, without duplicates. */
export function imagePlatforms(root: ManifestNode): readonly Platform[] {
  const seen = new Map<string, Platform>();
  for (const node of childrenFirst(root)) {
    if (node.kind !== 'index' && node.platform !== undefined && !isUnknownPlatform(node.platform))
      seen.set(JSON.stringify(node.platform), node.platform);
  }
  return [...seen.values()];
}

/** Whether a manifest is docker's first format, signed or not. */
export function isSchema1(node: ManifestNode): boolean {
  return node.kind === 'schema1' || isSchema1Type(node.descriptor.mediaType);
}

function platformOf(store: ContentStore, config: Descriptor | undefined): Platform | undefined {
  if (config === undefined || !isImageConfigType(config.mediaType)) return undefined;
  const size = store.stat(config.digest)?.size;
  if (size === undefined || size > limits.configBytes) return undefined;
  try {
    return parseImageConfig(store.readSmall(config.digest))?.platform;
  } catch (error) {
    // A read of the config as a blob meets the bad sector again and says so.
    if (error instanceof RegtarError && error.code === 'SOURCE_UNREADABLE') return undefined;
    throw error;
  }
}
