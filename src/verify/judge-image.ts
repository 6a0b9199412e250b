import type { ContentStore } from '../content/contracts.ts';
import { createDigestKeys, type DigestKey } from '../content/digest-key.ts';
import type { ManifestNode } from '../content/image-graph.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { formatPlatform, isUnknownPlatform, type Platform } from '../oci/platform.ts';
import type { ImageState } from './verify-report.ts';

/** What an image is worth, and its platforms. */
export interface Judgement {
  readonly state: ImageState;
  readonly platforms: { readonly whole: readonly string[]; readonly lost: readonly string[] };
}

/** Judges images by their graphs. Manifests are shared by many images: each is judged once. */
export function createJudge(
  store: ContentStore,
  isCorrupt: (digest: Digest) => boolean,
): (root: ManifestNode) => Judgement {
  const keyOf = createDigestKeys(store.numbers);
  const known = new Map<DigestKey, ImageState>();

  const stateOf = (node: ManifestNode): ImageState => {
    const { digest } = node.descriptor;
    const key = keyOf(digest);
    let state = known.get(key);
    if (state === undefined) {
      state = isCorrupt(digest) ? 'lost' : node.kind === 'index' ? indexState(node) : ownState(node);
      known.set(key, state);
    }
    return state;
  };

  const ownState = ({ missing, blobs }: ManifestNode): ImageState => {
    if (!blobs.every((blob) => !isCorrupt(blob.digest) && hasSize(store, blob))) return 'lost';
    if (missing.length === 0) return 'whole';
    return missing.every(({ digest }) => store.absent?.volumeOf(digest) !== undefined) ? 'elsewhere' : 'lost';
  };

  const indexState = (node: ManifestNode): ImageState => {
    const states = node.children.map(stateOf);
    const all = [ownState(node), ...states];
    if (node.lostChildren.length === 0 && all.every((state) => state === 'whole' || state === 'elsewhere'))
      return all.includes('elsewhere') ? 'elsewhere' : 'whole';
    // An attestation alone is nothing that anybody could run.
    return node.children.some((child, index) => states[index] !== 'lost' && !isUnknownPlatform(child.platform))
      ? 'partial'
      : 'lost';
  };

  const collect = (root: ManifestNode, whole: Set<string>, lost: Set<string>): void => {
    // Children may be shared: each is visited once below a sound index, and once more below a damaged one.
    const seen = { sound: new Set<Digest>(), damaged: new Set<Digest>() };
    const visit = (node: ManifestNode, isLost: boolean): void => {
      const visited = isLost ? seen.damaged : seen.sound;
      const key = node.descriptor.digest;
      if (node.kind !== 'index') addPlatform(node.platform, isLost || stateOf(node) === 'lost' ? lost : whole);
      if (visited.has(key)) return;
      visited.add(key);
      for (const child of node.children) visit(child, isLost || isCorrupt(key));
      for (const { descriptor } of node.lostChildren) addPlatform(descriptor.platform, lost);
    };
    visit(root, false);
  };

  return (root) => {
    const whole = new Set<string>();
    const lost = new Set<string>();
    collect(root, whole, lost);
    return {
      state: stateOf(root),
      platforms: { whole: [...whole], lost: [...lost].filter((platform) => !whole.has(platform)) },
    };
  };
}

/** Whether a blob has the size that its descriptor says; schema1 says none. */
export function hasSize(store: ContentStore, blob: Descriptor): boolean {
  return blob.size < 0 || store.stat(blob.digest)?.size === blob.size;
}

function addPlatform(platform: Platform | undefined, to: Set<string>): void {
  if (platform !== undefined && !isUnknownPlatform(platform)) to.add(formatPlatform(platform));
}
