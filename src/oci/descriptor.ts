import type { Digest } from './digest.ts';
import type { Platform } from './platform.ts';

/**
 * What a manifest says of something it refers to; `size` is in bytes as stored.
 * @see OCI image-spec v1.1 descriptor.md
 */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform?: Platform;
  readonly artifactType?: string;
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
}
