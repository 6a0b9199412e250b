import type { ImageSink, ImageTarget } from '../../content/contracts.ts';
import { digestAlgorithm, digestHex } from '../../oci/digest.ts';
import { createArchiveSink } from '../archive/archive-sink.ts';
import type { ArchiveDocuments, ArchiveFormat } from '../archive/archive-format.ts';
import { emptyIndex, indexEntry, layoutFile, layoutIndex, type Naming } from './index-file.ts';
import { ociTraits } from './traits.ts';
import type { FileSinkOptions } from '../options.ts';

/**
 * OCI layouts as archives, in one pass: `oci-layout` first, `index.json` last, so that an archive that was cut is no
 * layout.
 * @see OCI image-spec v1.1 image-layout.md
 */
export function openOciArchiveSink(options: FileSinkOptions): ImageSink {
  return createArchiveSink(ociArchive(options), ociTraits, options);
}

/** An OCI layout as an archive. */
export function ociArchive({ prefix }: Pick<FileSinkOptions, 'prefix'>): ArchiveFormat {
  return {
    ...layoutArchive,
    name: 'oci-archive',
    createDocuments: () => indexDocuments({ refName: 'full', prefix }),
  };
}

/** What OCI archives and docker-archives have in common. */
export const layoutArchive = {
  blobPath: (digest) => `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`,
  opening: [{ path: 'oci-layout', bytes: layoutFile }],
  directories: false,
} satisfies Partial<ArchiveFormat>;

/** The `index.json` of an archive. */
export function indexDocuments(naming: Naming): ArchiveDocuments {
  const targets: ImageTarget[] = [];
  return {
    measure: ({ target }) => Buffer.byteLength(JSON.stringify(indexEntry(target, naming))) + 1,
    following: () => [],
    add: ({ target }) => void targets.push(target),
    closing: () => [{ path: 'index.json', bytes: layoutIndex(emptyIndex, targets, naming) }],
  };
}
