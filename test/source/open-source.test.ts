import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RegtarError } from '../../src/errors.ts';
import { openSource } from '../../src/source/open-source.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { contentsOf } from './support/contents.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const store = buildStorage((s) => ({
  nginx: s.image('library/nginx', ['1.27', 'latest'], { layers: ['base', 'nginx'] }),
  app: s.index('team/deep/er/app', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]),
}));

function write(name: string, bytes: Uint8Array | string): string {
  const path = folder.file(name);
  writeFileSync(path, bytes);
  return path;
}

describe('a plain tar', () => {
  it('is read where it lies', async () => {
    const { tags, blobs, problems } = await contentsOf([write('docker.tar', store.tar())]);
    expect(tags).toEqual([
      `library/nginx:1.27 ${store.built.nginx.digest}`,
      `library/nginx:latest ${store.built.nginx.digest}`,
      `team/deep/er/app:v1 ${store.built.app.digest}`,
    ]);
    expect(blobs).toEqual('whole');
    expect(problems).toEqual([]);
  });
});

describe('a folder', () => {
  beforeAll(async () => {
    await store.writeTo(folder.file('storage'));
    await store.writeTo(folder.file('unpacked/var/lib/registry'));
  });

  it.each([
    'storage',
    'storage/docker',
    'storage/docker/registry',
    'storage/docker/registry/v2',
    'unpacked',
    'unpacked/var',
  ])('%s: the tree is found wherever it begins', async (name) => {
    const { tags, blobs, problems } = await contentsOf([folder.file(name)]);
    expect(tags).toHaveLength(3);
    expect(blobs).toEqual('whole');
    expect(problems).toEqual([]);
  });

  it('gives the file of each blob, so that an output can be a hard link', async () => {
    const backup = await openSource([folder.file('storage')]);
    const catalog = await readCatalog(backup);
    const location = catalog.stored.get(store.built.nginx.digest)?.location;
    expect(location && backup.file(location)).toContain(
      `/blobs/sha256/${store.built.nginx.digest.slice(7, 9)}/${store.built.nginx.digest.slice(7)}/data`,
    );
  });

  it('reads every link where damage is looked for; else a link that has the size of its digest is taken for what its path says', async () => {
    const spoiled = buildStorage((s) => {
      const app = s.image('app', 'v1', { layers: ['one'] });
      s.write(storagePaths.revisionLink('app', app.digest), `sha256:${'0'.repeat(64)}`);
      s.write(storagePaths.layerLink('app', app.blobs[0]!.digest), '');
      s.write(`repositories/app/_layers/tarsum/v1/sha256/${'0'.repeat(64)}/link`, 'x');
      return app;
    });
    await spoiled.writeTo(folder.file('spoiled'));
    mkdirSync(folder.file('spoiled/docker/registry/v2/repositories/app/_manifests/tags/v2'));
    const codes = async (trustLinks: boolean): Promise<string[]> =>
      (await readCatalog(await openSource([folder.file('spoiled')], { trustLinks }))).problems
        .map(({ code }) => code)
        .sort();
    expect(await codes(false)).toEqual(['LINK_INVALID', 'LINK_RECOVERED', 'STORAGE_TARSUM', 'TAG_NO_CURRENT']);
    expect(await codes(true)).toEqual(['LINK_RECOVERED', 'STORAGE_TARSUM', 'TAG_NO_CURRENT']);
  });

  it('a part of the tree alone is read as such', async () => {
    const blobs = await readCatalog(await openSource([folder.file('storage/docker/registry/v2/blobs')]));
    expect([...blobs.blobs()].length).toBeGreaterThan(5);
    const names = await readCatalog(await openSource([folder.file('storage/docker/registry/v2/repositories')]));
    expect([...names.repositories()]).toEqual(['library/nginx', 'team/deep/er/app']);
  });

  it('follows symbolic links inside and none that lead out', async () => {
    const { nginx, app } = store.built;
    const linked = buildStorage((s) => s.image('a', 'b', { layers: ['one'] }));
    await linked.writeTo(folder.file('linked'));
    const digest = linked.built.digest.slice(7);
    const data = folder.file('linked/docker/registry/v2/blobs/sha256', nginx.digest.slice(7, 9), nginx.digest.slice(7));
    mkdirSync(data, { recursive: true });
    symlinkSync(
      folder.file('storage/docker/registry/v2/blobs/sha256', nginx.digest.slice(7, 9), nginx.digest.slice(7), 'data'),
      `${data}/data`,
    );
    const inside = folder.file('linked/docker/registry/v2/blobs/sha256', app.digest.slice(7, 9), app.digest.slice(7));
    mkdirSync(inside, { recursive: true });
    symlinkSync(`../../${digest.slice(0, 2)}/${digest}/data`, `${inside}/data`);
    const catalog = await readCatalog(await openSource([folder.file('linked')]));
    expect(catalog.stored.get(nginx.digest)?.location).toBeUndefined();
    expect(catalog.stored.get(app.digest)?.location?.size).toBe(linked.built.bytes.length);
    expect(catalog.problems).toMatchObject([{ code: 'TAR_LINK_INVALID' }]);
  });

  it('that holds no registry is refused', async () => {
    mkdirSync(folder.file('other/sub'), { recursive: true });
    await expect(contentsOf([folder.file('other')])).rejects.toMatchObject({
      code: 'SOURCE_NOT_REGISTRY',
      message: expect.stringContaining('docker/registry/v2') as string,
    });
    mkdirSync(folder.file('empty'));
    await expect(contentsOf([folder.file('empty')])).rejects.toMatchObject({ code: 'SOURCE_EMPTY' });
  });
});

describe('what is not a backup is refused by name', () => {
  it.each<[string, string, Uint8Array | string, string]>([
    ['SOURCE_EMPTY', 'no bytes', '', 'is empty'],
    ['SOURCE_NOT_TAR', 'a zip', 'PK\x03\x04rest', 'zip'],
    ['SOURCE_NOT_TAR', 'a program', '\x7fELF\x02\x01\x01', 'ELF'],
    ['SOURCE_NOT_TAR', 'a disk image', Buffer.from('QFI\xfb\0\0\0\x03', 'latin1'), 'qcow2'],
    ['SOURCE_NOT_TAR', 'a list of images', 'library/nginx:1.27\nlibrary/nginx:latest\n', 'text: "library/nginx:1.27"'],
    ['SOURCE_NOT_TAR', 'random bytes', Buffer.alloc(5000, 'v\x01q\x80'), 'is not a tar archive'],
    ['SOURCE_COMPRESSED', 'xz', Buffer.from('\xfd7zXZ\0', 'latin1'), 'xz'],
    ['SOURCE_COMPRESSED', 'bzip2', 'BZh91AY', 'bzip2'],
  ])('%s: %s', async (code, name, bytes, words) => {
    const refusal: unknown = await openSource([write('refused', bytes)]).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(RegtarError);
    expect(refusal, name).toMatchObject({
      code,
      message: expect.stringContaining(words) as string,
      hint: expect.any(String) as string,
    });
    expect((refusal as Error).message).not.toMatch(/[\n\x1b]/);
  });

  it('SOURCE_NOT_FOUND: a name that does not exist', async () => {
    await expect(openSource([folder.file('absent.tar')])).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
  });
});
