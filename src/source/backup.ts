import type { Problem } from '../errors.ts';
import type { Body } from '../io/body.ts';
import type { FarBytes } from '../io/far-bytes.ts';
import type { FileRange } from '../io/random-access.ts';
import type { Ring } from '../io/ring.ts';
import type { StoredObject } from '../io/stored-object.ts';
import type { Digest } from '../oci/digest.ts';
import type { PathBytes } from '../tar/member.ts';

/** Where a file's bytes lie inside a backup. Only the backup that made a location can read it. */
export interface Location {
  /** Effective size of the file in bytes. */
  readonly size: number;
  /** Offset of the first byte in the archive; 0 for files of a directory. */
  readonly start: number;
  /** The file that holds just these bytes: directories and spools. */
  readonly file?: string;
  /** Data runs of a sparse member; bytes between them are zero. */
  readonly runs?: readonly { readonly at: number; readonly start: number; readonly size: number }[];
  /** Which of several backups, where they are read as one store. */
  readonly source?: number;
  /** Where a copy is that was made while the archive was scanned. */
  readonly copy?: number;
}

/** What a member of a backup is. */
export type EntryKind = 'file' | 'hardlink' | 'symlink' | 'directory' | 'other';

/**
 * One member of a backup, before anybody knows that it is a registry. The object is reused: keep its fields, never the
 * entry.
 */
export interface Entry {
  /** As stored, with `/` between components; bytes that are not UTF-8 appear as U+FFFD. */
  readonly path: string;
  /** The same in bytes, where they lie in memory anyway: cheaper than a string for a look at them. */
  readonly pathBytes?: PathBytes | undefined;
  readonly kind: EntryKind;
  /** Target of a link, as stored; empty for other kinds. */
  readonly target: string;
  /** Seconds since 1970. */
  readonly modified: number;
  readonly location: Location;
  /** The content of files up to `limits.linkBytes`, valid until the visitor returns; undefined for larger ones. */
  readonly bytes: Uint8Array | undefined;
  /** The same as text, one character a byte, where that is cheaper. */
  readonly text?: string | undefined;
}

/** How a backup is scanned. */
export interface ScanOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /**
   * Whether the content may be asked for of a file that is not part of a registry's storage, by its path. What a
   * stream brings once is kept for these only, and in a folder only these are looked at.
   * @defaultValue none
   */
  readonly isWanted?: ((path: string) => boolean) | undefined;
}

/** What a stream brought, held on disk until it is in the output: everything, until it is known what is needed. */
export interface HeldContents {
  /**
   * The digest that a content had when it passed: where it is the right one, an output may link `file(location)`
   * without reading it.
   * @returns undefined where none is known
   */
  digestOf(location: Location): Digest | undefined;
  /** Drops what is held of other places. */
  keepOnly(isNeeded: (location: Location) => boolean): Promise<void>;
  /** Removes everything at once, for a process that ends; closing the backup does it too. */
  removeSync(): void;
}

/**
 * An opened SOURCE, for those who read it. `scan` is one pass in archive order; it calls back synchronously because a
 * promise per member would cost more than reading its header.
 */
export interface Backup {
  /** What it is, for people: `docker.tar`. */
  readonly describe: string;
  /** `tar`, `tar.gz`, `tar.zst`, `directory`, …: the `format` field of `inspect --json`. */
  readonly format: string;
  /** Size of what was given, in bytes, where it is known. */
  readonly bytes: number | undefined;
  /**
   * Visits every member once.
   * @returns damage that did not stop the scan: cuts, gaps, members that cannot be read
   * @throws RegtarError SOURCE_… when nothing here is usable
   */
  scan(visit: (entry: Entry) => void, options?: ScanOptions): Promise<readonly Problem[]>;
  /**
   * Streams a file, from byte `from` on; any number of times, any order.
   * @throws RegtarError SOURCE_CHANGED, SOURCE_UNREADABLE while iterating
   */
  read(location: Location, from?: number, ring?: Ring): Body;
  /**
   * Brings small files near that lie elsewhere, so that `readSmall` has them; absent where it can read everything.
   * @throws RegtarError SOURCE_CHANGED, SOURCE_DENIED, SOURCE_UNREACHABLE
   */
  bring?(locations: Iterable<Location>): Promise<void>;
  /** Reads a small file whole and at once. @throws RegtarError SOURCE_CHANGED, SOURCE_UNREADABLE */
  readSmall(location: Location): Uint8Array;
  /** A plain file that holds just this, which sinks may hard-link; undefined inside archives. */
  file(location: Location): string | undefined;
  /**
   * Where a file's bytes lie in plain files, in order, for readers in other threads; undefined or absent where only
   * `read` gives them.
   */
  ranges?(location: Location): readonly FileRange[] | undefined;
  /**
   * A file's bytes on a web server, for one thread that fetches them; undefined or absent where only `read` gives them.
   */
  far?(location: Location): FarBytes | undefined;
  /** Whether reads wait for a network, so that several are worth having under way. @defaultValue false */
  readonly isFar?: boolean;
  /** The object of an S3 server that a file is, or is a part of; undefined or absent where it is none. */
  object?(location: Location): StoredObject | undefined;
  /** What a backup that can be read only once holds on disk; absent where nothing is held. */
  readonly spool?: HeldContents;
  /** Whether it was written to since it was opened. Absent where that cannot be told. */
  changed?(): boolean;
  /** Which of several backups `Location.source` means, for people. */
  nameOf?(source: number): string | undefined;
  close(): Promise<void>;
}
