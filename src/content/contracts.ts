import type { Problem } from '../errors.ts';
import type { Body } from '../io/body.ts';
import type { FarBytes } from '../io/far-bytes.ts';
import type { FileRange } from '../io/random-access.ts';
import type { Ring } from '../io/ring.ts';
import type { StoredObject } from '../io/stored-object.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** Digests by number, from 0 on: what belongs to a million of them stands in arrays and not in objects. */
export interface BlobNumbers {
  /** One more than the highest number. */
  readonly size: number;
  /** @returns -1 for a digest that has no number */
  find(digest: Digest): number;
  digest(number: number): Digest;
  /** The size as stored; -1 for what is not there. */
  bytes(number: number): number;
}

/** Blobs by digest, wherever they lie: manifests, configs and layers alike. Nothing here verifies; `copy` does. */
export interface ContentStore {
  /** What the blobs are in, for people: the backup's name. Absent where it has none. */
  readonly describe?: string;
  /**
   * @returns the blob's size in bytes, and how many of them the medium really holds where it has holes; undefined when
   * the blob is not here
   */
  stat(digest: Digest): { readonly size: number; readonly held?: number } | undefined;
  /** Numbers of the digests that the store holds; absent where it has none. */
  readonly numbers?: BlobNumbers | undefined;
  /**
   * Manifests that were read here and name no other manifest: who follows names need not read them again. Absent where
   * names do not have to be followed.
   */
  readonly leaves?: { add(digest: Digest): boolean; has(digest: Digest): boolean };
  /** @throws RegtarError BLOB_MISSING when the blob is not here */
  open(digest: Digest, from?: number, ring?: Ring): Body;
  /** A small blob whole. @throws RegtarError BLOB_MISSING */
  readSmall(digest: Digest): Uint8Array;
  /** A plain file that holds just this blob, for hard links. */
  file(digest: Digest): string | undefined;
  /**
   * The digest that the bytes had when this very run read them, so that no second look is needed; undefined or absent
   * where they were not hashed.
   */
  hashedAs?(digest: Digest): Digest | undefined;
  /**
   * Whether what the blobs lie in was written to since it was opened: nothing that was hashed before proves anything
   * then. Absent where that cannot be told.
   */
  changed?(): boolean;
  /** Lets go of what is held on disk for other blobs. Absent where nothing is held. */
  keepOnly?(digests: Iterable<Digest>): Promise<void>;
  /**
   * Where the blob's bytes lie in plain files, in order, for readers in other threads; undefined or absent where only
   * `open` gives them.
   */
  ranges?(digest: Digest): readonly FileRange[] | undefined;
  /**
   * The blob's bytes on a web server, for one thread that fetches them; undefined or absent where only `open` gives
   * them.
   */
  far?(digest: Digest): FarBytes | undefined;
  /** Whether reads wait for a network, so that several are worth having under way. @defaultValue false */
  readonly isFar?: boolean | undefined;
  /** The object of an S3 server that the blob is, or is a part of; undefined or absent where it is none. */
  object?(digest: Digest): StoredObject | undefined;
  /** Where else something lies, where this is part of a set of volumes that are not all here. */
  readonly absent?: AbsentVolumes;
  /** Rank in which blobs lie on the medium, so that readers may stream instead of seek; any number. */
  position(digest: Digest): number;
}

/** Volumes of a set that were not given, as the others know them: hints, not proof. */
export interface AbsentVolumes {
  /** The name of the volume that has a blob. */
  volumeOf(digest: Digest): string | undefined;
  /** A repository that serves the blob where that volume was pushed. */
  repositoryOf(digest: Digest): string | undefined;
  /** Blobs that are here for images of other volumes. */
  readonly kept: ReadonlySet<Digest>;
  /** Images whose names are on them. */
  readonly images: readonly {
    readonly repository: string;
    readonly tag: string | undefined;
    readonly digest: Digest;
    readonly volume: string;
  }[];
  /** Whether several volumes were given: then all of the set is meant; a single one is meant alone. */
  readonly isSetMeant: boolean;
}

/** A tag and what it means. */
export interface TagEntry {
  readonly tag: string;
  /** What the tag points to now. */
  readonly digest: Digest;
  /** Every digest the tag ever pointed to, its current one included, in no order that storage would tell. */
  readonly history: readonly Digest[];
  /** When the tag's link was last written, in seconds since 1970: the push. Absent where the source keeps no time. */
  readonly pushed?: number;
}

/** A tag that is there and points to nothing: its link is gone, empty or damaged, and nothing settles what it was. */
export interface LostTag {
  readonly tag: string;
  /** What it may have pointed to. */
  readonly candidates: readonly Digest[];
  /** When its link was last written, in seconds since 1970; absent where there is no link or no time. */
  readonly pushed?: number;
}

