import type { FormatDeclaration } from '../format.ts';
import { ociTraits } from './traits.ts';

/** OCI image layouts. @see OCI image-spec v1.1 image-layout.md */
export const oci = {
  title: 'OCI layout',
  reportKind: 'oci',
  help: [
    'A folder, or one file where OUT ends in .tar or is -: an OCI',
    'image layout with all repositories. The default.',
    'For oras, zot, regctl, ctr, k3s, recent skopeo and podman.',
    '--per-repository writes one layout for each repository.',
  ],
  holds: ociTraits,
  delta: true,
  options: ['perRepository', 'prefix', 'split', 'volumeSize'],
  folder: async () => (await import('./folder.ts')).openOciSink,
  archive: async () => (await import('./archive.ts')).openOciArchiveSink,
  volume: async () => (await import('./archive.ts')).ociArchive,
  paths: /(?:^|\/)(?:oci-layout|index\.json|blobs\/sha(?:256|512)\/[0-9a-f]+)$/,
  reader: async () => (await import('./reader.ts')).openOciReader,
} as const satisfies FormatDeclaration;
