import type { FormatDeclaration } from '../format.ts';
import { dockerArchiveTraits } from './traits.ts';

/** What `docker save` writes. @see Docker, image specification v1.2 */
export const dockerArchive = {
  title: 'docker archive',
  reportKind: 'docker-archive',
  help: [
    'One file for docker load, podman load, ctr, k3s. It holds one',
    'platform of an image: choose with --platform.',
    '--split image, repository or a size writes several files.',
  ],
  holds: dockerArchiveTraits,
  delta: false,
  options: ['prefix', 'split'],
  archive: async () => (await import('./archive.ts')).openDockerArchiveSink,
  // Configs are `<hex>.json` or `sha256:<hex>`, layers `<id>/layer.tar`, `<hex>.tar`, `<hex>.tar.gz` or blobs.
  paths: /(?:^|\/)(?:manifest\.json|repositories|[^/]+\.(?:json|tar|tar\.gz|tgz)|(?:sha256:)?[0-9a-f]{64})$/,
  reader: async () => (await import('./reader.ts')).openDockerArchiveReader,
} as const satisfies FormatDeclaration;
