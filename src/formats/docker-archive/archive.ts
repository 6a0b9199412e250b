import type { ImageSink } from '../../content/contracts.ts';
import { RegtarError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { compareCodePoints } from '../../oci/reference.ts';
import { createArchiveSink } from '../archive/archive-sink.ts';
import type { ArchivedImage, ArchiveDocuments } from '../archive/archive-format.ts';
import { dockerArchiveTraits } from './traits.ts';
import { indexDocuments, layoutArchive } from '../oci/archive.ts';
import { loaderName } from '../oci/index-file.ts';
import type { FileSinkOptions } from '../options.ts';

/**
 * One image in `manifest.json`; RepoTags is null for an image without a name.
 * @see Docker, image specification v1.2, "Combined Image JSON + Filesystem Changeset Format"
 */
interface SavedImage {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

/**
 * What `docker save` writes since Docker 25: an OCI layout with a `manifest.json`, so that every loader takes it.
 * Layers stay compressed as they are stored: loaders decompress them and check the diff IDs.
 */
export function openDockerArchiveSink(options: FileSinkOptions): ImageSink {
  return createArchiveSink(
    { ...layoutArchive, name: 'docker-archive', createDocuments: () => dockerDocuments(options.prefix) },
    dockerArchiveTraits,
    options,
  );
}

function dockerDocuments(prefix: string | undefined): ArchiveDocuments {
  const index = indexDocuments({ refName: 'full', prefix });
  const images = new Map<Digest, { readonly image: SavedImage; readonly tags: Set<string> }>();
  return {
    measure: (image) =>
      index.measure(image) +
      Buffer.byteLength(JSON.stringify({ ...savedImage(image), RepoTags: [loaderName(image.target, prefix)] })) +
      1,
    following: () => [],
    add(image) {
      const { target } = image;
      const known = images.get(target.root.digest) ?? { image: savedImage(image), tags: new Set() };
      if (target.tag !== undefined) known.tags.add(loaderName(target, prefix));
      images.set(target.root.digest, known);
      index.add(image);
    },
    closing() {
      const saved = [...images.values()].map(({ image, tags }): SavedImage => ({
        ...image,
        RepoTags: tags.size === 0 ? null : [...tags].sort(compareCodePoints),
      }));
      saved.sort((left, right) => compareCodePoints(sortKey(left), sortKey(right)));
      return [...index.closing(), { path: 'manifest.json', bytes: Buffer.from(JSON.stringify(saved)) }];
    },
  };
}

function savedImage({ target, manifests }: ArchivedImage): SavedImage {
  const root = manifests.find(({ descriptor }) => descriptor.digest === target.root.digest);
  const manifest = root === undefined ? undefined : parseManifest(root.bytes, target.root.mediaType);
  if (manifest?.kind !== 'image' || manifest.config === undefined)
    throw new RegtarError('MANIFEST_UNSUPPORTED', `${loaderName(target, undefined)} is not a single image`, {
      where: { digest: target.root.digest },
    });
  // A layer that occurs twice stands there twice: loaders count them against the config's diff IDs.
  return {
    Config: layoutArchive.blobPath(manifest.config.digest),
    RepoTags: null,
    Layers: manifest.layers.map(({ digest }) => layoutArchive.blobPath(digest)),
  };
}

function sortKey({ RepoTags, Config }: SavedImage): string {
  return `${RepoTags?.[0] ?? ''}\n${Config}`;
}
