import { readFileSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { RegtarError } from '../../errors.ts';
import type { ImageSink, ImageTarget, ImageWriter } from '../../content/contracts.ts';
import { isWholeFile } from '../../io/link-file.ts';
import { giveTo, openOutputFolder, type OutputFolder } from '../../io/output-folder.ts';
import { writeFileAtomically, writeSmallFile } from '../../io/write-file.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { formatImageReference } from '../../oci/reference.ts';
import { blobPath, tagCurrentPath } from './layout.ts';
import { createArchiveSink } from '../archive/archive.ts';
import type { ArchiveFile } from '../archive/archive-format.ts';
import { copyNotes, createBlobFiles, type BlobPlace } from '../blob-files.ts';
import { lazySink, type OpenedSink } from '../lazy-sink.ts';
import type { FileSinkOptions } from '../options.ts';
import { registryTraits } from './traits.ts';
import { imageLinks } from './archive-links.ts';

const parallelFiles = 2;

/**
 * The storage of a Distribution registry in a folder, with what was selected and nothing else. A tag appears when everything that it
 * needs is there, so the tree is sound whenever the writing stops.
 * @throws RegtarError OUTPUT_FOREIGN, OUTPUT_BUSY, OUTPUT_FULL, OUTPUT_UNWRITABLE, USAGE for --link with --owner
 */
export function openRegistrySink(options: FileSinkOptions): ImageSink {
  const describe = (target: ImageTarget): string =>
    `registry:${options.out}:${formatImageReference({ ...target, digest: target.root.digest })}`;
  return lazySink({ traits: { ...registryTraits, parallelBlobs: parallelFiles }, describe }, () => startTree(options));
}

/** The same as an archive; members of an image follow each other, its tag last. */
export function openRegistryArchiveSink(options: FileSinkOptions): ImageSink {
  const format = {
    name: 'registry',
    blobPath,
    opening: { path: 'docker/', bytes: new Uint8Array() },
    directories: true,
    createDocuments: () => ({ measure: () => 0, add: imageLinks, closing: () => [] }),
  };
  return createArchiveSink(format, registryTraits, options);
}

function startTree(options: FileSinkOptions): OpenedSink {
  const { owner } = options;
  if (options.link === true && owner !== undefined) {
    throw new RegtarError(
      'USAGE',
      '--link and --owner exclude each other: a linked file would change hands in the source, too',
      { hint: 'leave one of them out' },
    );
  }
  const folder = openOutputFolder(options.out, { format: 'registry', force: options.force ?? false, owner });
  const files = createBlobFiles(folder, { link: options.link ?? false, owner });
  const placeOf = (digest: Digest): BlobPlace => {
    const path = join(folder.path, blobPath(digest));
    return { path: () => path, mayExist: !folder.isFresh };
  };
  const folderOf = (digest: Digest): void => makeFolderOf(folder, join(folder.path, blobPath(digest)));
  return {
    begin: async (target) => {
      const manifests: { descriptor: Descriptor; bytes: Uint8Array }[] = [];
      const writer: ImageWriter = {
        putBlob: (blob, open, o) => {
          folderOf(blob.digest);
          return files.put(blob, placeOf(blob.digest), open, o);
        },
        putManifest: async (descriptor, bytes) => {
          manifests.push({ descriptor, bytes });
          folderOf(descriptor.digest);
          return files.putBytes(descriptor, placeOf(descriptor.digest), bytes);
        },
        commit: async () => {
          const current =
            target.tag === undefined ? undefined : join(folder.path, tagCurrentPath(target.repository, target.tag));
          for (const link of imageLinks({ target, manifests }))
            writeLink(folder, join(folder.path, link.path), link, current, options);
        },
        abort: async () => undefined,
      };
      return writer;
    },
    finish: async () => undefined,
    close: async () => folder.close(),
    notes: () => copyNotes(files, options.out),
  };
}

/**
 * A link that names its digest in its path needs no second look, and must not be opened again: another image of the repository may be
 * whole because of it, and a run that is killed between opening and writing would leave it empty. What a tag means now may have changed;
 * only that is read before the image is whole, so only that appears by rename.
 */
function writeLink(
  folder: OutputFolder,
  path: string,
  { bytes, modified }: ArchiveFile,
  current: string | undefined,
  { owner }: FileSinkOptions,
): void {
  if (!isWholeFile(path, bytes.length) || (path === current && !readFileSync(path).equals(bytes))) {
    makeFolderOf(folder, path);
    if (path === current) writeFileAtomically(path, bytes, folder.temporaryPath(), { sync: false });
    else writeSmallFile(path, bytes);
    if (owner !== undefined) giveTo(path, owner);
  }
  if (modified !== undefined) keepTime(path, modified);
}

function keepTime(path: string, seconds: number): void {
  try {
    utimesSync(path, seconds, seconds);
  } catch {
    // Whoever may write a file may not always date it, and no image fails for its date.
  }
}

/** The last folder belongs to one blob or link alone and is not remembered; the one above it is shared. */
function makeFolderOf(folder: OutputFolder, path: string): void {
  const own = dirname(path);
  folder.ensureFolder(dirname(own));
  folder.makeFolder(own);
}
