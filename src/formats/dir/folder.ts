import { lstatSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ImageSink, ImageTarget, ImageWriter } from '../../content/contracts.ts';
import { onOutput } from '../../io/output-error.ts';
import { openOutputFolder, type OutputFolder } from '../../io/output-folder.ts';
import { giveName, writeSmallFile } from '../../io/write-file.ts';
import { digestAlgorithm, digestOf, type Digest } from '../../oci/digest.ts';
import { copyNotes, createBlobFiles, parallelFarBlobs, type BlobFiles, type BlobHolder } from '../blob-files.ts';
import { dirTraits } from './traits.ts';
import { blobFileName, childFileName, imageFolderName } from './file-names.ts';
import { lazySink, type OpenedSink } from '../lazy-sink.ts';
import type { FileSinkOptions } from '../options.ts';

const parallelFiles = 2;
const rootName = 'manifest.json';
const rootFileName = (): string => rootName;

/**
 * skopeo's `dir`, one folder for each image, in a tree of repositories. A folder is built aside and renamed when it is
 * complete, so an image is there whole or not at all.
 * @throws RegtarError OUTPUT_FOREIGN, OUTPUT_BUSY, OUTPUT_FULL, OUTPUT_UNWRITABLE
 * @see containers-transports(5), dir; containers/image, directory/directory_dest.go
 */
export function openDirSink(options: FileSinkOptions): ImageSink {
  const nameOf = (target: ImageTarget): string => imageFolderName(target, options.pathStyle ?? 'skopeo');
  const traits = { ...dirTraits, parallelBlobs: parallelFiles, parallelFarBlobs };
  return lazySink({ traits, describe: (target) => join(options.out, nameOf(target)) }, () =>
    startTree(options, nameOf),
  );
}

function startTree(options: FileSinkOptions, nameOf: (target: ImageTarget) => string): OpenedSink {
  const folder = openOutputFolder(options.out, {
    format: options.pathStyle === 'safe' ? 'dir, safe names' : 'dir',
    force: options.force ?? false,
  });
  const files = createBlobFiles(folder, { link: options.link, numbers: options.numbers, verify: options.resume });
  const pathOf = (target: ImageTarget): string => join(folder.path, nameOf(target));
  return {
    begin: async (target) => openImage(folder, files, new ImageFolder(target, pathOf)),
    finish: async () => undefined,
    close: async () => {
      await files.close();
      folder.close();
    },
    notes: () => copyNotes(files, options.out),
  };
}

function openImage(folder: OutputFolder, files: BlobFiles, image: ImageFolder): ImageWriter {
  const { target, path: finalPath } = image;
  // The same image is there already: what it lacks, after a sparse export perhaps, is added in place, behind a manifest
  // that is right.
  const extend = !folder.isFresh && holdsImage(finalPath, target.root.digest);
  if (!extend) folder.makeFolder((image.temporary = folder.temporaryPath()));
  const blobs = new PartOfImage(image, blobFileName);
  const children = new PartOfImage(image, childFileName);
  const root = new PartOfImage(image, rootFileName);
  let onlySha256 = true;
  const note = (digest: Digest): void => void (onlySha256 &&= digestAlgorithm(digest) === 'sha256');
  return {
    putBlob(blob, open, options) {
      note(blob.digest);
      return files.put(blob, blobs, open, options);
    },
    async putManifest(manifest, bytes) {
      note(manifest.digest);
      return files.putBytes(manifest, manifest.digest === target.root.digest ? root : children, bytes);
    },
    async commit() {
      if (extend) return 'present';
      writeSmallFile(
        join(image.path, 'version'),
        Buffer.from(`Directory Transport Version: ${onlySha256 ? '1.1' : '1.2'}\n`),
      );
      folder.ensureFolder(dirname(finalPath));
      moveAside(folder, finalPath);
      giveName(image.path, finalPath);
      image.temporary = undefined;
      return 'written';
    },
    // What it has stays until the output is closed: other images may link it.
    abort: async () => undefined,
  };
}

/** The folder of an image. Its path is made when it is asked for: all folders are remembered for their blobs. */
class ImageFolder {
  readonly target: ImageTarget;
  /** Where it is until it is complete; undefined where it has its name. */
  temporary: string | undefined;
  private readonly pathOf: (target: ImageTarget) => string;

  constructor(target: ImageTarget, pathOf: (target: ImageTarget) => string) {
    this.target = target;
    this.pathOf = pathOf;
  }

  get path(): string {
    return this.temporary ?? this.pathOf(this.target);
  }
}

/** Blobs, children or the root of an image's folder, each named in its own way. */
class PartOfImage implements BlobHolder {
  private readonly image: ImageFolder;
  private readonly nameOf: (digest: Digest) => string;

  constructor(image: ImageFolder, nameOf: (digest: Digest) => string) {
    this.image = image;
    this.nameOf = nameOf;
  }

  get mayExist(): boolean {
    return this.image.temporary === undefined;
  }

  path(digest: Digest): string {
    return join(this.image.path, this.nameOf(digest));
  }
}

/**
 * A folder of another image of this name, or one that lost its `version`, makes room. It goes with the other
 * temporaries.
 */
function moveAside(folder: OutputFolder, path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined)
    onOutput(path, () => renameSync(path, folder.temporaryPath()));
}

function holdsImage(path: string, root: Digest): boolean {
  try {
    readFileSync(join(path, 'version'));
    return digestOf(readFileSync(join(path, rootName)), digestAlgorithm(root)) === root;
  } catch {
    return false;
  }
}
