import { RegtarError } from '../errors.ts';
import { childrenFirst, type ManifestNode } from '../content/image-graph.ts';
import type { ContentStore } from '../content/contracts.ts';
import { readManifest } from '../content/read-manifest.ts';
import { digestAlgorithm, digestOf, type Digest } from '../oci/digest.ts';
import { formatPlatform, isUnknownPlatform, platformMatches, type Platform } from '../oci/platform.ts';

/** Which platforms of an image travel. */
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
 * Reduces an image to the platforms asked for. One platform of an index gives that child itself, so its digest stays;
 * several give an index with the other entries taken out, which has a new digest. Attestations follow the image that
 * they speak of.
 * @throws RegtarError PLATFORM_UNAVAILABLE when nothing matches, CHILD_MISSING and the like when the index has it and
 * the backup has not
 */
export function choosePlatforms(
  store: ContentStore,
  root: ManifestNode,
  choice: PlatformChoice,
  name: string,
): ChosenImage {
  if (choice.platforms.length === 0) return { node: root, rewritten: undefined };
  if (root.kind !== 'index') return { node: requireMatch(root, choice.platforms, name), rewritten: undefined };
  // The index of a subject's referrers is about no platform: like an artifact, it stays.
  if (!speaksOfPlatforms(root)) return { node: root, rewritten: undefined };
  if (!choice.sparse) refuseLost(root, choice.platforms, name);
  const kept = keptChildren(root, choice.platforms);
  const images = kept.filter((child) => !isAttestation(child));
  if (images.length === 0) throw unavailable(root, choice.platforms, name);
  const [wanted] = choice.platforms;
  const first = images.find(({ platform }) => platform?.variant === wanted?.variant) ?? images[0];
  if (choice.platforms.length === 1 && !choice.sparse && first !== undefined) {
    return first.kind === 'index' ? choosePlatforms(store, first, choice, name) : { node: first, rewritten: undefined };
  }
  if (kept.length === root.children.length && root.lostChildren.length === 0)
    return { node: root, rewritten: undefined };
  const reduced: ManifestNode = { ...root, children: kept, lostChildren: [] };
  return choice.sparse ? { node: reduced, rewritten: undefined } : rewriteIndex(store, reduced);
}

/**
 * What of images concerns platforms, whether it is there or lost: the rest of an index does not count.
 * @returns for an image: what is left of it, or undefined where it has none of these platforms
 */
export function createNarrower(platforms: readonly Platform[]): (root: ManifestNode) => ManifestNode | undefined {
  const isWanted = (platform: Platform | undefined): boolean =>
    platform !== undefined && platforms.some((wanted) => platformMatches(wanted, platform));
  // Indexes may share children: each is narrowed once.
  const known = new Map<Digest, ManifestNode | undefined>();
  const narrow = (node: ManifestNode): ManifestNode | undefined => {
    if (node.kind !== 'index') return node.platform === undefined || isWanted(node.platform) ? node : undefined;
    if (!speaksOfPlatforms(node)) return node;
    const { digest } = node.descriptor;
    if (known.has(digest)) return known.get(digest);
    const children = keptChildren(node, platforms).flatMap((child) => {
      const kept = isAttestation(child) ? child : narrow(child);
      return kept === undefined ? [] : [kept];
    });
    const lostChildren = node.lostChildren.filter(({ descriptor }) => isWanted(descriptor.platform));
    const isEmpty = children.length + lostChildren.length === 0;
    const narrowed = isEmpty ? undefined : { ...node, children, lostChildren };
    known.set(digest, narrowed);
    return narrowed;
  };
  return narrow;
}

/** Runnable images of an image, for outputs that hold one platform under a name. */
export function runnableImages(root: ManifestNode): readonly ManifestNode[] {
  return childrenFirst(root).filter((node) => node.kind === 'image' && !isAttestation(node));
}

