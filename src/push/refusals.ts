import { RegtarError } from '../errors.ts';
import type { ImageTarget } from '../content/contracts.ts';
import { childrenFirst, type ManifestNode } from '../content/image-graph.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { formatImageReference } from '../oci/reference.ts';
import { isForeignLayerType } from '../oci/media-types.ts';

/** Why Harbor cannot hold an image of this content, or undefined. */
export function refuseContent(node: ManifestNode, target: ImageTarget, host: string): RegtarError | undefined {
  const nodes = childrenFirst(node);
  const name = formatImageReference({ ...target, digest: target.root.digest });
  const refuse = (code: 'FOREIGN_LAYER' | 'MANIFEST_UNSUPPORTED', message: string): RegtarError =>
    new RegtarError(code, `${name} ${message}, which ${host} refuses`, {
      where: { repository: target.repository, tag: target.tag, digest: target.root.digest },
      hint: 'export it with --format oci, dir or registry',
    });
  // Harbor looks for an artifact behind each entry and answers 404.
  if (nodes.some((each) => each.kind === 'index' && each.blobs.length + each.missing.length > 0))
    return refuse('MANIFEST_UNSUPPORTED', 'is an index of layers (a BuildKit cache)');
  const homeless = nodes.flatMap(({ layers }) => layers).find(isHomeless);
  return homeless && refuse('FOREIGN_LAYER', `has the foreign layer ${homeless.digest} without a url to get it from`);
}

/** Harbor answers 500 for good to docker's foreign layers that do not say where their bytes are. */
function isHomeless({ mediaType, urls }: Descriptor): boolean {
  return (
    mediaType.includes('.docker.') &&
    isForeignLayerType(mediaType) &&
    !urls?.some((url) => /^https?:\/\/[^#]+$/.test(url))
  );
}
