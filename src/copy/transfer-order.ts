import type { Digest } from '../oci/digest.ts';
import type { Plan } from '../select/plan.ts';

/** Smaller blobs leave no noticeable tail. */
const bigBytes = 32 * 1024 * 1024;

/**
 * Images that bring a big blob come first, the biggest at their head, so that a run does not end with one connection
 * sending one layer while the others idle. Of the images that share a big blob only the first counts: to the others it
 * will be a name. Where other shards wait for a blob its image is at the very head, and where this one waits for others
 * the image comes last, when they have had the time.
 * @returns indexes of the plan's images
 */
export function inTransferOrder({
  images,
  elsewhere,
  awaited,
}: Pick<Plan, 'images' | 'elsewhere' | 'awaited'>): readonly number[] {
  const taken = new Set<Digest>();
  const waits = new Float64Array(images.length);
  const wanted = new Float64Array(images.length);
  const biggest = new Float64Array(images.length);
  for (const [index, { target }] of images.entries()) {
    for (const { digest, size } of target.blobs) {
      if (elsewhere?.has(digest) === true) waits[index] = (waits[index] as number) + size;
      else if (!taken.has(digest)) {
        const isWanted = awaited?.has(digest) === true;
        if (isWanted) wanted[index] = (wanted[index] as number) + size;
        if (size >= bigBytes) biggest[index] = Math.max(biggest[index] as number, size);
        if (isWanted || size >= bigBytes) taken.add(digest);
      }
    }
  }
  const difference = (values: Float64Array, left: number, right: number): number =>
    (values[left] as number) - (values[right] as number);
  return [...images.keys()].sort(
    (left, right) =>
      difference(waits, left, right) || difference(wanted, right, left) || difference(biggest, right, left),
  );
}
