import { readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Digest } from '../../src/oci/digest.ts';
import { openRegistryArchiveSink, openRegistrySink } from '../../src/formats/registry/writer.ts';
import { readStorage } from '../support/read-storage.ts';
import { run } from '../support/run.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { digestsOf } from '../e2e/support/read-outputs.ts';
import { addImage, createMemoryStore, feed, feedImage, renamed } from './images.ts';
import { describeSink } from './suite.ts';

const root = 'docker/registry/v2';

describeSink({
  title: 'registry storage',
  open: openRegistrySink,
  out: 'folder',
  perImage: true,
  read: async (out) => digestsOf(await readStorage(out)),
});

describeSink({
  title: 'registry storage in an archive',
  open: openRegistryArchiveSink,
  out: 'file',
  perImage: false,
  read: async (out) => {
    const folder = temporaryFolder();
    try {
      await run('tar', ['-xf', out, '-C', folder.path]);
      return digestsOf(await readStorage(folder.path));
    } finally {
      folder.remove();
    }
  },
});

describe('registry storage', () => {
  const newOut = (name: string): string => {
    const folder = temporaryFolder();
    onTestFinished(() => folder.remove());
    return folder.file(name);
  };

  it('keeps what a tag meant before', async () => {
    const store = createMemoryStore();
    const out = newOut('out');
    const [old, fresh] = [
      addImage(store, 'a', '1', { layers: ['old'] }),
      addImage(store, 'a', '1', { layers: ['new'] }),
    ];
    await feed(openRegistrySink({ out }), store, [old, renamed(fresh, {})]);
    expect(readdirSync(join(out, root, 'repositories/a/_manifests/tags/1/index/sha256'))).toHaveLength(2);
    expect(readFileSync(join(out, root, 'repositories/a/_manifests/tags/1/current/link'), 'utf8')).toBe(
      fresh.target.root.digest,
    );
  });

  it('never opens a link again that another image of the repository needs', async () => {
    const store = createMemoryStore();
    const out = newOut('out');
    const images = [
      addImage(store, 'a', '1', { layers: ['shared'] }),
      addImage(store, 'a', '2', { layers: ['shared', 'more'] }),
    ] as const;
    const sink = openRegistrySink({ out });
    await feedImage(sink, store, images[0]);
    const link = join(out, root, storagePaths.layerLink('a', images[0].blobs.at(-1)?.digest as Digest));
    utimesSync(link, 1, 1);
    await feedImage(sink, store, images[1]);
    await sink.close();
    expect(statSync(link).mtimeMs).toBe(1000);
  });

  it('archives an image with its tag last, and every folder with its owner', async () => {
    const store = createMemoryStore();
    const out = newOut('out.tar');
    await feed(openRegistryArchiveSink({ out, owner: { uid: 10000, gid: 10000 } }), store, [
      addImage(store, 'a/b', '1'),
    ]);
    const { stdout } = await run('tar', ['--numeric-owner', '-tvf', out]);
    const lines = stdout.trim().split('\n');
    for (const line of lines) expect(line).toMatch(/^[-d]rw[-x]r-[-x]r-[-x] 10000\/10000 /);
    const paths = lines.map((line) => line.split(' ').at(-1) ?? '');
    expect(paths[0]).toBe('docker/');
    expect(paths.at(-1)).toBe(`${root}/repositories/a/b/_manifests/tags/1/current/link`);
    for (const path of paths.slice(1))
      expect(paths).toContain(`${path.replace(/\/$/, '').split('/').slice(0, -1).join('/')}/`);
    expect(new Set(paths).size).toBe(paths.length);
  });

  it.skipIf(process.getuid?.() !== 0)('gives every file and folder to the owner', async () => {
    const store = createMemoryStore();
    const out = newOut('out');
    await feed(openRegistrySink({ out, owner: { uid: 10000, gid: 10001 } }), store, [addImage(store, 'a/b', '1')]);
    const paths = readdirSync(join(out, 'docker'), { recursive: true, encoding: 'utf8' });
    for (const path of ['', ...paths]) {
      const { uid, gid } = statSync(join(out, 'docker', path));
      expect([path, uid, gid]).toEqual([path, 10000, 10001]);
    }
  });

  it('does not link files of the source that it would give away', async () => {
    const store = createMemoryStore();
    const sink = openRegistrySink({ out: newOut('out'), link: true, owner: { uid: 1, gid: 1 } });
    await expect(sink.begin(addImage(store, 'a', '1').target, {})).rejects.toMatchObject({ code: 'USAGE' });
  });
});
