import { formatImageReference, imageKey } from '../oci/reference.ts';
import type { ImageTarget } from './contracts.ts';

/** `repository:tag`, or `repository@digest` without a tag: what an image is called in the output. */
export function targetName({ repository, tag, root }: ImageTarget): string {
  return formatImageReference({ repository, tag, digest: root.digest });
}

/** What tells the images of an output apart, for maps. */
export function targetKey({ repository, tag, root }: ImageTarget): string {
  return imageKey({ repository, tag, digest: root.digest });
}
