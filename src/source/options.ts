import type { Readable } from 'node:stream';
import type { FarAccess } from './far/access.ts';
import type { Kept } from './stream-pass.ts';

/** How a backup is opened: what standard input is, where a spool may lie, what is kept. */
export interface OpenSourceOptions {
  /** What `-` reads. */
  readonly stdin?: Readable | undefined;
  /**
   * Where the spool of a stream is made: a folder on the output's file system, so that blobs are linked instead of
   * copied.
   */
  readonly spoolFolder?: string | undefined;
  /**
   * `small` where layers are not read, `digests` where they are only to be verified: a stream is then read without
   * keeping them.
   * @defaultValue `all`
   */
  readonly keep?: Kept | undefined;
  /**
   * Takes links of a folder for what their paths say, without reading them: for commands that do not look for damage.
   * @defaultValue false
   */
  readonly trustLinks?: boolean;
  /** The index of the one tar that is given, instead of `docker.tar.regtar-index` beside `docker.tar`. */
  readonly indexFile?: string | undefined;
  /** Writes an index during the first scan, to be completed by `saveIndex`; no older one is used then. */
  readonly recordIndex?: boolean | undefined;
  /** Credentials and certificates for what lies elsewhere. */
  readonly far?: FarAccess | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told what a person should know before and while a source is opened: where a spool lies, that an index is stale. */
  readonly onNotice?: ((text: string) => void) | undefined;
}
