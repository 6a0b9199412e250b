import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDigest, type Digest } from '../../../src/oci/digest.ts';
import type { FormatDeclaration, OpenSink } from '../../../src/formats/format.ts';
import { createNameList } from '../../../src/formats/named-catalog.ts';
import { openPlaces } from '../../../src/formats/open-places.ts';
import type { OpenReader } from '../../../src/formats/reader.ts';
import type { Location } from '../../../src/source/backup.ts';

const holds = { schema1: true, indexes: true, artifacts: true } as const;

/** A format that nobody needs: files called by their digests, and a list of names. It shows what adding one takes. */
export const flat = {
  title: 'flat folder',
  reportKind: 'flat',
  help: ['A folder of files called by their digests.'],
  holds,
  delta: false,
  options: [],
  folder: async () => openFlatSink,
  paths: /(?:^|\/)(?:flat\.txt|sha256-[0-9a-f]{64})$/,
  reader: async () => openFlatReader,
} as const satisfies FormatDeclaration;

const openFlatSink: OpenSink = ({ out }) => {
  const names: string[] = [];
  const pathOf = (digest: Digest): string => join(out, digest.replace(':', '-'));
  const keep = (digest: Digest, bytes: Uint8Array): 'present' | 'written' => {
    if (existsSync(pathOf(digest))) return 'present';
    writeFileSync(pathOf(digest), bytes);
    return 'written';
  };
  return {
    traits: { ...holds, parallelBlobs: 1 },
    describe: ({ repository, tag, root }) => `flat:${out}:${repository}:${tag ?? root.digest}`,
    async begin({ repository, tag, root }) {
      mkdirSync(out, { recursive: true });
      return {
        async putBlob({ digest }, open) {
          const chunks: Uint8Array[] = [];
          for await (const chunk of open()) chunks.push(Uint8Array.from(chunk));
          return keep(digest, Buffer.concat(chunks));
        },
        putManifest: async ({ digest }, bytes) => keep(digest, bytes),
        commit: async () => {
          names.push(`${repository} ${tag ?? '-'} ${root.digest}`);
          return 'written';
        },
        abort: async () => undefined,
      };
    },
    finish: async () => writeFileSync(join(out, 'flat.txt'), names.sort().join('\n')),
    close: async () => undefined,
  };
};

const openFlatReader: OpenReader = (backup, files) => ({
  async finish(damage) {
    const [source] = files.folders().filter((folder) => folder.get('flat.txt') !== undefined);
    const list = source?.get('flat.txt');
    if (source === undefined || list === undefined) return undefined;
    const places = new Map<Digest, Location>();
    for (const path of source.paths()) {
      const file = path === 'flat.txt' ? undefined : source.get(path);
      if (file !== undefined) places.set(parseDigest(path.replace('-', ':')), file.location);
    }
    const names = createNameList();
    for (const line of Buffer.from(await source.read(list, 1_000_000))
      .toString('utf8')
      .split('\n')) {
      const [repository = '', tag = '', digest = ''] = line.split(' ');
      names.name(repository, tag === '-' ? undefined : tag, parseDigest(digest));
    }
    const { store, blobs } = openPlaces(backup, [places]);
    return { catalog: names.catalog(blobs, store, damage), store, notes: [] };
  },
});
