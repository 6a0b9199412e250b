import { RegtarError } from '../errors.ts';
import type { ImageTarget } from '../content/contracts.ts';
import { childrenFirst, type ManifestNode } from '../content/image-graph.ts';
import { formatImageReference } from '../oci/reference.ts';
import { isForeignLayerType } from '../oci/media-types.ts';

/** Why Harbor cannot hold an image of this content, or undefined. */
export function refuseContent(node: ManifestNode, target: ImageTarget, host: string): RegtarError | undefined {
  const name = formatImageReference({ ...target, digest: target.root.digest });
  const where = {
    repository: target.repository,
    ...(target.tag !== undefined && { tag: target.tag }),
    digest: target.root.digest,
  };
  const nodes = childrenFirst(node);
  // Harbor answers 500 for good to docker's foreign layers that do not say where their bytes are.
  const homeless = nodes
    .flatMap(({ layers }) => layers)
    .find(
      ({ mediaType, urls }) =>
        mediaType.includes('.docker.') &&
        isForeignLayerType(mediaType) &&
        !urls?.some((url) => /^https?:\/\/[^#]+$/.test(url)),
    );
  return homeless === undefined
    ? undefined
    : new RegtarError(
        'FOREIGN_LAYER',
        `${name} has the foreign layer ${homeless.digest} without a url to get it from, which ${host} refuses`,
        { where, hint: 'export it with --format oci, dir or registry' },
      );
}
