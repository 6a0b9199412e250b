import { targetName } from '../content/target-name.ts';
import { RegtarError } from '../errors.ts';
import type { ContentStore, ImageTarget } from '../content/contracts.ts';
import { childrenFirst, type ManifestNode } from '../content/image-graph.ts';
import { refuseConfig } from '../harbor/config-rules.ts';
import { limits } from '../io/limits.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestAlgorithm, digestOf, type Digest } from '../oci/digest.ts';
import { isForeignLayerType } from '../oci/media-types.ts';

/** Why Harbor cannot hold an image of this content, or undefined. */
export function refuseContent(node: ManifestNode, target: ImageTarget, host: string): RegtarError | undefined {
  const nodes = childrenFirst(node);
  const name = targetName(target);
  const refuse = (code: 'FOREIGN_LAYER' | 'MANIFEST_UNSUPPORTED', message: string): RegtarError =>
    new RegtarError(code, `${name} ${message}, which ${host} refuses`, {
      where: { repository: target.repository, tag: target.tag, digest: target.root.digest },
      hint: 'export it with --format oci, dir or registry',
    });
  // Harbor looks for an artifact behind each entry and answers 404.
  if (nodes.some((each) => each.kind === 'index' && each.blobs.length + each.missing.length > 0))
    return refuse('MANIFEST_UNSUPPORTED', 'is an index of layers (a BuildKit cache)');
  // The registry behind it stores manifests by sha256, and answers 400 to any other digest; a tag gets a sha256 one.
  const other = nodes.find(
    (each) => (each !== node || target.tag === undefined) && digestAlgorithm(each.descriptor.digest) !== 'sha256',
  );
  if (other !== undefined)
    return refuse('MANIFEST_UNSUPPORTED', `needs manifest ${other.descriptor.digest} by a digest that is not sha256`);
  const homeless = nodes.flatMap(({ layers }) => layers).find(isHomeless);
  return homeless && refuse('FOREIGN_LAYER', `has the foreign layer ${homeless.digest} without a url to get it from`);
}

/**
 * Looks at configs before Harbor does, which answers 500 for good to those that it cannot read.
 * @param store what the images are made of
 * @returns why Harbor cannot hold an image, or undefined; each config is read once, however many images share it
 */
export function createConfigCheck(
  store: ContentStore,
  host: string,
): (node: ManifestNode, target: ImageTarget) => RegtarError | undefined {
  const known = new Map<Digest, string | undefined>();
  const reasonOf = (node: ManifestNode): string | undefined => {
    const { digest, artifactType } = node.descriptor;
    if (node.config === undefined || known.has(digest)) return known.get(digest);
    const bytes = readConfig(store, node.config.digest);
    const facts = { configType: node.config.mediaType, artifactType, annotations: node.annotations };
    const reason = bytes && refuseConfig(bytes, facts);
    known.set(digest, reason && `its config ${node.config.digest} ${reason}`);
    return known.get(digest);
  };
  return (node, target) => {
    for (const each of childrenFirst(node)) {
      const reason = reasonOf(each);
      if (reason === undefined) continue;
      const name = targetName(target);
      return new RegtarError('MANIFEST_UNSUPPORTED', `${host} cannot read ${name}: ${reason}`, {
        where: { repository: target.repository, tag: target.tag, digest: target.root.digest },
        hint:
          'Harbor refuses it every time: leave it out with --exclude, or export it with --format oci, dir or ' +
          'registry',
      });
    }
    return undefined;
  };
}

/** @returns undefined for what is not here, or too large to be a config; copying tells what is damaged */
function readConfig(store: ContentStore, digest: Digest): Uint8Array | undefined {
  const size = store.stat(digest)?.size;
  if (size === undefined || size > limits.configBytes) return undefined;
  try {
    const bytes = store.readSmall(digest);
    return digestOf(bytes, digestAlgorithm(digest)) === digest ? bytes : undefined;
  } catch (error) {
    if (error instanceof RegtarError && error.code !== 'SOURCE_CHANGED') return undefined;
    throw error;
  }
}

/** Harbor answers 500 for good to docker's foreign layers that do not say where their bytes are. */
function isHomeless({ mediaType, urls }: Descriptor): boolean {
  return (
    mediaType.includes('.docker.') &&
    isForeignLayerType(mediaType) &&
    !urls?.some((url) => /^https?:\/\/[^#]+$/.test(url))
  );
}
