import { targetKey } from '../../content/target-name.ts';
import type { ImageTarget } from '../../content/contracts.ts';
import type { RegtarError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { imageKey } from '../../oci/reference.ts';
import type { VolumePlan } from './plan-volumes.ts';

/** Which images of a set are not whole on its volumes, and which blobs SOURCE could not give. */
export interface FailedImages {
  /** The place of an image in the set; -1 for one that is not in it. */
  placeOf(target: ImageTarget): number;
  /** @param place of an image that is not whole */
  add(place: number): void;
  /** A blob that an earlier volume should have had: all images of several volumes that need it fail. */
  addBlob(digest: Digest, error: RegtarError): void;
  /** Why a blob is on no volume. */
  errorOf(digest: Digest): RegtarError | undefined;
  /** Places of the failed images that have bytes on a volume, in order. @param index of the volume, from 0 */
  on(index: number): readonly number[];
}

/** Nothing has failed yet. */
export function createFailedImages({ set, volumes }: VolumePlan): FailedImages {
  const places = new Map(set.images.map((image, index) => [imageKey(image), index]));
  const failed = new Set<number>();
  const lost = new Map<Digest, RegtarError>();
  const placeOf = (target: ImageTarget): number => places.get(targetKey(target)) ?? -1;
  const volumesOf = (place: number): readonly number[] => set.images[place]?.volumes ?? [];
  return {
    placeOf,
    add: (place) => void failed.add(place),
    addBlob(digest, error) {
      lost.set(digest, error);
      for (const { images } of volumes)
        for (const { target, travelling } of images) {
          const place = placeOf(target);
          if (volumesOf(place).length > 1 && travelling.some((blob) => blob.digest === digest)) failed.add(place);
        }
    },
    errorOf: (digest) => lost.get(digest),
    on: (index) =>
      [...failed].filter((place) => volumesOf(place).includes(index + 1)).sort((left, right) => left - right),
  };
}
