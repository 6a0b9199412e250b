import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openSource } from '../../src/source/open-source.ts';
import { openContentStore } from '../../src/formats/content-store.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { contentsOf } from './support/contents.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const store = buildStorage((s) => ({
  app: s.image('team/app', 'v1', { layers: [{ bytes: Buffer.alloc(200_000, 'layer') }] }),
}));

describe('split parts', () => {
  const whole = store.tar({ recordBytes: 10_240 });
  function split(name: string, bytes = '5000', ...options: string[]): string[] {
    const parts = folder.file(name);
    mkdirSync(parts);
    writeFileSync(folder.file('whole.tar'), whole);
    execFileSync('split', ['-b', bytes, ...options, folder.file('whole.tar'), join(parts, 'docker.tar.')]);
    return readdirSync(parts)
      .sort()
      .map((part) => join(parts, part));
  }

  it.each<[string, string[]]>([
    ['letters', ['5000']],
    ['digits', ['5000', '-d', '-a', '3']],
    ['widened', ['300']],
    ['widened-digits', ['512', '-d']],
    ['from-one', ['5000', '--numeric-suffixes=1', '-a', '3']],
  ])('%s: the first part stands for all', async (name, options) => {
    const [first = ''] = split(name, ...options);
    const { tags, blobs, problems } = await contentsOf([first]);
    expect({ tags, blobs, problems }).toEqual({
      tags: [`team/app:v1 ${store.built.app.digest}`],
      blobs: 'whole',
      problems: [],
    });
  });

  it('.part1 to .part12', async () => {
    mkdirSync(folder.file('part'));
    for (let i = 0; i < 12; i++)
      writeFileSync(
        folder.file('part', `docker.tar.part${i + 1}`),
        whole.subarray((i * whole.length) / 12, ((i + 1) * whole.length) / 12),
      );
    expect(await contentsOf([folder.file('part/docker.tar.part1')])).toMatchObject({ blobs: 'whole', problems: [] });
  });

  it('a glob stands for all, and so do all of them', async () => {
    const parts = split('glob');
    expect(await contentsOf([folder.file('glob/docker.tar.*')])).toMatchObject({ blobs: 'whole', problems: [] });
    expect(await contentsOf([...parts].reverse())).toMatchObject({ blobs: 'whole', problems: [] });
  });

  it.each([0, 3])('SOURCE_PART_MISSING names the part that is missing (%i)', async (index) => {
    const parts = split(`missing-${index}`);
    rmSync(parts[index] ?? '');
    for (const operand of [parts[1] ?? '', folder.file(`missing-${index}/docker.tar.*`), parts[0] ?? '']) {
      await expect(openSource([operand])).rejects.toMatchObject({
        code: 'SOURCE_PART_MISSING',
        where: { path: parts[index] },
      });
    }
  });

  it('a last part that is missing is a cut, and the byte is told', async () => {
    const parts = split('short');
    for (const part of parts.slice(-4)) rmSync(part);
    expect((await contentsOf([parts[0] ?? ''])).problems).toContain('TAR_CUT');
  });

  it('a name that ends like a part but has no others is a file', async () => {
    const [first = ''] = split('alone', '10M');
    expect(await contentsOf([first])).toMatchObject({ blobs: 'whole' });
    renameSync(first, folder.file('alone/docker.tar.1'));
    expect(await contentsOf([folder.file('alone/docker.tar.1')])).toMatchObject({ blobs: 'whole' });
  });
});

