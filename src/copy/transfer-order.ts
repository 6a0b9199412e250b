import type { Digest } from '../oci/digest.ts';
import type { Plan, PlannedImage } from '../select/plan.ts';

/** Smaller blobs leave no tail that anybody would notice. */
const bigBytes = 32 * 1024 * 1024;

/**
 * Images that bring a big blob come first, the biggest at their head, so that a run does not end with one connection
 * sending one layer while the others idle. Of the images that share a big blob only the first counts: to the others it
 * will be a name. Where other shards wait for a blob its image is at the very head, and where this one waits for others
 * the image comes last, when they have had the time.
 */
export function inTransferOrder({
  images,
  elsewhere,
  awaited,
}: Pick<Plan, 'images' | 'elsewhere' | 'awaited'>): readonly PlannedImage[] {
  const taken = new Set<Digest>();
  const ranked = images.map((image) => {
    const own = image.target.blobs.filter(({ digest }) => elsewhere?.has(digest) !== true && !taken.has(digest));
    const big = own.filter(({ size }) => size >= bigBytes);
    const wanted = own.filter(({ digest }) => awaited?.has(digest) === true);
    for (const { digest } of [...big, ...wanted]) taken.add(digest);
    return {
      image,
      waits: image.target.blobs.reduce(
        (sum, { digest, size }) => (elsewhere?.has(digest) === true ? sum + size : sum),
        0,
      ),
      wanted: wanted.reduce((sum, { size }) => sum + size, 0),
      bytes: big.reduce((most, { size }) => Math.max(most, size), 0),
    };
  });
  return ranked
    .sort((left, right) => left.waits - right.waits || right.wanted - left.wanted || right.bytes - left.bytes)
    .map(({ image }) => image);
}
