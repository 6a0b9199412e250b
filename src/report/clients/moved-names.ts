import { formatImageReference, type ImageName } from '../../oci/reference.ts';
import type { Report } from '../report.ts';
import type { Mirror } from './setup.ts';

/** An image, and what its repository is called in the new registry. */
export interface MovedImage extends ImageName {
  readonly moved: string;
}

/** What a report says to have arrived. Names that were not mapped are what they were. */
export function movedImages({ images }: Report): readonly MovedImage[] {
  return images
    .filter(({ status }) => status === 'copied' || status === 'present')
    .map(({ repository, tag, digest, arrived }) => ({
      repository,
      tag,
      digest: arrived?.digest ?? digest,
      moved: arrived?.repository ?? repository,
    }));
}

/**
 * What leads a registry's old names to the new ones: a path where it says everything, otherwise every repository by
 * name.
 * @param from the old registry, as it stands in the names of images
 */
export function mirrorOf(from: string, images: Iterable<MovedImage>): Mirror {
  const names = new Map<string, string>();
  for (const { repository, moved } of images) names.set(repository, moved);
  const pairs = [...names].map(([old, moved]) => ({ from: old, to: moved }));
  const [first] = pairs;
  const path =
    first !== undefined && first.to.endsWith(`/${first.from}`) ? first.to.slice(0, -first.from.length - 1) : '';
  const isUniform = pairs.every((pair) => pair.to === (path === '' ? pair.from : `${path}/${pair.from}`));
  return isUniform ? { from, path } : { from, renamed: pairs };
}

/** Old and new name of every image, in full. */
export function movedNames(
  from: string | undefined,
  host: string,
  images: Iterable<MovedImage>,
): readonly { readonly from: string; readonly to: string }[] {
  return [...images].map((image) => ({
    from: `${from === undefined ? '' : `${from}/`}${formatImageReference(image)}`,
    to: `${host}/${formatImageReference({ ...image, repository: image.moved })}`,
  }));
}
