import type { Digest } from '../oci/digest.ts';
import type { PlannedImage } from '../select/plan.ts';

/** Smaller blobs leave no tail that anybody would notice. */
const bigBytes = 32 * 1024 * 1024;

/**
 * Images that bring a big blob come first, the biggest at their head, so that a run does not end with one connection sending one layer
 * while the others idle. Of the images that share a big blob only the first counts: to the others it will be a name.
 */
export function inTransferOrder(images: readonly PlannedImage[]): readonly PlannedImage[] {
  const taken = new Set<Digest>();
  const ranked = images.map((image) => {
    const big = image.target.blobs.filter(({ digest, size }) => size >= bigBytes && !taken.has(digest));
    for (const { digest } of big) taken.add(digest);
    return { image, bytes: big.reduce((most, { size }) => Math.max(most, size), 0) };
  });
  return ranked.sort((left, right) => right.bytes - left.bytes).map(({ image }) => image);
}
