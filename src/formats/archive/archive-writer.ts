import type { WriteOptions } from '../../content/contracts.ts';
import type { OwnerIds } from '../../io/output-folder.ts';
import type { OutputStream } from '../../io/output-stream.ts';
import type { Digest } from '../../oci/digest.ts';
import { endOfArchive, memberBytes } from '../../tar/write-header.ts';
import type { ArchivedImage, ArchiveFormat } from './archive-format.ts';
import { createMemberWriter } from './member-writer.ts';
import { prefetchBlobs, type PutBlob, type PrefetchRings } from './prefetch-blobs.ts';

/** One archive under way. */
export interface ArchiveWriter {
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

/** @param rings for blobs on their way; archives that follow each other share them */
export function startArchive(
  format: ArchiveFormat,
  output: OutputStream,
  owner: OwnerIds | undefined,
  rings: PrefetchRings,
): ArchiveWriter {
  const documents = format.createDocuments();
  const members = createMemberWriter(output, { directories: format.directories, owner });
  let images = 0;
  let closingBytes = 0;
  let isStarted = false;

  const has = (digest: Digest): boolean => members.has(format.blobPath(digest));
  const start = async (): Promise<void> => {
    if (isStarted) return;
    isStarted = true;
    for (const file of format.opening) await members.writeFile(file);
  };

  return {
    get images() {
      return images;
    },
    get isSpoilt() {
      return members.isSpoilt;
    },
    has,
    sizeWith(image, blobs) {
      const sizes = [
        ...blobs.map(({ descriptor }) => descriptor),
        ...image.manifests.map(({ descriptor }) => descriptor),
      ].filter(({ digest }) => !has(digest));
      return sizes.reduce(
        (total, { size }) => total + memberBytes(size),
        output.position + closingBytes + documents.measure(image) + closingRoom,
      );
    },
    async write(image, blobs, { signal }) {
      await start();
      await members.orNothing(async () => {
        const missing = blobs.filter(({ descriptor }) => !has(descriptor.digest));
        for await (const { blob, chunks, ring } of prefetchBlobs(missing, rings, output.willKeep)) {
          signal?.throwIfAborted();
          await members.writeBlob(format.blobPath(blob.descriptor.digest), blob, chunks, ring);
        }
        for (const { descriptor, bytes } of image.manifests)
          await members.writeFile({ path: format.blobPath(descriptor.digest), bytes });
      });
      closingBytes += documents.measure(image);
      for (const file of documents.following(image)) await members.writeFile(file);
      documents.add(image);
      images++;
    },
    async writeAlone(blob) {
      const path = format.blobPath(blob.descriptor.digest);
      if (members.has(path)) return;
      await start();
      await members.orNothing(() => members.writeBlob(path, blob, undefined, rings[0]));
    },
    async complete({ before } = {}) {
      await start();
      for (const file of documents.closing()) await members.writeFile(file);
      await output.write(endOfArchive);
      await before?.(output.position);
      await output.complete();
    },
    discard: () => output.discard(),
    leave: async () => output.leave?.(),
    amend: async (bytes) => output.amend?.(bytes),
    get kept() {
      return output.kept ?? 0;
    },
  };
}

/** The documents' own headers, padding and brackets, and the end of the archive. */
const closingRoom = 8 * 1024;
