import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../support/peers.ts';
import { listRegistry, readRegistryImage } from '../support/read-registry.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage, type StorageDescription } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { regtar, regtarDone, regtarJson } from './support/regtar.ts';
import { nameOf } from './support/reports.ts';
import { snapshot } from './support/snapshot.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const base = (s: StorageDescription) => {
  s.image('app', '1', { layers: ['os', 'app 1'] });
  s.image('app', 'latest', { layers: ['os', 'app 1'] });
  s.image('gone', '1');
  s.index('multi', '1', [{ platform: 'linux/amd64', layers: ['os', 'multi amd64'] }, { platform: 'linux/arm64' }]);
};
const later = (s: StorageDescription) => {
  base(s);
  s.remove('repositories/gone');
  s.image('app', 'latest', { layers: ['os', 'app 2'] });
  return {
    shared: s.image('other/app', '1', { layers: ['os', 'other'] }),
    signature: s.signature(s.image('app', '2', { layers: ['os', 'app 2', 'more'] })),
  };
};
const old = buildStorage(base);
const fresh = buildStorage(later);
const oldTar = folder.file('old.tar');
const newTar = folder.file('new.tar');
beforeAll(() => {
  writeFileSync(oldTar, old.tar());
  writeFileSync(newTar, fresh.tar());
});

const isBlob = (path: string): boolean => path.startsWith('blobs/');
/** Blobs that the new backup has and the old one lacks. */
const onlyNew = [...fresh.files.keys()].filter((path) => isBlob(path) && !old.files.has(path));

describe('diff', () => {
  it('says what is new, changed and gone, and how much must travel', async () => {
    const report = await regtarJson<{
      added: unknown[];
      changed: unknown[];
      gone: unknown[];
      unchanged: number;
      travel: { blobs: number; bytes: number };
    }>(['diff', oldTar, newTar]);
    expect(report.added).toHaveLength(3);
    expect(report.changed).toMatchObject([{ repository: 'app', tag: 'latest' }]);
    expect(report.gone).toMatchObject([{ repository: 'gone', tag: '1' }]);
    expect(report.unchanged).toBe(2);
    expect(report.travel).toEqual({
      blobs: onlyNew.length,
      bytes: onlyNew.reduce((sum, path) => sum + (fresh.files.get(path)?.length ?? 0), 0),
    });
  });
});

describe('export --base', () => {
  it('leaves out what a backup, a layout or a list of the last export has, and nothing else', async () => {
    await regtarDone(['export', oldTar, folder.file('old-layout'), '--save-digests', folder.file('sent.txt')]);
    const deltas = await Promise.all(
      [oldTar, folder.file('old-layout'), folder.file('sent.txt')].map(async (origin, index) => {
        const out = folder.file(`delta-${index}`);
        await regtarDone(['export', newTar, out, '--format', 'registry', '--base', origin]);
        return snapshot(out);
      }),
    );
    expect(deltas[1]).toEqual(deltas[0]);
    expect(deltas[2]).toEqual(deltas[0]);
    const manifests = [...fresh.files]
      .filter(([path]) => path.includes('/revisions/'))
      .map(([, bytes]) => bytes.toString().slice(7));
    const blobs = Object.keys(deltas[0] ?? {})
      .filter((path) => /\/blobs\/.*\/data$/.test(path))
      .map((path) => path.replace('docker/registry/v2/', ''));
    const expected = [...fresh.files.keys()].filter(
      (path) => isBlob(path) && (onlyNew.includes(path) || manifests.some((hex) => path.includes(hex))),
    );
    expect(blobs.sort()).toEqual(expected.sort());
  });

  it('makes a sparse layout, whose digests the next export counts as there', async () => {
    const out = folder.file('sparse');
    await regtarDone(['export', newTar, out, '--base', oldTar, '--save-digests', folder.file('second.txt')]);
    const index = JSON.parse(readFileSync(join(out, 'index.json'), 'utf8')) as { manifests: unknown[] };
    expect(index.manifests).toHaveLength(6);
    for (const path of onlyNew) expect(existsSync(join(out, 'blobs/sha256', path.split('/')[3] ?? ''))).toBe(true);
    const saved = readFileSync(folder.file('second.txt'), 'utf8');
    for (const path of onlyNew) expect(saved).toContain(path.split('/')[3]);
  });

  it('is refused for formats that promise whole images', async () => {
    for (const format of ['dir', 'docker-archive']) {
      const { code, stderr } = await regtar([
        'export',
        newTar,
        folder.file('refused.tar'),
        '--format',
        format,
        '--base',
        oldTar,
      ]);
      expect([code, stderr]).toEqual([2, expect.stringContaining('regtar: USAGE: ')]);
    }
  });
});

describeWith('docker-registry', 'base, then delta, in a real registry', () => {
  const everything = async (registry: Registry): Promise<Record<string, string>> => {
    const found: Record<string, string> = {};
    for (const tag of await listRegistry(registry))
      found[nameOf(tag)] = (await readRegistryImage(registry, tag.repository, tag.tag)).digest;
    return found;
  };

  it('give what pushing the new backup gives, every blob of it readable', async () => {
    const delta = folder.file('delta.tar');
    await regtarDone(['export', newTar, delta, '--format', 'registry', '--base', oldTar]);
    const [whole, inTwo] = [await startRegistry(), await startRegistry()];
    try {
      for (const backup of [oldTar, newTar]) await regtarDone(['push', backup, whole.host]);
      await regtarDone(['push', oldTar, inTwo.host]);
      const { stdout } = await regtarDone(['push', oldTar, inTwo.host, '--source', delta, '--json']);
      expect(await everything(inTwo)).toEqual(await everything(whole));
      expect((await everything(inTwo))['app:latest']).not.toBe(
        old.files.get('repositories/app/_manifests/tags/latest/current/link')?.toString(),
      );
      // What the base brought is not sent again.
      expect((JSON.parse(stdout) as { blobs: { bytes: number } }).blobs.bytes).toBeLessThan(
        [...fresh.files].filter(([path]) => isBlob(path)).reduce((sum, [, bytes]) => sum + bytes.length, 0),
      );
    } finally {
      await whole.stop();
      await inTwo.stop();
    }
  });
});
