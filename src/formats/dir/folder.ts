import { lstatSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ImageSink, ImageTarget, ImageWriter } from '../../content/contracts.ts';
import { onOutput } from '../../io/output-error.ts';
import { openOutputFolder, type OutputFolder } from '../../io/output-folder.ts';
import { giveName, writeSmallFile } from '../../io/write-file.ts';
import { digestAlgorithm, digestOf, type Digest } from '../../oci/digest.ts';
import { copyNotes, createBlobFiles, type BlobFiles, type BlobPlace } from '../blob-files.ts';
import { dirTraits } from './traits.ts';
import { blobFileName, childFileName, imageFolderName } from './file-names.ts';
import { lazySink, type OpenedSink } from '../lazy-sink.ts';
import type { FileSinkOptions } from '../options.ts';

const parallelFiles = 2;
const rootName = 'manifest.json';

/**
 * skopeo's `dir`, one folder for each image, in a tree of repositories. A folder is built aside and renamed when it is
 * complete, so an image is there whole or not at all.
 * @throws RegtarError OUTPUT_FOREIGN, OUTPUT_BUSY, OUTPUT_FULL, OUTPUT_UNWRITABLE
 * @see containers-transports(5), dir; containers/image, directory/directory_dest.go
 */
export function openDirSink(options: FileSinkOptions): ImageSink {
  const nameOf = (target: ImageTarget): string => imageFolderName(target, options.pathStyle ?? 'skopeo');
  const traits = { ...dirTraits, parallelBlobs: parallelFiles };
  return lazySink({ traits, describe: (target) => join(options.out, nameOf(target)) }, () =>
    startTree(options, nameOf),
  );
}

function startTree(options: FileSinkOptions, nameOf: (target: ImageTarget) => string): OpenedSink {
  const folder = openOutputFolder(options.out, {
    format: options.pathStyle === 'safe' ? 'dir, safe names' : 'dir',
    force: options.force ?? false,
  });
  const files = createBlobFiles(folder, { link: options.link ?? false, verify: options.resume });
  return {
    begin: async (target) => openImage(folder, files, target, join(folder.path, nameOf(target))),
    finish: async () => undefined,
    close: async () => folder.close(),
    notes: () => copyNotes(files, options.out),
  };
}

function openImage(folder: OutputFolder, files: BlobFiles, target: ImageTarget, finalPath: string): ImageWriter {
  // The same image is there already: what it lacks, after a sparse export perhaps, is added in place, behind a manifest
  // that is right.
  const extend = !folder.isFresh && holdsImage(finalPath, target.root.digest);
  let path = extend ? finalPath : folder.temporaryPath();
  if (!extend) folder.makeFolder(path);
  let onlySha256 = true;
  const placeOf = (name: string, digest: Digest): BlobPlace => {
    if (digestAlgorithm(digest) !== 'sha256') onlySha256 = false;
    return { path: () => join(path, name), mayExist: extend };
  };
  return {
    putBlob: (blob, open, options) => files.put(blob, placeOf(blobFileName(blob.digest), blob.digest), open, options),
    putManifest: async (manifest, bytes) =>
      files.putBytes(
        manifest,
        placeOf(manifest.digest === target.root.digest ? rootName : childFileName(manifest.digest), manifest.digest),
        bytes,
      ),
    async commit() {
      if (extend) return 'present';
      writeSmallFile(
        join(path, 'version'),
        Buffer.from(`Directory Transport Version: ${onlySha256 ? '1.1' : '1.2'}\n`),
      );
      folder.ensureFolder(dirname(finalPath));
      moveAside(folder, finalPath);
      giveName(path, finalPath);
      path = finalPath;
      return 'written';
    },
    // What it has stays until the output is closed: other images may link it.
    abort: async () => undefined,
  };
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