describe('several sources', () => {
  const base = buildStorage((s) => ({
    app: s.image('team/app', 'latest', { layers: ['base', 'old'] }),
    old: s.image('team/old', 'v1', { layers: ['base'] }),
  }));
  const delta = buildStorage((s) => ({
    app: s.image('team/app', 'latest', { layers: ['base', 'new'] }),
    other: s.image('team/other', 'v1', { layers: ['base'] }),
  }));
  const write = (name: string, bytes: Uint8Array): string => {
    writeFileSync(folder.file(name), bytes);
    return folder.file(name);
  };
  const blobsOnly = (of: typeof base | typeof delta, without: ReadonlySet<string>): Uint8Array =>
    of.tar({ rewrite: (path) => (path.startsWith('blobs/') && without.has(path) ? [] : undefined) });

  it('a base and a delta without the base’s blobs are one store: the later one decides what a tag means, and a conflict is told', async () => {
    const first = write('base.tar', base.tar());
    const second = write('delta.tar', blobsOnly(delta, new Set(base.files.keys())));
    const contents = await contentsOf([first, second]);
    expect(contents.tags).toEqual([
      `team/app:latest ${delta.built.app.digest}`,
      `team/old:v1 ${base.built.old.digest}`,
      `team/other:v1 ${delta.built.other.digest}`,
    ]);
    expect(contents.blobs).toBe('whole');
    expect(contents.problems).toEqual(['TAG_CONFLICT']);
    const reversed = await contentsOf([second, first]);
    expect(reversed.tags[0]).toBe(`team/app:latest ${base.built.app.digest}`);
  });

  it('says which archives disagree, and keeps what the tag meant before', async () => {
    const backup = await openSource([write('base.tar', base.tar()), write('delta.tar', delta.tar())]);
    const catalog = await readCatalog(backup);
    expect(catalog.problems).toMatchObject([
      {
        code: 'TAG_CONFLICT',
        repository: 'team/app',
        tag: 'latest',
        message: expect.stringMatching(/base\.tar.*delta\.tar.*delta\.tar is used/) as string,
      },
    ]);
    expect([...catalog.tags('team/app')][0]?.history).toContain(base.built.app.digest);
    await backup.close();
  });

  it('takes a blob from the first that has it', async () => {
    const backup = await openSource([write('base.tar', base.tar()), write('delta.tar', delta.tar())]);
    const catalog = await readCatalog(backup);
    const shared = base.built.old.blobs[1]?.digest;
    if (shared === undefined) throw new Error('no layer');
    expect(catalog.stored.get(shared)?.location?.source).toBe(0);
    expect(catalog.stored.get(delta.built.app.digest)?.location?.source).toBe(1);
    expect(openContentStore(backup, catalog).stat(shared)?.size).toBeGreaterThan(0);
    await backup.close();
  });

  it('an emptied link in the later one does not hide what the earlier one knows', async () => {
    const crashed = buildStorage((s) => {
      const app = s.image('team/app', 'latest', { layers: ['base', 'new'] });
      s.emptyTag('team/app', 'latest');
      return { app };
    });
    const { tags, problems } = await contentsOf([write('base.tar', base.tar()), write('crashed.tar', crashed.tar())]);
    expect(tags).toContain(`team/app:latest ${base.built.app.digest}`);
    expect(problems).toContain('TAG_CONFLICT');
  });

  it('reads the runs of oc-mirror by a glob, with folders mixed in', async () => {
    mkdirSync(folder.file('mirror'));
    write('mirror/mirror_000001.tar', base.tar());
    write('mirror/mirror_000002.tar', blobsOnly(delta, new Set(base.files.keys())));
    const { tags, blobs } = await contentsOf([folder.file('mirror/mirror_*.tar')]);
    expect(tags).toHaveLength(3);
    expect(blobs).toBe('whole');
    await base.writeTo(folder.file('unpacked'));
    expect(await contentsOf([folder.file('unpacked'), folder.file('mirror/mirror_000002.tar')])).toMatchObject({
      blobs: 'whole',
      format: 'directory+tar',
    });
  });

  it('a hard link leads to a member of its own archive only', async () => {
    const layer = base.built.old.blobs[1]?.digest;
    const own = delta.built.other.blobs[0]?.digest;
    if (layer === undefined || own === undefined) throw new Error('no layer');
    const linked = (of: typeof base | typeof delta, digest: typeof layer): Uint8Array =>
      of.tar({ aliases: [{ digest, path: 'docker/skopeo/same', kind: 'hard' }] });
    const { blobs, problems } = await contentsOf([
      write('a.tar', linked(base, layer)),
      write('b.tar', linked(delta, own)),
    ]);
    expect({ blobs, problems }).toEqual({ blobs: 'whole', problems: ['TAG_CONFLICT'] });
  });
});
