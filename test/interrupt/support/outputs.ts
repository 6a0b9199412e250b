import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { snapshot } from '../../e2e/support/snapshot.ts';
import { findDirImages, readDirImage, readLayout } from '../../support/read-layout.ts';
import { readStorage } from '../../support/read-storage.ts';

/** A kind of output, and what must hold of it whenever its writing stops. */
export interface Subject {
  readonly format: 'oci' | 'dir' | 'registry' | 'docker-archive';
  /** OUT below a folder of its own. */
  readonly out: string;
  readonly flags: readonly string[];
  /** @throws Error when anything looks complete and is not */
  readonly checkWhatShows: (out: string, whole: Record<string, string>) => Promise<void>;
}

export const subjects: readonly Subject[] = [
  {
    format: 'oci',
    out: 'out',
    flags: [],
    checkWhatShows: async (out) => void (existsSync(join(out, 'index.json')) && (await readLayout(out))),
  },
  {
    format: 'dir',
    out: 'out',
    flags: [],
    checkWhatShows: async (out) => {
      if (existsSync(out))
        for (const image of findDirImages(out).filter((path) => !path.startsWith('.regtar-tmp/')))
          await readDirImage(join(out, image));
    },
  },
  { format: 'registry', out: 'out', flags: [], checkWhatShows: async (out) => void (await readStorage(out)) },
  {
    format: 'docker-archive',
    out: 'out.tar',
    flags: ['--platform', 'linux/amd64'],
    checkWhatShows: (out, whole) =>
      existsSync(out) && snapshot(out)[''] !== whole['']
        ? Promise.reject(new Error(`${out} is there and is not whole`))
        : Promise.resolve(),
  },
];

/** What only an unfinished run may leave. */
export function unfinished(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => /(^|\/)\.regtar-/.test(path));
}
