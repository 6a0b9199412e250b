import type { Digest } from '../oci/digest.ts';

/** What a report expects to find: a name in the target, and the digest behind it. */
export interface ExpectedImage {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest;
  /** Everything it needs, as the report has it. */
  readonly bytes: number;
}

/**
 * Where images should be by now. Questions are asked of an image's own place: the same blob may be whole for one image
 * and lost for another.
 */
export interface CheckedTarget {
  /** What it is, for people. */
  readonly describe: string;
  /** How many questions it takes at once. */
  readonly parallel: number;
  /** The digest that the image's name has there; undefined when there is no such name. */
  digestOf(image: ExpectedImage): Promise<Digest | undefined>;
  /** A manifest's bytes as they are there, right or wrong. */
  readManifest(image: ExpectedImage, digest: Digest): Promise<Uint8Array | undefined>;
  /** @returns its size in bytes, -1 where that is not known */
  statBlob(image: ExpectedImage, digest: Digest): Promise<number | undefined>;
  /**
   * Reads a blob whole.
   * @param size in bytes, -1 where that is not known: what has more need not be read to its end
   * @returns what its bytes are
   */
  hashBlob(image: ExpectedImage, digest: Digest, size: number): Promise<Digest | undefined>;
  /** The volume that has an image, or a blob of one, where the target is part of a set. Absent where it is none. */
  volumeOf?(image: ExpectedImage, blob?: Digest): string | undefined;
  /**
   * Whether other volumes were meant to be there: if so, what lies on them is missing; if not, it is only not looked
   * at.
   */
  readonly isSetMeant?: boolean;
  /** Two images with the same key find the same blobs. */
  placeOf(image: ExpectedImage): string;
}

/**
 * - `missing`: the name is not there
 * - `other`: the name means another digest
 * - `incomplete`: a manifest or blob that it needs is not there
 * - `damaged`: bytes are not what their digest says
 * - `unknown`: it could not be asked
 */
export type DifferenceKind = 'missing' | 'other' | 'incomplete' | 'damaged' | 'unknown';

/** One image that is not as the report says. */
export interface Difference {
  readonly repository: string;
  readonly tag?: string;
  /** As the report has it. */
  readonly digest: Digest;
  readonly kind: DifferenceKind;
  /** What the name means instead. */
  readonly found?: Digest;
  readonly message: string;
}

/** What a target has of what a report says. */
export interface CheckReport {
  readonly target: string;
  /** Whether every blob was read. */
  readonly deep: boolean;
  readonly images: Readonly<Record<'checked' | 'same' | DifferenceKind, number>> & {
    /** On volumes of the set that were not given; absent where there are none. */
    readonly elsewhere?: number;
    /** Of the report, but it does not say that they arrived: failed, skipped, unfinished. */
    readonly notExpected: number;
  };
  readonly blobs: { readonly checked: number; readonly bytes: number };
  readonly differences: readonly Difference[];
  readonly seconds: number;
}
