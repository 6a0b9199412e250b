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
} as const satisfies FormatDeclaration;
