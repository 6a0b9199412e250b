import type { FormatDeclaration } from '../format.ts';
import { registryTraits } from './traits.ts';

/** The storage of a Distribution registry. @see docs/formats/registry.md */
export const registry = {
  title: 'storage of a registry',
  // `registry` is a server in reports.
  reportKind: 'registry-storage',
  help: [
    'The storage of a registry: a folder for /var/lib/registry, or',
    'a file where OUT ends in .tar. What nothing reaches is left',
    'out. --owner 10000:10000 for Harbor 1.x.',
  ],
  holds: registryTraits,
  delta: true,
  options: ['owner', 'split', 'volumeSize'],
  folder: async () => (await import('./writer.ts')).openRegistrySink,
  archive: async () => (await import('./writer.ts')).openRegistryArchiveSink,
  volume: async () => {
    const { registryArchive } = await import('./archive.ts');
    return () => registryArchive;
  },
  reader: async () => (await import('./reader.ts')).openRegistryReader,
} as const satisfies FormatDeclaration;
