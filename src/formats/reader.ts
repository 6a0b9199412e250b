import type { Problem } from '../errors.ts';
import type { Catalog, ContentStore } from '../content/contracts.ts';
import type { Digest } from '../oci/digest.ts';
import type { Backup, Entry } from '../source/backup.ts';
import type { SourceFiles } from './source-files.ts';

/** What a person may say of a SOURCE before it is read. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** The repository of images whose names are tags alone, or that have no names. */
  readonly repository?: string | undefined;
}

/** An image as a SOURCE names it. */
export interface SourceImage {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest;
}

/** What one format found in a SOURCE. */
export interface ReadImages {
  readonly catalog: Catalog;
  readonly store: ContentStore;
  /** What a person should know of how it was read. */
  readonly notes: readonly string[];
  /**
   * Where an image lies by itself, if others lie elsewhere: a folder of an image, a layout of a repository. The store
   * that it gives holds only what is there, so that what a loader would miss is missing. Absent where all images share
   * one place.
   */
  readonly placeOf?: (image: SourceImage) => ImagePlace;
}

/** The folder that a loader would be given for an image. */
export interface ImagePlace {
  /** The same for images that lie together. */
  readonly key: string;
  readonly store: Pick<ContentStore, 'stat' | 'open' | 'readSmall' | 'hashedAs'>;
}

/**
 * What a format makes of a SOURCE: it may look at members while they pass, and says at the end whether it is one of its
 * own.
 */
export interface FormatReader {
  /**
   * Sees every member. Only for a format whose members are too many to be remembered by their paths.
   * @returns whether the member is this format's, so that no other needs to see it
   */
  readonly add?: (entry: Entry) => boolean;
  /**
   * @param damage what the scan met
   * @returns undefined where SOURCE holds nothing of this format
   * @throws RegtarError SOURCE_… where it is of this format and cannot be used
   */
  finish(damage: readonly Problem[]): Promise<ReadImages | undefined>;
}

/** Begins to read a SOURCE. `files` fills during the scan with the files whose paths a format's `paths` takes. */
export type OpenReader = (backup: Backup, files: SourceFiles, options: ReadOptions) => FormatReader;
