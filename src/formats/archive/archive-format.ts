import type { ImageTarget } from '../../content/contracts.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';

/** A small file of an archive. */
export interface ArchiveFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** In seconds since 1970, where it is the source's. */
  readonly modified?: number | undefined;
}

/** Bytes that are made while they are gone through, as often as they are. */
export interface BytesInPieces extends Iterable<Uint8Array> {
  /** Of all pieces, in bytes. */
  readonly length: number;
}

/** A file that speaks of all images: of a million it is too large to be in memory whole. */
export interface ClosingFile {
  readonly path: string;
  readonly bytes: Uint8Array | BytesInPieces;
}

/** An image whose blobs and manifests are in the archive. */
export interface ArchivedImage {
  readonly target: ImageTarget;
  readonly manifests: readonly { readonly descriptor: Descriptor; readonly bytes: Uint8Array }[];
}

/** What one archive says of its images, beside the blobs. It has state: a new one for each archive. */
export interface ArchiveDocuments {
  /** How many bytes an image adds to `closing`, at most; nothing is kept. */
  measure(image: ArchivedImage): number;
  /** What follows an image's blobs at once; nothing is kept. */
  following(image: ArchivedImage): readonly ArchiveFile[];
  /** Keeps an image for `closing`. */
  add(image: ArchivedImage): void;
  /** What completes the archive. */
  closing(): readonly ClosingFile[];
}

/** A kind of archive: where blobs lie in it and what stands around them. */
export interface ArchiveFormat {
  /** `docker-archive`, as reports name it. */
  readonly name: string;
  blobPath(digest: Digest): string;
  /**
   * What every archive of this kind begins with: files, and directories whose paths end in `/`. The first tells
   * regtar's archives from others.
   */
  readonly opening: readonly [ArchiveFile, ...ArchiveFile[]];
  /** Whether directories have members, for the owner's sake. */
  readonly directories: boolean;
  createDocuments(): ArchiveDocuments;
}
