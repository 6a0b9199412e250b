import { readFileSync, rmSync } from 'node:fs';
import type { BlobOutcome, ImageWriter } from '../content/contracts.ts';
import { hasDigest } from '../io/file-digest.ts';
import { copyWholeFile, isWholeFile, linkFile } from '../io/link-file.ts';
import { giveTo, type OutputFolder, type OwnerIds } from '../io/output-folder.ts';
import { onOutput } from '../io/output-error.ts';
import { createTurns } from '../io/per-key.ts';
import { giveName, writeBody, writeSmallFile } from '../io/write-file.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** A name that a blob has in the output. */
export interface BlobPlace {
  /** May change: a folder is renamed when its image is complete. */
  path(): string;
  /** Whether something may be there already, from an earlier run. */
  readonly mayExist: boolean;
}

/** Blobs as files, each written once: a second name is a hard link, or a copy where links fail. */
export interface BlobFiles {
  put(
    blob: Descriptor,
    place: BlobPlace,
    open: Parameters<ImageWriter['putBlob']>[1],
    options: Parameters<ImageWriter['putBlob']>[2],
  ): Promise<BlobOutcome>;
  /** The same for bytes that are in memory: manifests. */
  putBytes(blob: Descriptor, place: BlobPlace, bytes: Uint8Array): BlobOutcome;
  /** How many blobs had to be copied because a hard link was refused. */
  copies(): number;
}

/** How blobs become files. */
export interface BlobFilesOptions {
  /** @see FileSinkOptions.link */
  readonly link: boolean;
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
  const places = new Map<Digest, BlobPlace>();
  let copies = 0;

  const isKnown = (blob: Descriptor, place: BlobPlace, path: string): boolean => {
    const known = places.get(blob.digest);
    return known === place || known?.path() === path;
  };
  const mayBeThere = (blob: Descriptor, place: BlobPlace, path: string): boolean =>
    place.mayExist && isWholeFile(path, blob.size);
  const settle = (blob: Descriptor, place: BlobPlace, path: string, isRight: boolean): boolean => {
    if (!isRight) onOutput(path, () => rmSync(path));
    else if (!places.has(blob.digest)) places.set(blob.digest, place);
    return isRight;
  };
  const found = async (blob: Descriptor, place: BlobPlace, path: string): Promise<boolean> =>
    isKnown(blob, place, path) ||
    (mayBeThere(blob, place, path) &&
      settle(blob, place, path, options.verify !== true || (await hasDigest(path, blob.digest))));
  const foundBytes = (blob: Descriptor, place: BlobPlace, path: string, bytes: Uint8Array): boolean =>
    isKnown(blob, place, path) ||
    (mayBeThere(blob, place, path) &&
      settle(blob, place, path, options.verify !== true || readFileSync(path).equals(bytes)));
  const moveIn = (temporary: string, place: BlobPlace): void => {
    if (options.owner !== undefined) giveTo(temporary, options.owner);
    giveName(temporary, place.path());
  };
  const unlessItFails = async (temporary: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  };
  const repeat = async (blob: Descriptor, known: BlobPlace, place: BlobPlace): Promise<void> => {
    if (linkFile(known.path(), place.path(), blob.size)) return;
    copies++;
    const temporary = folder.temporaryPath();
    await unlessItFails(temporary, async () => {
      await copyWholeFile(() => known.path(), temporary);
      moveIn(temporary, place);
    });
    // The file may have as many names as the file system allows, so the next links go to the copy.
    places.set(blob.digest, place);
  };

  return {
    put: (blob, place, open, { file, isFileVerified, signal, onBytes }) =>
      turns.run(blob.digest, async () => {
        if (await found(blob, place, place.path())) return 'present';
        const known = places.get(blob.digest);
        if (known !== undefined) {
          await repeat(blob, known, place);
          return 'present';
        }
        if ((options.link || isFileVerified === true) && file !== undefined && linkFile(file, place.path(), blob.size))
          onBytes?.(Math.max(0, blob.size));
        else {
          const temporary = folder.temporaryPath();
          await unlessItFails(temporary, async () => {
            await writeBody(temporary, open(), { signal, onBytes });
            moveIn(temporary, place);
          });
        }
        places.set(blob.digest, place);
        return 'written';
      }),
    putBytes(blob, place, bytes) {
      const path = place.path();
      if (foundBytes(blob, place, path, bytes)) return 'present';
      const known = places.get(blob.digest);
      if (known !== undefined && linkFile(known.path(), path, blob.size)) return 'present';
      const temporary = folder.temporaryPath();
      writeSmallFile(temporary, bytes);
      moveIn(temporary, place);
      places.set(blob.digest, place);
      return 'written';
    },
    copies: () => copies,
  };
}
