import type { WriteOptions } from '../../content/contracts.ts';
import { RegtarError } from '../../errors.ts';
import type { OwnerIds } from '../../io/output-folder.ts';
import type { OutputStream } from '../../io/output-stream.ts';
import type { Ring } from '../../io/ring.ts';
import type { Digest } from '../../oci/digest.ts';
import { encodeMemberHeader, endOfArchive, memberBytes, memberPadding } from '../../tar/write-header.ts';
import type { ArchivedImage, ArchiveFile, ArchiveFormat } from './archive-format.ts';
import { PathSet } from './path-set.ts';
import { prefetchBlobs, type PutBlob, type PrefetchRings } from './prefetch-blobs.ts';

/** One archive under way. */
export interface ArchivePart {
  readonly images: number;
  has(digest: Digest): boolean;
  /** Where the archive would end with this image in it, in bytes; at most. */
  sizeWith(image: ArchivedImage, blobs: readonly PutBlob[]): number;
  /** Writes an image. @throws what its bodies throw; the archive is then as it was before, or spoilt */
  write(image: ArchivedImage, blobs: readonly PutBlob[], options: WriteOptions): Promise<void>;
  /** Writes a blob that belongs to no image in this archive. @throws as `write` */
  writeAlone(blob: PutBlob): Promise<void>;
  /** Whether a member was cut on a stream that cannot be rewound. */
  readonly isSpoilt: boolean;
  /** Bytes so far. */
  readonly bytes: number;
  /** Bytes that an earlier run had written already. */
  readonly kept: number;
  /** @param options before: called with all of its bytes written, and how many, before it gets its name */
  complete(options?: { readonly before?: (bytes: number) => Promise<void> }): Promise<void>;
  /** Writes over the archive's beginning, headers included. */
  amend(bytes: Uint8Array): Promise<void>;
  /** Stops and leaves what was written for a later run. */
  leave(): Promise<void>;
  discard(): Promise<void>;
}

/** @param rings for blobs on their way; parts that follow each other share them */
export function startArchivePart(
  format: ArchiveFormat,
  output: OutputStream,
  owner: OwnerIds | undefined,
  rings: PrefetchRings,
): ArchivePart {
  const documents = format.createDocuments();
  const paths = new PathSet();
  let added: string[] = [];
  let images = 0;
  let closingBytes = 0;
  let isSpoilt = false;
  /** Between a streamed member's header and its end. */
  let isInMember = false;
  let isStarted = false;

  const claim = (path: string): boolean => {
    if (!paths.add(path)) return false;
    added.push(path);
    return true;
  };
  const header = async (path: string, kind: 'file' | 'directory', size: number, modified?: number): Promise<void> => {
    if (format.directories) await directoriesAbove(path);
    await output.write(encodeMemberHeader({ path, kind, size, owner, modified }));
  };
  const directoriesAbove = async (path: string): Promise<void> => {
    const missing: string[] = [];
    // Where one is there, those above it are, too.
    for (let slash = path.lastIndexOf('/', path.length - 2); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const directory = path.slice(0, slash + 1);
      if (!claim(directory)) break;
      missing.unshift(directory);
    }
    for (const directory of missing)
      await output.write(encodeMemberHeader({ path: directory, kind: 'directory', size: 0, owner }));
  };
  const writeFile = async ({ path, bytes, modified }: ArchiveFile): Promise<void> => {
    if (!claim(path)) return;
    await header(path, path.endsWith('/') ? 'directory' : 'file', bytes.length, modified);
    await output.write(bytes);
    await output.write(memberPadding(bytes.length));
  };
  const writeBlob = async (
    { descriptor, open, signal, onBytes }: PutBlob,
    chunks: readonly Uint8Array[] | undefined,
    ring: Ring,
  ): Promise<void> => {
    const path = format.blobPath(descriptor.digest);
    claim(path);
    await header(path, 'file', descriptor.size);
    if (chunks === undefined && (await output.keep?.(descriptor)) === true) {
      onBytes?.(descriptor.size);
      await output.write(memberPadding(descriptor.size));
      return;
    }
    isInMember = true;
    const start = output.position;
    for await (const chunk of chunks ?? open(0, ring)) {
      signal?.throwIfAborted();
      await output.write(chunk);
      onBytes?.(chunk.length);
    }
    if (output.position !== start + descriptor.size)
      throw new RegtarError('INTERNAL', `${descriptor.digest} has another size than its header says`);
    await output.write(memberPadding(descriptor.size));
    isInMember = false;
  };

  const start = async (): Promise<void> => {
    if (isStarted) return;
    isStarted = true;
    for (const file of format.opening) await writeFile(file);
  };
  /** What fails leaves the archive as it was. */
  const orNothing = async (work: () => Promise<void>): Promise<void> => {
    await start();
    const mark = output.position;
    added = [];
    try {
      await work();
    } catch (error) {
      if (output.rewindable) {
        await output.rewind(mark);
        for (const path of added) paths.delete(path);
        isInMember = false;
      } else isSpoilt = isInMember;
      throw error;
    }
  };

  return {
    get images() {
      return images;
    },
    get isSpoilt() {
      return isSpoilt;
    },
    has: (digest) => paths.has(format.blobPath(digest)),
    sizeWith(image, blobs) {
      const sizes = [
        ...blobs.map(({ descriptor }) => descriptor),
        ...image.manifests.map(({ descriptor }) => descriptor),
      ].filter(({ digest }) => !paths.has(format.blobPath(digest)));
      return sizes.reduce(
        (total, { size }) => total + memberBytes(size),
        output.position + closingBytes + documents.measure(image) + closingRoom,
      );
    },
    async write(image, blobs, { signal }) {
      await orNothing(async () => {
        const owed = blobs.filter(({ descriptor }) => !paths.has(format.blobPath(descriptor.digest)));
        for await (const { blob, chunks, ring } of prefetchBlobs(owed, rings, output.willKeep)) {
          signal?.throwIfAborted();
          await writeBlob(blob, chunks, ring);
        }
        for (const { descriptor, bytes } of image.manifests)
          await writeFile({ path: format.blobPath(descriptor.digest), bytes });
      });
      closingBytes += documents.measure(image);
      for (const file of documents.following(image)) await writeFile(file);
      documents.add(image);
      images++;
    },
    async writeAlone(blob) {
      if (!paths.has(format.blobPath(blob.descriptor.digest)))
        await orNothing(() => writeBlob(blob, undefined, rings[0]));
    },
    async complete({ before } = {}) {
      await start();
      for (const file of documents.closing()) await writeFile(file);
      await output.write(endOfArchive);
      await before?.(output.position);
      await output.complete();
    },
    discard: () => output.discard(),
    leave: async () => output.leave?.(),
    amend: async (bytes) => output.amend?.(bytes),
    get bytes() {
      return output.position;
    },
    get kept() {
      return output.kept ?? 0;
    },
  };
}

/** The documents' own headers, padding and brackets, and the end of the archive. */
const closingRoom = 8 * 1024;
