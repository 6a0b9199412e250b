import type { ArchiveFormat } from '../archive/archive-format.ts';
import { imageLinks } from './archive-links.ts';
import { blobPath } from './layout.ts';

/** The storage of a registry as an archive; its directories are members, for the owner's sake. */
export const registryArchive: ArchiveFormat = {
  name: 'registry',
  blobPath,
  opening: [{ path: 'docker/', bytes: new Uint8Array() }],
  directories: true,
  createDocuments: () => ({ measure: () => 0, following: imageLinks, add: () => undefined, closing: () => [] }),
};
