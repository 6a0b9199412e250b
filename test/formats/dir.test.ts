import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseDigest } from '../../src/oci/digest.ts';
import { imageFolderName, skopeoSyncCommand } from '../../src/formats/dir/file-names.ts';
import { openDirSink } from '../../src/formats/dir/folder.ts';
import { findDirImages, readDirImage } from '../support/read-layout.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { addImage, addIndex, createMemoryStore, feed, feedImage, renamed } from './images.ts';
import { describeSink, noise } from './suite.ts';

describeSink({
  title: 'dir',
  open: openDirSink,
  out: 'folder',
  perImage: true,
  read: async (out) => {
    const found: Record<string, string> = {};
    for (const name of findDirImages(out)) found[name] = (await readDirImage(join(out, name))).digest;
    return found;
  },
});

describe('a tree of dir images', () => {
  const newOut = (): string => {
    const folder = temporaryFolder();
    onTestFinished(() => folder.remove());
    return folder.file('out');
  };

  it('has the files that skopeo writes', async () => {
    const store = createMemoryStore();
    const out = newOut();
    const index = addIndex(store, 'multi', '1', [
      { platform: 'linux/amd64', layers: ['a'] },
      { platform: 'linux/arm64', layers: ['b'] },
    ]);
    await feed(openDirSink({ out }), store, [index]);
    const children = index.manifests.slice(0, 2).map(({ digest }) => `${digest.slice(7)}.manifest.json`);
    expect(readdirSync(join(out, 'multi:1')).sort()).toEqual(
      [...index.blobs.map(({ digest }) => digest.slice(7)), ...children, 'manifest.json', 'version'].sort(),
    );
    expect(readFileSync(join(out, 'multi:1/version'), 'utf8')).toBe('Directory Transport Version: 1.1\n');
  });

  it('shares blobs among images by hard links', async () => {
    const store = createMemoryStore();
    const out = newOut();
    const layer = { bytes: noise(200_000, 1) };
    const images = ['a', 'b', 'c/d'].map((repository) => addImage(store, repository, '1', { layers: [layer] }));
    await feed(openDirSink({ out }), store, images, { parallel: true });
    const hex = images[0]?.blobs.find(({ size }) => size === 200_000)?.digest.slice(7) ?? '';
    expect(new Set(images.map(({ target }) => statSync(join(out, `${target.repository}:1`, hex)).ino)).size).toBe(1);
    expect(statSync(join(out, 'a:1', hex)).nlink).toBe(3);
  });

  it('adds what an image lacks that is there already', async () => {
    const store = createMemoryStore();
    const out = newOut();
    const index = addIndex(store, 'multi', '1', [
      { platform: 'linux/amd64', layers: ['a'] },
      { platform: 'linux/arm64', layers: ['b'] },
    ]);
    const sparse = { ...index, blobs: index.blobs.slice(0, 2), manifests: index.manifests.slice(1) };
    const sink = openDirSink({ out });
    await feedImage(sink, store, sparse);
    await sink.close();
    await expect(readDirImage(join(out, 'multi:1'))).rejects.toThrow();
    await feed(openDirSink({ out }), store, [index]);
    expect((await readDirImage(join(out, 'multi:1'))).blobs.size).toBe(4);
  });

  it('uses names without a colon in the style safe', async () => {
    const store = createMemoryStore();
    const out = newOut();
    const image = addImage(store, 'a/con', 'Latest.');
    await feed(openDirSink({ out, pathStyle: 'safe' }), store, [image, renamed(image, { tag: undefined })]);
    expect(findDirImages(out)).toEqual([`a/!con=!latest.!`, `a/!con@sha256=${image.target.root.digest.slice(7)}`]);
  });

  it('never gives two images one folder, small and capital letters alike', () => {
    const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,6}$/);
    const root = { digest: parseDigest(`sha256:${'0'.repeat(64)}`) };
    fc.assert(
      fc.property(tag, tag, (left, right) => {
        const [first, second] = [left, right].map((each) =>
          imageFolderName({ repository: 'r', tag: each, root }, 'safe'),
        );
        expect(first?.toLowerCase() === second?.toLowerCase()).toBe(left === right);
        expect(first).toMatch(/^[^:<>"\\|?*]+[^.:<>"\\|?*]$/);
      }),
    );
  });

  it('tells the skopeo command, quoted for a shell', () => {
    for (const out of ['out', './out', 'out/', '../here/../out'])
      expect(skopeoSyncCommand(out)).toMatch(
        /^skopeo sync --src dir --dest docker --scoped --all --preserve-digests --keep-going (\.\.\/)?out registry\.example\.com$/,
      );
    expect(skopeoSyncCommand("it's here", 'h:5000')).toBe(
      `skopeo sync --src dir --dest docker --scoped --all --preserve-digests --keep-going 'it'\\''s here' h:5000`,
    );
  });
});
