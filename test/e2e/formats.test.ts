import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/run.ts';
import { readDockerArchive } from '../support/read-docker-archive.ts';
import { readLayout, readLayoutArchive } from '../support/read-layout.ts';
import { readStorage } from '../support/read-storage.ts';
import { buildStorage, type Placed } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { dirTreeImages, layoutImages, layoutTreeImages, type NamedImages } from './support/read-outputs.ts';
import { regtar } from './support/regtar.ts';
import { nameOf, type CopyReport } from './support/reports.ts';

const folder = temporaryFolder();
const source = folder.file('docker.tar');
afterAll(() => folder.remove());

const page = new URL('../../docs/formats/README.md', import.meta.url);

const storage = buildStorage((s) => {
  const single = s.image('kinds/single', '1');
  const signed = s.image('kinds/signed', '1');
  const referred = s.image('kinds/referred', '1');
  const inner = s.index('kinds/nested', undefined, [{ platform: 'linux/amd64' }]);
  return {
    'single image': single,
    'multi-arch image': s.index('kinds/multi', '1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]),
    'nested index': s.index('kinds/nested', '1', [inner, { platform: 'linux/arm64' }]),
    artifact: s.artifact('kinds/artifact', '1'),
    'signature (`sha256-….sig`)': s.signature(signed),
    'referrer (`subject`)': s.artifact('kinds/referred', undefined, { subject: referred }),
    'schema1 image': s.schema1('kinds/schema1', '1'),
    'image with a foreign layer': s.image('kinds/foreign', '1', {
      layers: ['base', { foreign: 'https://example.com/layer' }],
    }),
  };
});

/** What stands in the table's head, and how it is made and read back by code that shares nothing with the product. */
const outputs: readonly {
  readonly title: string;
  readonly out: string;
  readonly flags: readonly string[];
  readonly read: (out: string) => Promise<NamedImages>;
}[] = [
  { title: '`oci`', out: 'oci', flags: ['--format', 'oci'], read: async (out) => layoutImages(await readLayout(out)) },
  {
    title: '`oci` as `.tar`',
    out: 'oci.tar',
    flags: ['--format', 'oci'],
    read: async (out) => layoutImages(await readLayoutArchive(out)),
  },
  {
    title: '`oci --per-repository`',
    out: 'layouts',
    flags: ['--format', 'oci', '--per-repository'],
    read: layoutTreeImages,
  },
  { title: '`dir`', out: 'dir', flags: ['--format', 'dir'], read: dirTreeImages },
  {
    title: '`docker-archive`',
    out: 'archive.tar',
    flags: ['--format', 'docker-archive', '--platform', 'linux/amd64'],
    read: async (out) => layoutImages((await readDockerArchive(out)).layout ?? { entries: [], images: [], files: [] }),
  },
  { title: '`registry`', out: 'registry', flags: ['--format', 'registry'], read: readStorage },
  {
    title: '`registry` as `.tar`',
    out: 'registry.tar',
    flags: ['--format', 'registry'],
    read: async (out) => {
      const unpacked = temporaryFolder();
      await run('tar', ['-xf', out, '-C', unpacked.path]);
      return readStorage(unpacked.path).finally(() => unpacked.remove());
    },
  },
];

describe('the table of what each format holds', () => {
  const columns: string[][] = [];
  beforeAll(async () => {
    await run('sh', ['-c', 'cat > "$0"', source], { input: storage.tar() });
    for (const { out, flags, read } of outputs) {
      const result = await regtar(['export', source, folder.file(out), '--json', '-v', ...flags]);
      expect(result.code, result.stderr).toBe(0);
      const { images } = JSON.parse(result.stdout) as CopyReport;
      const found = await read(folder.file(out));
      columns.push(Object.values(storage.built).map((placed) => judge(placed, images, found, result.stderr)));
    }
  });

  it('is the one in docs/formats/README.md', () => {
    const rows = Object.keys(storage.built).map((kind, row) => [kind, ...columns.map((column) => column[row] ?? '')]);
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
    const head = ['', ...outputs.map(({ title }) => title)];
    const table = [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
    console.log(table);
    expect(readFileSync(page, 'utf8')).toContain(`\n${table}\n`);
  });
});

/** What became of an image: read out of the output, and told by the report. What is not in the output must have been said. */
function judge(placed: Placed, images: CopyReport['images'], found: NamedImages, messages: string): string {
  const told = images.find(({ repository, digest }) => repository === placed.repository && digest === placed.digest);
  if (told === undefined) throw new Error(`nothing was said of ${placed.repository}@${placed.digest}`);
  const name = nameOf(told);
  if (told.status === 'skipped') {
    expect(found[name]).toBeUndefined();
    expect(messages).toContain(name);
    return `left out: \`${told.error?.code}\``;
  }
  const image = found[name];
  if (image === undefined) throw new Error(`${name} was ${told.status} and is not there`);
  const isChild = placed.children
    .flatMap((child) => [child, ...child.children])
    .some(({ digest }) => digest === image.digest);
  if (image.digest !== placed.digest && isChild) return 'one platform';
  expect(image.digest).toBe(placed.digest);
  return image.foreign.length > 0 ? 'whole, the layer stays at its URL' : 'whole';
}
