import type { Problem } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Platform } from '../oci/platform.ts';

/**
 * One manifest with everything that it needs, without its bytes. Nodes are shared between images: many tags name few
 * manifests.
 */
export interface ManifestNode {
  readonly descriptor: Descriptor;
  readonly kind: 'image' | 'index' | 'schema1';
  /** Children of an index that are in the backup, in its order. */
  readonly children: readonly ManifestNode[];
  /** Children of an index that are not, or that cannot be read. */
  readonly lostChildren: readonly { readonly descriptor: Descriptor; readonly problem: Problem }[];
  /** Config and layers that are in the backup, with their sizes as stored; the config is first where there is one. */
  readonly blobs: readonly Descriptor[];
  /** Blobs that this manifest itself lacks. */
  readonly missing: readonly Descriptor[];
  /** Layers that are absent on purpose. */
  readonly foreign: readonly Descriptor[];
  readonly config: Descriptor | undefined;
  readonly layers: readonly Descriptor[];
  /** Of a runnable image; an index's are its children's. */
  readonly platform: Platform | undefined;
  readonly subject: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  /** How many levels of manifests lie below it: 0 for an image. */
  readonly levelsBelow: number;
  /** What the index above says of it; undefined for a root. */
  readonly reference?: Descriptor;
}
