import type { ImageSink, SinkTraits } from '../content/contracts.ts';
import type { ArchiveFormat } from './archive/archive-format.ts';
import type { FileSinkOptions } from './options.ts';
import type { OpenReader } from './reader.ts';

/** Opens the output of one format. @see openFileSink */
export type OpenSink = (options: FileSinkOptions) => ImageSink;

/**
 * What regtar knows of a format before any of its code is loaded: the names and words stand on every start, so writers
 * and readers are loaded on use.
 */
export interface FormatDeclaration {
  /** What people call one of them: `OCI layout`. */
  readonly title: string;
  /** What reports call it. Programs read it, so it never changes. */
  readonly reportKind: string;
  /** Its paragraph of `regtar help formats`, in lines of at most 62 columns. */
  readonly help: readonly string[];
  /** What it can hold, so that a plan refuses the rest before the first byte. */
  readonly holds: Omit<SinkTraits, 'parallelBlobs'>;
  /** Whether what is written may lack blobs that the other side has (`--base`). */
  readonly delta: boolean;
  /** Options of `export` that mean something for this format and not for all. */
  readonly options: readonly (keyof FileSinkOptions)[];
  /** Writes it as a folder; absent where it is always one archive. */
  readonly folder?: () => Promise<OpenSink>;
  /** Writes it as one archive; absent where it is always a folder. */
  readonly archive?: () => Promise<OpenSink>;
  /** The archive that a volume of it is; absent where it has none. */
  readonly volume?: () => Promise<(options: Pick<FileSinkOptions, 'prefix'>) => ArchiveFormat>;
  /**
   * Paths in a SOURCE of files that its reader may ask for; others are not remembered. Absent where the reader looks at
   * members while they pass.
   */
  readonly paths?: RegExp;
  /** Recognises it in a SOURCE, by content, and reads it. */
  readonly reader: () => Promise<OpenReader>;
}
