import type { FormatDeclaration } from '../format.ts';
import { dirTraits } from './traits.ts';

/** Trees of skopeo's `dir` images. @see containers-transports(5), dir */
export const dir = {
  title: 'dir tree',
  reportKind: 'dir',
  help: [
    'A folder for each image, as skopeo sync reads it, multi-arch',
    'images included. --path-style safe for exFAT and NTFS.',
  ],
  holds: dirTraits,
  delta: false,
  options: ['pathStyle'],
  folder: async () => (await import('./folder.ts')).openDirSink,
  paths: /(?:^|\/)(?:version|manifest\.json|\.regtar\.json|(?:sha512-)?[0-9a-f]{64,128}(?:\.manifest\.json)?)$/,
  reader: async () => (await import('./reader.ts')).openDirReader,
} as const satisfies FormatDeclaration;