/** What a backup holds, as names and digests. Iteration is in code point order. */
export interface Catalog {
  repositories(): Iterable<string>;
  tags(repository: string): Iterable<TagEntry>;
  /** Tags that a person has to decide about. */
  lostTags(repository: string): Iterable<LostTag>;
  /** Manifests of a repository, tagged or not. */
  revisions(repository: string): Iterable<Digest>;
  /** Blobs that a repository may serve: configs and layers. */
  layers(repository: string): Iterable<Digest>;
  /** Every blob, manifests included, in the order of the medium, each once under the digest by which it is stored. */
  blobs(): Iterable<Digest>;
  /**
   * Further digests of stored bytes, with the digest by which they are stored. Absent where there are none.
   * @see distribution 3, registry/storage/linkedblobstore.go: `_layers/sha512/<hex>/link` holds the sha256 digest
   */
  readonly aliases?: ReadonlyMap<Digest, Digest>;
  readonly problems: readonly Problem[];
}

/** What a sink can take, as data, so that a plan refuses before the first byte. */
export interface SinkTraits {
  /** Manifest media types; schema1 is only where it is named. */
  readonly schema1: boolean;
  /** Whether an index with all its children can be kept; docker-archive takes one platform of it. */
  readonly indexes: boolean;
  /** Whether manifests that are not runnable images (artifacts, signatures) can be kept. */
  readonly artifacts: boolean;
  /** How many blobs it can take at once; 1 for a stream. */
  readonly parallelBlobs: number;
  /** The same for blobs of a store that is far. @defaultValue `parallelBlobs` */
  readonly parallelFarBlobs?: number;
  /** The largest pieces that blobs should come in, where the usual ones are more than it can use. */
  readonly chunkBytes?: number;
  /**
   * Whether big blobs should go first, so that none of them is left over when everything else is done; else the order
   * of the medium counts.
   */
  readonly bigBlobsFirst?: boolean;
}

/**
 * What became of a blob: it was sent, it was there, it was made known there by name, it was put into the target's own
 * storage, or the server that holds both source and output copied it: then no byte of it was read or hashed here.
 */
export type BlobOutcome = 'written' | 'present' | 'mounted' | 'placed' | 'server-copied';

/** How a sink is told to stop, and tells what it sent. */
export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes as they go out; negative when a retry takes bytes back. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/**
 * One image under way. `copy` calls putBlob for every blob, putManifest for children before parents, the root last,
 * then commit.
 */
export interface ImageWriter {
  /**
   * @param blob size is in bytes and always known; mediaType tells configs from layers
   * @param open gives the verified body; may be called again for a retry, or not at all. A sink that takes one blob at
   * a time may call it as late as `commit`, and with a ring of its own
   * @param options `file` is a plain file that holds just these bytes, for hard links. A sink links it where a person
   * asked for that, or where it is verified. `object` is what a server may copy by itself; `ranges` are where the bytes
   * lie in plain files, for a sink that copies and verifies them by itself; `far` gives them to one that fetches and
   * verifies them by itself
   */
  putBlob(
    blob: Descriptor,
    open: (from?: number, ring?: Ring) => Body,
    options: WriteOptions & {
      readonly file?: string | undefined;
      readonly isFileVerified?: boolean | undefined;
      readonly object?: StoredObject | undefined;
      readonly ranges?: readonly FileRange[] | undefined;
      readonly far?: (() => FarBytes | undefined) | undefined;
    },
  ): Promise<BlobOutcome>;
  /** @param bytes exactly as stored; their digest has been checked */
  putManifest(manifest: Descriptor, bytes: Uint8Array, options: WriteOptions): Promise<BlobOutcome>;
  /**
   * Makes the image visible: tags, marker files and index entries appear here and never before.
   * @returns 'present' where the output showed this very image under this name already
   */
  commit(options: WriteOptions): Promise<'written' | 'present'>;
  /** Forgets what `commit` would have shown. Blobs that others may need stay. */
  abort(): Promise<void>;
}

/** What one image becomes in the output. */
export interface ImageTarget {
  /** After maps and prefixes. */
  readonly repository: string;
  /** undefined for an image that travels by digest alone: an untagged revision, a referrer. */
  readonly tag: string | undefined;
  /** When the source's tag was last written, in seconds since 1970; outputs that keep times keep it. */
  readonly pushed?: number | undefined;
  readonly root: Descriptor;
  /** Every config and layer of it that travels, each once. */
  readonly blobs: readonly Descriptor[];
  /** A referrer or a signature that travels with another image: loaders must make no image of it. */
  readonly referrer: boolean;
}

/**
 * One output: a format, a registry, an engine. Images come one after the other or side by side; each has a writer of
 * its own.
 */
export interface ImageSink {
  readonly traits: SinkTraits;
  /** What the report calls the place of an image in this output: a path, or `host/repository:tag`. */
  describe(target: ImageTarget): string;
  /**
   * @returns a writer, 'present' when the whole image is there already, or 'skipped' where another image has this name
   * and keeps it
   */
  begin(target: ImageTarget, options: WriteOptions): Promise<ImageWriter | 'present' | 'skipped'>;
  /**
   * Completes the output: the completing file, the end of the stream. Called once, after the last image, even when some
   * failed.
   */
  finish(options: WriteOptions): Promise<void>;
  /** Releases everything; after an abort it leaves no output that looks complete. */
  close(): Promise<void>;
  /** What a person should know of how it was written: copies where links were refused. Asked for after `finish`. */
  notes?(): readonly string[];
}
