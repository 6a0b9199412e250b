import { RegtarError } from '../errors.ts';
import { childrenFirst, type ManifestNode } from '../content/image-graph.ts';
import type { ContentStore } from '../content/contracts.ts';
import { readManifest } from '../content/read-manifest.ts';
import { digestAlgorithm, digestOf, type Digest } from '../oci/digest.ts';
import { formatPlatform, isUnknownPlatform, platformMatches, type Platform } from '../oci/platform.ts';

export interface PlatformChoice {
  /** Empty keeps everything. */
  readonly platforms: readonly Platform[];
  /** With several platforms: keep the original index and leave the other children out. */
  readonly sparse: boolean;
}

/** An image after the choice; `bytes` are those of a root that exists nowhere in the backup. */
export interface ChosenImage {
  readonly node: ManifestNode;
  readonly rewritten: { readonly from: Digest; readonly bytes: Uint8Array } | undefined;
}

/**
 * Reduces an image to the platforms asked for. One platform of an index gives that child itself, so its digest stays; several give
 * an index with the other entries taken out, which has a new digest. Attestations follow the image that they speak of.
 * @throws RegtarError PLATFORM_UNAVAILABLE when nothing matches
 */
export function choosePlatforms(store: ContentStore, root: ManifestNode, choice: PlatformChoice, name: string): ChosenImage {
  if (choice.platforms.length === 0) return { node: root, rewritten: undefined };
  if (root.kind !== 'index') return { node: requireMatch(root, choice.platforms, name), rewritten: undefined };
  const kept = keptChildren(root, choice.platforms);
  const images = kept.filter((child) => !isAttestation(child));
  if (images.length === 0) throw unavailable(root, choice.platforms, name);
  const [first] = images;
  if (choice.platforms.length === 1 && !choice.sparse && first !== undefined) {
    return first.kind === 'index' ? choosePlatforms(store, first, choice, name) : { node: first, rewritten: undefined };
  }
  if (kept.length === root.children.length && root.lostChildren.length === 0) return { node: root, rewritten: undefined };
  const reduced: ManifestNode = { ...root, children: kept, lostChildren: [] };
  return choice.sparse ? { node: reduced, rewritten: undefined } : rewriteIndex(store, reduced);
}

/** Runnable images of an image, for outputs that hold one platform under a name. */
export function runnableImages(root: ManifestNode): readonly ManifestNode[] {
  return childrenFirst(root).filter((node) => node.kind === 'image' && !isAttestation(node));
}

function keptChildren(root: ManifestNode, platforms: readonly Platform[]): readonly ManifestNode[] {
  const isWanted = (node: ManifestNode): boolean => (node.kind === 'index' ? node.children.some(isWanted) : node.platform !== undefined && platforms.some((wanted) => platformMatches(wanted, node.platform as Platform)));
  const wanted = new Set(root.children.filter((child) => !isAttestation(child) && isWanted(child)).map((child) => child.descriptor.digest));
  return root.children.filter((child) => wanted.has(child.descriptor.digest) || wanted.has(attestedDigest(child) as Digest));
}

function isAttestation(node: ManifestNode): boolean {
  return isUnknownPlatform(node.platform) || attestedDigest(node) !== undefined;
}

/** @see BuildKit, attestation storage: the annotation is on the index's descriptor */
function attestedDigest(node: ManifestNode): string | undefined {
  return node.reference?.annotations?.['vnd.docker.reference.digest'];
}

function requireMatch(node: ManifestNode, platforms: readonly Platform[], name: string): ManifestNode {
  // An artifact has no platform, so no choice of platforms can mean to leave it behind.
  if (node.platform === undefined || platforms.some((wanted) => platformMatches(wanted, node.platform as Platform))) return node;
  throw unavailable(node, platforms, name);
}

function unavailable(root: ManifestNode, platforms: readonly Platform[], name: string): RegtarError {
  const has = [...new Set(runnableImages(root).flatMap((node) => (node.platform ? [formatPlatform(node.platform)] : [])))];
  return new RegtarError('PLATFORM_UNAVAILABLE', `${name} has no ${platforms.map(formatPlatform).join(' or ')}`, { side: 'source', where: { digest: root.descriptor.digest }, hint: has.length > 0 ? `it has ${has.join(', ')}` : 'it has no runnable image in this backup' });
}

function rewriteIndex(store: ContentStore, reduced: ManifestNode): ChosenImage {
  const from = reduced.descriptor.digest;
  const { bytes } = readManifest(store, from);
  const kept = new Set<string>(reduced.children.map((child) => child.descriptor.digest));
  const json = JSON.parse(Buffer.from(bytes).toString('utf8')) as { manifests: { digest: string }[] };
  const rewritten = Buffer.from(JSON.stringify({ ...json, manifests: json.manifests.filter(({ digest }) => kept.has(digest)) }));
  const digest = digestOf(rewritten, digestAlgorithm(from));
  return { node: { ...reduced, descriptor: { ...reduced.descriptor, digest, size: rewritten.length } }, rewritten: { from, bytes: rewritten } };
}
