import type { ImageSink } from '../../content/contracts.ts';
import { digestAlgorithm, digestHex } from '../../oci/digest.ts';
import { createArchiveSink } from '../archive/archive.ts';
import type { ArchiveDocuments, ArchiveFormat } from '../archive/archive-format.ts';
import {
  emptyIndex,
  formatLayoutIndex,
  indexEntry,
  layoutFile,
  mergeIndex,
  type IndexEntry,
  type Naming,
} from './index-file.ts';
import { ociTraits } from './traits.ts';
import type { FileSinkOptions } from '../options.ts';

/**
 * OCI layouts as archives, in one pass: `oci-layout` first, `index.json` last, so that an archive that was cut is no
 * layout.
 * @see OCI image-spec v1.1 image-layout.md
 */
export function openOciArchiveSink(options: FileSinkOptions): ImageSink {
  return createArchiveSink(
    {
      ...layoutArchive,
      name: 'oci-archive',
      createDocuments: () => indexDocuments({ refName: 'full', prefix: options.prefix }),
    },
    ociTraits,
    options,
  );
}

/** What OCI archives and docker-archives have in common. */
export const layoutArchive = {
  blobPath: (digest) => `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`,
  opening: { path: 'oci-layout', bytes: layoutFile },
  directories: false,
} satisfies Partial<ArchiveFormat>;

/** The `index.json` of an archive. */
export function indexDocuments(naming: Naming): ArchiveDocuments {
  const entries: IndexEntry[] = [];
  return {
    measure: ({ target }) => JSON.stringify(indexEntry(target, naming)).length + 1,
    add({ target }) {
      entries.push(indexEntry(target, naming));
      return [];
    },
    closing: () => [{ path: 'index.json', bytes: formatLayoutIndex(mergeIndex(emptyIndex, entries)) }],
  };
}
