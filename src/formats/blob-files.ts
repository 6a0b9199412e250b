import { readFileSync, rmSync } from 'node:fs';
import type { BlobNumbers, BlobOutcome, ImageWriter } from '../content/contracts.ts';
import { createFileFetcher } from '../io/file-fetcher.ts';
import { hasDigest } from '../io/file-digest.ts';
import { copyWholeFile, isWholeFile, linkFile } from '../io/link-file.ts';
import { giveTo, type OutputFolder, type OwnerIds } from '../io/output-folder.ts';
import { onOutput } from '../io/output-error.ts';
import { createTurns } from '../io/per-key.ts';
import { giveName, writeBody, writeSmallFile } from '../io/write-file.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { DigestNumbers } from '../oci/digest-numbers.ts';

/**
 * Blobs that are fetched at once: more only wait for the same line, and where no thread fetches them each has buffers
 * of 5 MiB.
 */
export const parallelFarBlobs = 8;

/** A folder that holds blobs. A blob's name there follows from its digest, so that none is kept for each of them. */
export interface BlobHolder {
  /** May change: a folder is renamed when its image is complete. */
  path(digest: Digest): string;
  /** Whether something may be there already, from an earlier run. */
  readonly mayExist: boolean;
}

/** Blobs as files, each written once: a second name is a hard link, or a copy where links fail. */
export interface BlobFiles {
  put(
    blob: Descriptor,
    holder: BlobHolder,
    open: Parameters<ImageWriter['putBlob']>[1],
    options: Parameters<ImageWriter['putBlob']>[2],
  ): Promise<BlobOutcome>;
  /** The same for bytes that are in memory: manifests. */
  putBytes(blob: Descriptor, holder: BlobHolder, bytes: Uint8Array): BlobOutcome;
  /** Ends what is under way. */
  close(): Promise<void>;
  /** How many blobs had to be copied because a hard link was refused. */
  copies(): number;
}

/** How blobs become files. */
export interface BlobFilesOptions {
  /** @see FileSinkOptions.link */
  readonly link?: boolean | undefined;
  /** @see FileSinkOptions.numbers */
  readonly numbers?: BlobNumbers | undefined;
  readonly owner?: OwnerIds | undefined;
  /** Reads what is there from an earlier run. @defaultValue false: its size counts */
  readonly verify?: boolean | undefined;
}

/** What a person should know of shared blobs. @see ImageSink.notes */
export function copyNotes(files: BlobFiles, out: string): readonly string[] {
  return files.copies() === 0
    ? []
    : [`${files.copies()} shared blobs were copied, because ${out} takes no more hard links`];
}

/** Files appear under their name by rename, when all their bytes have been verified. */
export function createBlobFiles(folder: OutputFolder, options: BlobFilesOptions): BlobFiles {
  // Two images that share a blob must not write it twice.
  const turns = createTurns<Digest>();
  const holders = createHolders(options.numbers);
  const fetcher = createFileFetcher();
  let copies = 0;

  const isKnown = ({ digest }: Descriptor, holder: BlobHolder, path: string): boolean => {
    const known = holders.get(digest);
    return known === holder || known?.path(digest) === path;
  };
  const mayBeThere = (blob: Descriptor, holder: BlobHolder, path: string): boolean =>
    holder.mayExist && isWholeFile(path, blob.size);
  const settle = (blob: Descriptor, holder: BlobHolder, path: string, isRight: boolean): boolean => {
    if (!isRight) onOutput(path, () => rmSync(path));
    else if (holders.get(blob.digest) === undefined) holders.set(blob.digest, holder);
    return isRight;
  };
  const found = async (blob: Descriptor, holder: BlobHolder, path: string): Promise<boolean> =>
    isKnown(blob, holder, path) ||
    (mayBeThere(blob, holder, path) &&
      settle(blob, holder, path, options.verify !== true || (await hasDigest(path, blob.digest))));
  const foundBytes = (blob: Descriptor, holder: BlobHolder, path: string, bytes: Uint8Array): boolean =>
    isKnown(blob, holder, path) ||
    (mayBeThere(blob, holder, path) &&
      settle(blob, holder, path, options.verify !== true || readFileSync(path).equals(bytes)));
  const moveIn = (temporary: string, { digest }: Descriptor, holder: BlobHolder): void => {
    if (options.owner !== undefined) giveTo(temporary, options.owner);
    giveName(temporary, holder.path(digest));
  };
  const unlessItFails = async (temporary: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  };
  const repeat = async (blob: Descriptor, known: BlobHolder, holder: BlobHolder): Promise<void> => {
    const { digest } = blob;
    if (linkFile(known.path(digest), holder.path(digest), blob.size)) return;
    copies++;
    const temporary = folder.temporaryPath();
    await unlessItFails(temporary, async () => {
      await copyWholeFile(() => known.path(digest), temporary);
      moveIn(temporary, blob, holder);
    });
    // The file may have as many names as the file system allows, so the next links go to the copy.
    holders.set(digest, holder);
  };

  return {
    put: (blob, holder, open, { file, isFileVerified, far, signal, onBytes }) =>
      turns.run(blob.digest, async () => {
        const path = holder.path(blob.digest);
        if (await found(blob, holder, path)) return 'present';
        const known = holders.get(blob.digest);
        if (known !== undefined) {
          await repeat(blob, known, holder);
          return 'present';
        }
        if ((options.link === true || isFileVerified === true) && file !== undefined && linkFile(file, path, blob.size))
          onBytes?.(Math.max(0, blob.size));
        else {
          const temporary = folder.temporaryPath();
          await unlessItFails(temporary, async () => {
            const bytes = far?.();
            const isFetched =
              bytes?.size === blob.size && (await fetcher.fetch(temporary, bytes, blob.digest, { signal, onBytes }));
            if (!isFetched) await writeBody(temporary, open(), { signal, onBytes });
            moveIn(temporary, blob, holder);
          });
        }
        holders.set(blob.digest, holder);
        return 'written';
      }),
    putBytes(blob, holder, bytes) {
      const path = holder.path(blob.digest);
      if (foundBytes(blob, holder, path, bytes)) return 'present';
      const known = holders.get(blob.digest);
      if (known !== undefined && linkFile(known.path(blob.digest), path, blob.size)) return 'present';
      const temporary = folder.temporaryPath();
      writeSmallFile(temporary, bytes);
      moveIn(temporary, blob, holder);
      holders.set(blob.digest, holder);
      return 'written';
    },
    copies: () => copies,
    close: () => fetcher.close(),
  };
}

/** Where each blob is: of half a million, a map of digests would take a hundred megabytes. */
function createHolders(known: BlobNumbers | undefined) {
  const others = new DigestNumbers();
  const byKnown = new Array<BlobHolder | undefined>(known?.size ?? 0).fill(undefined);
  const byOther: (BlobHolder | undefined)[] = [];
  return {
    get(digest: Digest): BlobHolder | undefined {
      const number = known?.find(digest) ?? -1;
      return number < 0 ? byOther[others.find(digest)] : byKnown[number];
    },
    set(digest: Digest, holder: BlobHolder): void {
      const number = known?.find(digest) ?? -1;
      if (number < 0) byOther[others.numberOf(digest)] = holder;
      else byKnown[number] = holder;
    },
  };
}
