import { digestAlgorithm, digestOf, type Digest } from '../oci/digest.ts';
import { blobFileName, childFileName, imageFolderName } from '../formats/dir/names.ts';
import type { CheckedTarget, ExpectedImage } from './contract.ts';
import type { Files } from './files.ts';
import { hashBody } from './layout-target.ts';

/** A tree of skopeo's `dir` images, in either style of names. @see containers-transports(5), dir */
export function dirTarget(files: Files): CheckedTarget {
  const folderOf = (image: ExpectedImage): string => {
    const named = { ...image, root: { digest: image.digest } };
    const safe = imageFolderName(named, 'safe');
    return files.size(`${safe}/manifest.json`) === undefined ? imageFolderName(named, 'skopeo') : safe;
  };
  const blobPath = (image: ExpectedImage, digest: Digest): string => `${folderOf(image)}/${blobFileName(digest)}`;
  return {
    describe: files.describe,
    parallel: 2,
    async digestOf(image) {
      const folder = folderOf(image);
      const bytes = files.read(`${folder}/manifest.json`);
      // The file that makes an image complete.
      if (bytes === undefined || files.size(`${folder}/version`) === undefined) return undefined;
      return digestOf(bytes, digestAlgorithm(image.digest));
    },
    readManifest: async (image, digest) =>
      files.read(
        digest === image.digest ? `${folderOf(image)}/manifest.json` : `${folderOf(image)}/${childFileName(digest)}`,
      ),
    statBlob: async (image, digest) => files.size(blobPath(image, digest)),
    hashBlob: async (image, digest) => hashBody(files.open(blobPath(image, digest)), digest),
    placeOf: folderOf,
  };
}
