import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyImages } from '../../src/copy/copy-images.ts';
import { openFileSink } from '../../src/formats/open-file-sink.ts';
import { readSource } from '../../src/formats/read-source.ts';
import { isRepository } from '../../src/oci/reference.ts';
import { createPlan } from '../../src/select/create-plan.ts';
import { createFilter } from '../../src/select/filter.ts';
import { createRenamer } from '../../src/select/rename.ts';
import { openSource } from '../../src/source/open-source.ts';
import { snapshot } from '../e2e/support/snapshot.ts';
import { run } from '../support/run.ts';
import { archive, file, symlink } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { blob, entry, hex, indexMember, json, layoutMember, ociImage, type Member } from './support/layout-members.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const outside = folder.file('outside');
let count = 0;

interface Built {
  readonly layer: Buffer;
  readonly config: Buffer;
  readonly manifest: Buffer;
  readonly digest: string;
}
/** `repository:tag` and what it means. */
type Named = readonly (readonly [string, Built])[];
type Part = 'layer' | 'config' | 'manifest';

/** How a format keeps images. */
interface Kept {
  readonly format: string;
  readonly members: (images: Named) => readonly Member[];
  /** Where a part lies; undefined where the format has none. */
  readonly pathOf: (name: string, image: Built, part: Part) => string | undefined;
}

function build(text: string): Built {
  const layer = archive([file('hello', text)]);
  return { layer, ...ociImage(text, [layer]) };
}
const good = build('good');
const bad = build('bad, and nobody may read it');

const partsOf = ({ layer, config, manifest }: Built): readonly Buffer[] => [layer, config, manifest];
const inDir = (root: string): Kept => ({
  format: root === '' ? 'dir tree' : 'skopeo sync --scoped',
  members: (images) =>
    images.flatMap(([name, { layer, config, manifest }]) => [
      ...[layer, config].map((bytes) => ({ path: `${root}${name}/${hex(bytes)}`, bytes })),
      { path: `${root}${name}/manifest.json`, bytes: manifest },
      { path: `${root}${name}/version`, bytes: Buffer.from('Directory Transport Version: 1.1\n') },
    ]),
  pathOf: (name, image, part) => `${root}${name}/${part === 'manifest' ? 'manifest.json' : hex(image[part])}`,
});
const kept: readonly Kept[] = [
  {
    format: 'OCI layout',
    members: (images) => [
      layoutMember,
      ...images.flatMap(([, image]) => partsOf(image).map(blob)),
      indexMember(...images.map(([name, { digest }]) => entry(digest, name))),
    ],
    pathOf: (_name, image, part) => blob(image[part]).path,
  },
  {
    format: 'docker-archive',
    members: (images) => [
      ...images.flatMap(([, { layer, config }]) => [
        { path: `${hex(layer)}/layer.tar`, bytes: layer },
        { path: `${hex(config)}.json`, bytes: config },
      ]),
      {
        path: 'manifest.json',
        bytes: json(
          images.map(([name, { layer, config }]) => ({
            Config: `${hex(config)}.json`,
            RepoTags: [name],
            Layers: [`${hex(layer)}/layer.tar`],
          })),
        ),
      },
    ],
    pathOf: (_name, { layer, config }, part) =>
      part === 'manifest' ? undefined : part === 'layer' ? `${hex(layer)}/layer.tar` : `${hex(config)}.json`,
  },
  inDir(''),
  inDir('registry.example.com/'),
];

/** Writes members, and links in place of some of them, as a folder or as a tar. */
function write(form: 'folder' | 'tar', members: readonly Member[], links: ReadonlyMap<string, string>): string {
  const path = folder.file(`${form}-${++count}`);
  const others = members.filter((member) => !links.has(member.path));
  if (form === 'tar') {
    const files = others.map((member) => file(member.path, member.bytes));
    writeFileSync(path, archive([...files, ...[...links].map(([name, target]) => symlink(name, target))]));
    return path;
  }
  for (const member of others) {
    mkdirSync(dirname(join(path, member.path)), { recursive: true });
    writeFileSync(join(path, member.path), member.bytes);
  }
  for (const [name, target] of links) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    symlinkSync(target, join(path, name));
  }
  return path;
}

