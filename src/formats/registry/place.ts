import type { Body } from '../../io/body.ts';
import type { StoredBytes } from '../../io/file-copier.ts';
import type { Ring } from '../../io/ring.ts';
import type { StoredObject } from '../../io/stored-object.ts';

/** A file of a registry's storage. */
export interface PlacedFile {
  /** Bytes. */
  readonly size: number;
  /**
   * Another text as soon as the file is written again, even with the same bytes: inode and time of a file, time and
   * ETag of an object.
   */
  readonly version: string;
}

/** How something is put. */
export interface PutOptions {
  /**
   * Replaces what is there. Only for what the caller knows to be wrong, or to be its own.
   * @defaultValue false
   */
  readonly replace?: boolean;
  /**
   * Whether the caller has just seen that nothing is there, so that a place that has to ask for it need not ask again.
   * @defaultValue false
   */
  readonly isAbsent?: boolean;
  /** The size of a body in bytes, where it is known: a bucket needs it to choose the number of parts. */
  readonly size?: number;
  /**
   * The same bytes where they lie in plain files: a place that can copy and check them by itself need not open the
   * body.
   */
  readonly stored?: StoredBytes | undefined;
  /**
   * The small file that is put when this one is there. A place may make it in the same step, where that is cheaper; it
   * is put all the same, and counts as written by that.
   */
  readonly next?: { readonly path: string; readonly content: Uint8Array } | undefined;
  /** When the file was last written, in seconds since 1970, where a place can say so. @defaultValue now */
  readonly modified?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes as they go out; negative when a retry takes bytes back. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/**
 * Where a registry's storage lies, for a writer: a folder, or a bucket. Everything that knows the
 * storage's layout writes through it, so that exporting a tree and placing blobs into a living registry's storage are
 * one code.
 *
 * Paths are those of `layout.ts`: relative, with `/` between components, `docker/registry/v2/…`. A place never looks
 * into what it is given.
 * Methods reject with a RegtarError: OUTPUT_FULL and OUTPUT_UNWRITABLE for what concerns all of the place; what a
 * body throws comes as it is.
 * All of them may be called side by side, also for the same path.
 */
export interface Place {
  /** For people: the folder's path, `s3://bucket/prefix`. */
  readonly describe: string;
  /** @returns undefined where no file is */
  stat(path: string): Promise<PlacedFile | undefined>;
  /**
   * The bytes of a file, to be hashed.
   * @throws RegtarError OUTPUT_UNWRITABLE while iterating, when it cannot be read
   */
  read(path: string, ring?: Ring): Body;
  /**
   * Every file beneath a folder, at any depth and in any order, with its path from the place's root; none where the
   * folder is not there.
   * It is asked for the first few of them alone, too: nothing may be collected beforehand.
   * @param folder '' for everything
   */
  list(folder: string): AsyncIterable<PlacedFile & { readonly path: string }>;
  /**
   * Makes a file. It appears under its path with all of its bytes, or not at all: a body that throws in place of its
   * last chunk, which is how a wrong digest is told, leaves nothing. What is there already is left as it is, also
   * when it differs, unless `replace` is given.
   * @param content small files as bytes; blobs as the opener of a verified body, which is called again for a retry
   * @returns 'present' when something is there already, of which nothing is said
   */
  put(path: string, content: Uint8Array | (() => Body), options?: PutOptions): Promise<'written' | 'present'>;
  /**
   * Gives a plain file of this machine a second name in the place, without reading or copying a byte.
   * @param file its bytes have been verified by the caller
   * @param size in bytes; a file of another size is not linked
   * @returns false where that cannot be: another file system, another owner or mode than the place needs, a bucket.
   * Then `put` it
   */
  link(path: string, file: string, size: number): Promise<boolean>;
  /**
   * Lets the server that holds this place make a file of an object that it holds, too: no byte is read or hashed here.
   * The file appears whole. What is there already is replaced. Absent where no place of this kind can do that.
   * @returns false where that cannot be: another server, an object that is another one now, a server that refuses.
   * Then `put` it
   */
  copy?(path: string, object: StoredObject, options?: Pick<PutOptions, 'signal'>): Promise<boolean>;
  /**
   * Removes the files that this place has made since it was opened, each only while it is still the same file, and the
   * folders that it has made for them, where they are empty. What `replace` replaced cannot come back.
   * @returns how many files were removed
   */
  takeBack(): Promise<number>;
  /** What was made stays, and what is made from now on need not be remembered. */
  settle(): void;
  /** Gets ready for so many bytes; absent where there is nothing to do. */
  expect?(bytes: number): void;
  /** What a person should know of how it was written; absent where there is nothing. */
  notes?(): readonly string[];
  /** Bytes that are free there; absent or undefined where that is not known. */
  freeBytes?(): number | undefined;
  /** Removes what is unfinished. May be called twice. */
  close(): Promise<void>;
}
