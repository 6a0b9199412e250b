import type { RegtarError } from '../errors.ts';
import type { BlobOutcome } from '../content/contracts.ts';
import type { Digest } from '../oci/digest.ts';

/** `present`: it was there already. `skipped`: the target keeps another one of its name, or cannot hold it. */
export type ImageStatus = (typeof imageStatuses)[number];

/** In the order of summaries. */
export const imageStatuses = ['copied', 'present', 'skipped', 'failed'] as const;

/** What became of one image. */
export interface ImageResult {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
  /** Its place in the output: a path, or `host/repository:tag`. */
  readonly target: string | undefined;
  readonly status: ImageStatus;
  readonly error?: RegtarError;
  /** It failed because others did: nothing of it was asked or sent. */
  readonly untried?: true;
}

/** What happens while images are copied; sizes are in bytes. */
export type CopyEvent =
  | { readonly type: 'start'; readonly images: number; readonly blobs: number; readonly bytes: number }
  | {
      readonly type: 'image-start';
      readonly repository: string;
      readonly tag: string | undefined;
      readonly digest: Digest;
    }
  /** An image is done. `isRevised`: it was told before, and reading it back has found it wrong. */
  | { readonly type: 'image'; readonly result: ImageResult; readonly isRevised?: true }
  /** Bytes on their way; negative when a retry takes some back. */
  | { readonly type: 'bytes'; readonly bytes: number }
  /**
   * What became of a blob or manifest that an image needs; `isFirst` at the first outcome of its digest. A written one
   * was told in `bytes` events before.
   */
  | {
      readonly type: 'blob';
      readonly digest: Digest;
      readonly size: number;
      readonly outcome: BlobOutcome;
      readonly isFirst: boolean;
    };

/** What `export` and `push` say at the end. */
export interface CopyReport {
  readonly images: readonly ImageResult[];
  readonly blobs: {
    readonly copied: number;
    readonly present: number;
    readonly mounted: number;
    /** Put into the target's own storage; absent where nothing was. */
    readonly placed?: number;
    /** Copied by the server that holds source and output, and not hashed; absent where nothing was. */
    readonly serverCopied?: number;
    readonly serverCopiedBytes?: number;
    /** Copied and placed, in bytes. */
    readonly bytes: number;
    /** Mounted or there already, in bytes, counted wherever an image needs them. */
    readonly spared: number;
  };
  readonly seconds: number;
  /** Blobs that were placed although no image that arrived names them: nothing will ever sweep them there. */
  readonly unnamed?: readonly Digest[];
}
