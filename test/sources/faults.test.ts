import { mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { buildImage, exportAll, kept, writeSource, type Named } from './support/kept-images.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
let count = 0;
const [good, bad] = [buildImage('good'), buildImage('bad')];
const both: Named = [
  ['fine:1', good],
  ['wrong:1', bad],
];
const newPath = (name: string): string => folder.file(`${name}-${++count}`);

describe.each(kept)('$format, a folder, while it is exported', ({ members, pathOf }) => {
  const newSource = (): { readonly source: string; readonly layer: string } => {
    const source = writeSource(newPath('source'), 'folder', members(both));
    return { source, layer: join(source, pathOf('wrong:1', bad, 'layer') ?? '') };
  };

  it.each<[string, string, (layer: string) => void]>([
    [
      'other bytes come into a file',
      'BLOB_CORRUPT',
      (layer) => writeFileSync(layer, Buffer.alloc(statSync(layer).size, 1)),
    ],
    ['a folder is where a file was', 'SOURCE_UNREADABLE', (layer) => (rmSync(layer), mkdirSync(layer))],
  ])('%s: that image fails, the other arrives', async (_title, code, change) => {
    const { source, layer } = newSource();
    const { images } = await exportAll(source, newPath('out'), () => change(layer));
    expect(images).toEqual({ 'fine:1': 'copied', 'wrong:1': code });
  });

  it.each<[string, (layer: string) => void]>([
    ['a file is removed', (layer) => rmSync(layer)],
    ['a file becomes shorter', (layer) => truncateSync(layer, 700)],
    ['a file becomes empty', (layer) => truncateSync(layer, 0)],
  ])('%s: somebody works on it, so everything ends, by name', async (_title, change) => {
    const { source, layer } = newSource();
    await expect(exportAll(source, newPath('out'), () => change(layer))).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
      message: expect.stringContaining(layer) as string,
    });
  });

  // Memory of a process is a file that gives EIO at its beginning, where nothing lies.
  it.runIf(process.getuid?.() === 0)('the disk reports an error: that image fails, the other arrives', async () => {
    const { source, layer } = newSource();
    const { images, report } = await exportAll(source, newPath('out'), async () => {
      await run('mount', ['--bind', `/proc/${process.pid}/mem`, layer]);
    }).finally(() => run('umount', [layer], { allowFailure: true }));
    expect(images).toEqual({ 'fine:1': 'copied', 'wrong:1': 'SOURCE_UNREADABLE' });
    expect(report.images.find(({ error }) => error !== undefined)?.error?.message).toContain('EIO');
  });
});

describe.each(kept)('$format, a tar', ({ members }) => {
  it('that is cut anywhere gives what is whole, and names the rest', async () => {
    const whole = readFileSync(writeSource(newPath('source'), 'tar', members(both)));
    const seen = new Set<string>();
    for (let length = 512; length < whole.length - 1024; length += 512) {
      const source = newPath('cut');
      writeFileSync(source, whole.subarray(0, length + 100));
      const found = await exportAll(source, newPath('out')).then(
        ({ images }) => Object.values(images),
        (error: { code: string }) => [error.code],
      );
      for (const each of found) seen.add(each);
    }
    expect(
      [...seen].filter((each) => !/^(copied|BLOB_MISSING|SOURCE_NOT_(REGISTRY|TAR)|MANIFEST_INVALID)$/.test(each)),
    ).toEqual([]);
  });

  it('that becomes shorter while it is exported ends by name', async () => {
    const source = writeSource(newPath('source'), 'tar', members(both));
    await expect(exportAll(source, newPath('out'), () => truncateSync(source, 1024))).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
      message: expect.stringContaining(source) as string,
    });
  });
});
