import type { ErrorPlace, Problem } from '../errors.ts';
import type { Catalog, ContentStore } from '../content/contracts.ts';
import { childrenFirst } from '../content/image-graph.ts';
import type { Digest } from '../oci/digest.ts';
import { formatImageReference } from '../oci/reference.ts';
import type { VerifiedImage } from './collect-images.ts';

/** What the links of repositories lack. */
export interface CheckedLinks {
  readonly problems: readonly Problem[];
  /** Blobs that a layer link names and that are not there. */
  readonly missing: ReadonlyMap<Digest, Problem>;
}

/**
 * Compares what images need with what their repositories link. A link that is missing harms no reader of the blob
 * itself, but the registry would not have served it.
 * @param isFiltered images are not all there are: a link without an image says nothing then
 */
export function checkLinks(
  catalog: Catalog,
  store: ContentStore,
  images: readonly VerifiedImage[],
  isFiltered: boolean,
): CheckedLinks {
  const problems: Problem[] = [];
  const missing = new Map<Digest, Problem>();
  const foreign = new Set<Digest>();
  for (const [repository, own] of byRepository(images)) {
    const layers = new Set(catalog.layers(repository));
    const revisions = new Set(catalog.revisions(repository));
    const said = new Set<Digest>();
    const say = (problem: Problem & { readonly digest: Digest }): void => {
      if (!said.has(problem.digest)) problems.push(problem);
      said.add(problem.digest);
    };
    for (const image of own) {
      for (const node of image.root === undefined ? [] : childrenFirst(image.root)) {
        for (const { digest } of node.foreign) foreign.add(digest);
        for (const { digest } of node.blobs) {
          if (!layers.has(digest))
            say({
              code: 'LAYER_LINK_MISSING',
              ...placeOf(image),
              digest,
              message:
                `${formatImageReference(image)} needs ${digest}, which is in the backup without a link in ` +
                `${repository}: it is used`,
            });
        }
        if (node !== image.root && !revisions.has(node.descriptor.digest)) {
          say({
            code: 'REVISION_LINK_MISSING',
            ...placeOf(image),
            digest: node.descriptor.digest,
            message:
              `${formatImageReference(image)} needs manifest ${node.descriptor.digest}, which is in the ` +
              `backup without a link in ${repository}: it is used`,
          });
        }
      }
    }
  }
  if (!isFiltered) {
    for (const repository of catalog.repositories()) {
      for (const digest of catalog.layers(repository)) {
        if (store.stat(digest) !== undefined || foreign.has(digest) || missing.has(digest)) continue;
        if (store.absent?.volumeOf(digest) !== undefined) continue;
        missing.set(digest, {
          code: 'BLOB_MISSING',
          repository,
          digest,
          message: `${repository} has a link to ${digest}, which is not in the backup; no image needs it`,
        });
      }
    }
  }
  return { problems, missing };
}

function byRepository(images: readonly VerifiedImage[]): ReadonlyMap<string, readonly VerifiedImage[]> {
  const groups = new Map<string, VerifiedImage[]>();
  for (const image of images) {
    const group = groups.get(image.repository);
    if (group === undefined) groups.set(image.repository, [image]);
    else group.push(image);
  }
  return groups;
}

function placeOf({ repository, tag }: VerifiedImage): ErrorPlace {
  return { repository, tag };
}
