import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Digest } from '../../src/oci/digest.ts';
import { openRegistryArchiveSink, openRegistrySink } from '../../src/sink/registry.ts';
import { readGraph } from '../support/read-graph.ts';
import { run } from '../support/run.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { addImage, createMemoryStore, feed, renamed } from './images.ts';
import { describeSink } from './suite.ts';

const root = 'docker/registry/v2';

describeSink({ title: 'registry storage', open: openRegistrySink, out: 'folder', perImage: true, read: readStorage });

describeSink({
  title: 'registry storage in an archive',
  open: openRegistryArchiveSink,
  out: 'file',
  perImage: false,
  read: async (out) => {
    const folder = temporaryFolder();
    try {
      await run('tar', ['-xf', out, '-C', folder.path]);
      return await readStorage(folder.path);
    } finally {
      folder.remove();
    }
  },
});

/** Serves as a registry would: a manifest needs its revision link, a blob its layer link, in the same repository. */
async function readStorage(out: string): Promise<Record<string, string>> {
  const repositories = join(out, root, 'repositories');
  const found: Record<string, string> = {};
  const manifestFolders = readdirSync(repositories, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('/_manifests'));
  for (const repository of manifestFolders.map((path) => path.slice(0, -'/_manifests'.length))) {
    const read = (path: string): Buffer => readFileSync(join(out, root, path));
    const fetch = async (digest: string, kind: 'manifest' | 'blob'): Promise<Buffer | undefined> => {
      const link = kind === 'manifest' ? storagePaths.revisionLink(repository, digest as Digest) : storagePaths.layerLink(repository, digest as Digest);
      if (!existsSync(join(out, root, link)) || read(link).toString() !== digest) return undefined;
      return read(storagePaths.blob(digest as Digest));
    };
    const reached = new Set<string>();
    const tags = join(repositories, repository, '_manifests/tags');
    for (const tag of existsSync(tags) ? readdirSync(tags) : []) {
      const digest = read(storagePaths.currentLink(repository, tag)).toString();
      expect(read(storagePaths.historyLink(repository, tag, digest as Digest)).toString()).toBe(digest);
      for (const old of readdirSync(join(tags, tag, 'index/sha256'))) reached.add(`sha256:${old}`);
      const image = await readGraph(digest, fetch);
      for (const manifest of image.manifests.keys()) reached.add(manifest);
      found[`${repository}:${tag}`] = digest;
    }
    for (const hex of readdirSync(join(repositories, repository, '_manifests/revisions/sha256'))) {
      if (!reached.has(`sha256:${hex}`)) found[`${repository}@sha256:${hex}`] = (await readGraph(`sha256:${hex}`, fetch)).digest;
    }
  }
  return found;
}

describe('registry storage', () => {
  const newOut = (name: string): string => {
    const folder = temporaryFolder();
    onTestFinished(() => folder.remove());
    return folder.file(name);
  };

  it('keeps what a tag meant before', async () => {
    const store = createMemoryStore();
    const out = newOut('out');
    const [old, fresh] = [addImage(store, 'a', '1', { layers: ['old'] }), addImage(store, 'a', '1', { layers: ['new'] })];
    await feed(openRegistrySink({ out }), store, [old, renamed(fresh, {})]);
    expect(readdirSync(join(out, root, 'repositories/a/_manifests/tags/1/index/sha256'))).toHaveLength(2);
    expect(readFileSync(join(out, root, 'repositories/a/_manifests/tags/1/current/link'), 'utf8')).toBe(fresh.target.root.digest);
  });

  it('archives an image with its tag last, and every folder with its owner', async () => {
    const store = createMemoryStore();
    const out = newOut('out.tar');
    await feed(openRegistryArchiveSink({ out, owner: { uid: 10000, gid: 10000 } }), store, [addImage(store, 'a/b', '1')]);
    const { stdout } = await run('tar', ['--numeric-owner', '-tvf', out]);
    const lines = stdout.trim().split('\n');
    for (const line of lines) expect(line).toMatch(/^[-d]rw[-x]r-[-x]r-[-x] 10000\/10000 /);
    const paths = lines.map((line) => line.split(' ').at(-1) ?? '');
    expect(paths[0]).toBe('docker/');
    expect(paths.at(-1)).toBe(`${root}/repositories/a/b/_manifests/tags/1/current/link`);
    for (const path of paths.slice(1)) expect(paths).toContain(`${path.replace(/\/$/, '').split('/').slice(0, -1).join('/')}/`);
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