/** What happens to each image on its way into a layout, and the names of all files that it wrote. */
async function exportAll(
  source: string,
): Promise<{ readonly images: Readonly<Record<string, string>>; readonly bytes: string }> {
  const opened = await openSource([source]);
  try {
    const { catalog, store } = await readSource(opened);
    for (const repository of catalog.repositories()) expect(isRepository(repository)).toBe(true);
    const out = folder.file(`out-${++count}`);
    const sink = await openFileSink('oci', { out });
    const options = { filter: createFilter({}), rename: createRenamer({}), traits: sink.traits };
    const report = await copyImages(createPlan(catalog, store, options), store, sink, { jobs: 2 });
    const images = report.images.map(({ repository, tag = '', status, error }) => [
      `${repository}:${tag}`,
      error?.code ?? status,
    ]);
    return { images: Object.fromEntries(images) as Record<string, string>, bytes: JSON.stringify(snapshot(out)) };
  } finally {
    await opened.close();
  }
}

beforeAll(() => {
  mkdirSync(outside);
  for (const part of ['layer', 'config', 'manifest'] as const) writeFileSync(join(outside, part), bad[part]);
});

const both: Named = [
  ['fine:1', good],
  ['wrong:1', bad],
];

describe.each(kept)('$format', ({ members, pathOf }) => {
  describe.each(['folder', 'tar'] as const)('%s', (form) => {
    it.each(['layer', 'config', 'manifest'] as const)('a %s that is a link out is not followed', async (part) => {
      const path = pathOf('wrong:1', bad, part);
      if (path === undefined) return;
      const source = write(form, members(both), new Map([[path, join(outside, part)]]));
      const { images } = await exportAll(source);
      expect(images['fine:1']).toBe('copied');
      expect(images['wrong:1'] ?? 'BLOB_MISSING').toBe('BLOB_MISSING');
    });

    it('links that go round lead nowhere', async () => {
      const path = pathOf('wrong:1', bad, 'layer') ?? '';
      const links = new Map([
        [path, `${hex(Buffer.from('other'))}`],
        [join(dirname(path), hex(Buffer.from('other'))), path.slice(path.lastIndexOf('/') + 1)],
      ]);
      expect((await exportAll(write(form, members(both), links))).images).toMatchObject({
        'fine:1': 'copied',
        'wrong:1': 'BLOB_MISSING',
      });
    });

    it.each<[string, (bytes: Buffer) => Buffer]>([
      ['other', (bytes) => Buffer.from(bytes).fill(1, 600, 601)],
      ['fewer', (bytes) => bytes.subarray(0, 1000)],
      ['no', () => Buffer.alloc(0)],
      ['more', (bytes) => Buffer.concat([bytes, Buffer.alloc(512)])],
    ])('a layer with %s bytes does not arrive, the other image does', async (_title, spoil) => {
      const path = pathOf('wrong:1', bad, 'layer');
      const spoiled = members(both).map((member) =>
        member.path === path ? { path, bytes: spoil(member.bytes) } : member,
      );
      const { images } = await exportAll(write(form, spoiled, new Map()));
      expect(images).toMatchObject({
        'fine:1': 'copied',
        'wrong:1': expect.stringMatching(/^BLOB_(CORRUPT|EMPTY)$/) as string,
      });
    });

    it.each([
      ['climbs', '../../etc:1'],
      ['begins at the root', '/etc/passwd:1'],
      ['climbs in the middle', 'a/../../b:1'],
      ['is dots', '..:1'],
      ['has blanks and capital letters', 'A B:1'],
      ['has terminal escapes', 'x\u001b[31m:1'],
      ['is too long', `${'a/'.repeat(200)}b:1`],
    ])('a name that %s makes no path', async (_title, name) => {
      const climbing = members([
        ['fine:1', good],
        [name, bad],
      ]);
      // A folder of that name would lie outside, here as well.
      if (form === 'folder' && climbing.some(({ path }) => path.split('/').includes('..'))) return;
      const { images } = await exportAll(write(form, climbing, new Map()));
      expect(images['fine:1']).toBe('copied');
    });
  });

  it('pipes in place of files are not waited for', async () => {
    const source = write('folder', members([['fine:1', good]]), new Map());
    const missing = members([['wrong:1', bad]]).filter(({ path }) => !existsSync(join(source, path)));
    for (const { path } of missing) {
      mkdirSync(dirname(join(source, path)), { recursive: true });
      await run('mkfifo', [join(source, path)]);
    }
    expect((await exportAll(source)).images).toMatchObject({ 'fine:1': 'copied' });
  });

  it('a folder that is a link out is not entered', async () => {
    const foreign = write('folder', members([['secret:1', bad]]), new Map());
    const source = write('folder', members([['fine:1', good]]), new Map([['linked', foreign]]));
    const { images, bytes } = await exportAll(source);
    expect(images).toEqual({ 'fine:1': 'copied' });
    expect(bytes).not.toContain(hex(bad.layer));
    expect(readFileSync(join(outside, 'layer')).equals(bad.layer)).toBe(true);
  });
});
