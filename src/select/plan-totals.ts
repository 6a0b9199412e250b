import type { ContentStore } from '../content/contracts.ts';
import { createDigestSet } from '../content/digest-set.ts';
import { childrenFirst } from '../content/image-graph.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { PlannedImage } from './plan.ts';

/** Unique blobs and manifests of images, and their bytes. */
export function planTotals(
  images: readonly PlannedImage[],
  store: Pick<ContentStore, 'numbers'> = {},
): { readonly blobs: number; readonly bytes: number } {
  const seen = createDigestSet(store);
  let blobs = 0;
  let bytes = 0;
  const count = ({ digest, size }: Descriptor): void => {
    if (!seen.add(digest)) return;
    blobs++;
    bytes += size;
  };
  for (const { node, travelling } of images) {
    travelling.forEach(count);
    for (const { descriptor } of childrenFirst(node)) count(descriptor);
  }
  return { blobs, bytes };
}
