import type { ImageTarget } from '../content/contracts.ts';
import type { ManifestNode } from '../content/image-graph.ts';

/** What happens where a tag of the target has another digest. */
export type OnExistingTag = 'overwrite' | 'skip' | 'error';

/** An image with its place in the target: what a plan holds of it. */
export interface RemoteImage {
  readonly target: ImageTarget;
  readonly node: ManifestNode;
}

/** What the target has of an image: its tag is not there, has another digest, or the image is there already. */
export type Presence = 'new' | 'changed' | 'present';
