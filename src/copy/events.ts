import type { RegtarError } from '../errors.ts';
import type { BlobOutcome } from '../content/contracts.ts';
import type { Digest } from '../oci/digest.ts';

export type ImageStatus = 'copied' | 'present' | 'skipped' | 'failed';

/** What became of one image. */
export interface ImageResult {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
  /** Its place in the output: a path, or `host/repository:tag`. */
  readonly target: string | undefined;
  readonly status: ImageStatus;
  readonly error?: RegtarError;
}

/** What happens while images are copied; sizes are in bytes. */
export type CopyEvent =
  | { readonly type: 'start'; readonly images: number; readonly blobs: number; readonly bytes: number }
  | { readonly type: 'image-start'; readonly repository: string; readonly tag: string | undefined }
  | { readonly type: 'image'; readonly result: ImageResult }
  /** Bytes on their way; negative when a retry takes some back. */
  | { readonly type: 'bytes'; readonly bytes: number }
  /** `bytes` is the size at a digest's first outcome, 0 at later ones; `sent` is what `bytes` events have told of it before. */
  | { readonly type: 'blob'; readonly digest: Digest; readonly outcome: BlobOutcome; readonly bytes: number; readonly sent: number };

/** What `export` and `push` say at the end. */
export interface CopyReport {
  readonly images: readonly ImageResult[];
  readonly blobs: {
    readonly copied: number;
    readonly present: number;
    readonly mounted: number;
    /** Copied, in bytes. */
    readonly bytes: number;
    /** Mounted or there already, in bytes, counted wherever an image needs them. */
    readonly spared: number;
  };
  readonly seconds: number;
}
