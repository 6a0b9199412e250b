import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRepository } from '../../src/oci/reference.ts';
import { snapshot } from '../e2e/support/snapshot.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { buildImage, exportAll, kept, writeSource, type Named } from './support/kept-images.ts';
import { hex, type Member } from './support/layout-members.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const outside = folder.file('outside');
let count = 0;

const good = buildImage('good');
const bad = buildImage('bad, and nobody may read it');
const write = (form: 'folder' | 'tar', members: readonly Member[], links?: ReadonlyMap<string, string>): string =>
  writeSource(folder.file(`${form}-${++count}`), form, members, links);
const exported = async (
  source: string,
): Promise<{ readonly images: Readonly<Record<string, string>>; readonly bytes: string }> => {
  const out = folder.file(`out-${++count}`);
  const { images, repositories } = await exportAll(source, out);
  expect(repositories.filter((name) => !isRepository(name))).toEqual([]);
  return { images, bytes: JSON.stringify(snapshot(out)) };
};

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
      const { images } = await exported(source);
      expect(images['fine:1']).toBe('copied');
      expect(images['wrong:1'] ?? 'BLOB_MISSING').toBe('BLOB_MISSING');
    });

    it('links that go round lead nowhere', async () => {
      const path = pathOf('wrong:1', bad, 'layer') ?? '';
      const links = new Map([
        [path, `${hex(Buffer.from('other'))}`],
        [join(dirname(path), hex(Buffer.from('other'))), path.slice(path.lastIndexOf('/') + 1)],
      ]);
      expect((await exported(write(form, members(both), links))).images).toMatchObject({
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
      const { images } = await exported(write(form, spoiled));
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
      const { images } = await exported(write(form, climbing));
      expect(images['fine:1']).toBe('copied');
    });
  });

  it('pipes in place of files are not waited for', async () => {
    const source = write('folder', members([['fine:1', good]]));
    const missing = members([['wrong:1', bad]]).filter(({ path }) => !existsSync(join(source, path)));
    for (const { path } of missing) {
      mkdirSync(dirname(join(source, path)), { recursive: true });
      await run('mkfifo', [join(source, path)]);
    }
    expect((await exported(source)).images).toMatchObject({ 'fine:1': 'copied' });
  });

  it('a folder that is a link out is not entered', async () => {
    const foreign = write('folder', members([['secret:1', bad]]));
    const source = write('folder', members([['fine:1', good]]), new Map([['linked', foreign]]));
    const { images, bytes } = await exported(source);
    expect(images).toEqual({ 'fine:1': 'copied' });
    expect(bytes).not.toContain(hex(bad.layer));
    expect(readFileSync(join(outside, 'layer')).equals(bad.layer)).toBe(true);
  });
});
