import type { Backup } from './backup.ts';

/** One SOURCE as it was given. */
export interface GivenSource {
  readonly name: string;
  /** `tar`, `tar.gz`, `directory`, … */
  readonly format: string;
  /** Size in bytes, where it is known. */
  readonly bytes: number | undefined;
  /** Its files in order: one, or all parts; none for a directory, standard input or what lies elsewhere. */
  readonly files: readonly string[];
  /** Everything that is read: its files, or its folder; none for standard input. */
  readonly paths: readonly string[];
  /** What the server calls the version that was read: its ETag, or when it was modified. For what lies elsewhere. */
  readonly version?: string | undefined;
}

/** What an index file holds that was written. */
export interface SavedIndexFacts {
  readonly file: string;
  /** Files and links of the backup. */
  readonly entries: number;
  /** Manifests and configs of which it has copies. */
  readonly copies: number;
  readonly bytes: number;
}

/** One SOURCE, opened: a backup, and beside it what only its opener asks for. */
export interface SingleSource extends Backup {
  /** What the server calls the version that is read, for what lies elsewhere. */
  readonly version?: string | undefined;
  /**
   * Completes the index that `OpenSourceOptions.recordIndex` asked for, once a scan has ended; absent where it did not.
   * @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE, SOURCE_CHANGED
   */
  readonly saveIndex?: () => SavedIndexFacts;
}

/** All that was given as SOURCE, opened as one backup. */
export interface OpenedSource extends Backup, Pick<SingleSource, 'saveIndex'> {
  /** What was opened, in the order given. */
  readonly given: readonly GivenSource[];
}