function keptChildren(root: ManifestNode, platforms: readonly Platform[]): readonly ManifestNode[] {
  // Indexes may share children: each index is judged once.
  const judged = new Map<Digest, boolean>();
  const isWanted = (node: ManifestNode): boolean => {
    if (node.kind !== 'index')
      return (
        node.platform !== undefined && platforms.some((wanted) => platformMatches(wanted, node.platform as Platform))
      );
    const known = judged.get(node.descriptor.digest) ?? node.children.some(isWanted);
    judged.set(node.descriptor.digest, known);
    return known;
  };
  const wanted = new Set(
    root.children.filter((child) => !isAttestation(child) && isWanted(child)).map((child) => child.descriptor.digest),
  );
  return root.children.filter(
    (child) => wanted.has(child.descriptor.digest) || wanted.has(attestedDigest(child) as Digest),
  );
}

function speaksOfPlatforms(root: ManifestNode): boolean {
  return (
    childrenFirst(root).some(({ platform }) => platform !== undefined) ||
    root.lostChildren.some(({ descriptor }) => descriptor.platform !== undefined)
  );
}

/** A platform that was asked for and is broken must not go missing in silence. */
function refuseLost(root: ManifestNode, platforms: readonly Platform[], name: string): void {
  for (const { descriptor, problem } of root.lostChildren) {
    const { platform } = descriptor;
    const isWhole = (wanted: Platform): boolean =>
      runnableImages(root).some((node) => node.platform !== undefined && platformMatches(wanted, node.platform));
    if (platform === undefined || !platforms.some((wanted) => platformMatches(wanted, platform) && !isWhole(wanted)))
      continue;
    throw new RegtarError(problem.code, `${name}: ${formatPlatform(platform)}: ${problem.message}`, {
      side: 'source',
      where: { digest: descriptor.digest },
      hint: `it has ${platformsOf(root).join(', ') || 'no other platform'}`,
    });
  }
}

function platformsOf(root: ManifestNode): readonly string[] {
  return [...new Set(runnableImages(root).flatMap((node) => (node.platform ? [formatPlatform(node.platform)] : [])))];
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
  if (node.platform === undefined || platforms.some((wanted) => platformMatches(wanted, node.platform as Platform)))
    return node;
  throw unavailable(node, platforms, name);
}

function unavailable(root: ManifestNode, platforms: readonly Platform[], name: string): RegtarError {
  const has = platformsOf(root);
  return new RegtarError('PLATFORM_UNAVAILABLE', `${name} has no ${platforms.map(formatPlatform).join(' or ')}`, {
    where: { digest: root.descriptor.digest },
    hint: has.length > 0 ? `it has ${has.join(', ')}` : 'it has no runnable image in this backup',
  });
}

function rewriteIndex(store: ContentStore, reduced: ManifestNode): ChosenImage {
  const from = reduced.descriptor.digest;
  const { bytes } = readManifest(store, from);
  const kept = new Set<string>(
    [...reduced.children.map(({ descriptor }) => descriptor), ...reduced.blobs].map(({ digest: each }) => each),
  );
  const json = JSON.parse(Buffer.from(bytes).toString('utf8')) as { manifests: { digest: string }[] };
  const rewritten = Buffer.from(
    stringify({ ...json, manifests: json.manifests.filter(({ digest }) => kept.has(digest)) }, from),
  );
  const digest = digestOf(rewritten, digestAlgorithm(from));
  return {
    node: { ...reduced, descriptor: { ...reduced.descriptor, digest, size: rewritten.length } },
    rewritten: { from, bytes: rewritten },
  };
}

/** JSON.parse takes any depth, JSON.stringify does not. */
function stringify(json: unknown, digest: Digest): string {
  try {
    return JSON.stringify(json);
  } catch (cause) {
    throw new RegtarError('MANIFEST_INVALID', `index ${digest} is nested too deep to take platforms out of it`, {
      where: { digest },
      cause,
    });
  }
}
