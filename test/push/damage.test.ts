import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { readBack, without } from './support/compare.ts';
import { failures, push } from './support/regtar.ts';

const folder = temporaryFolder();
let registry: Registry;

beforeAll(async () => {
  registry = await startRegistry({ accessLog: true });
});
afterAll(async () => {
  await registry.stop();
  folder.remove();
});

/** One travels in one buffer, the other is streamed. */
it.each([
  ['small', 'a layer that two need'],
  ['streamed', randomBytes(900_000).toString('hex')],
])(
  'a corrupt %s blob: no tag of an image that needs it appears, the images are named, the others arrive',
  async (name, layer) => {
    const store = buildStorage((s) => {
      const app = s.image('team/app', ['v1', 'latest'], { layers: [layer, 'own'] });
      const web = s.image('other/web', 'v1', { layers: [layer] });
      const multi = s.index('team/multi', 'v1', [
        { platform: 'linux/amd64', layers: ['fine'] },
        { platform: 'linux/arm64', layers: [layer] },
      ]);
      const fine = s.image('tools/fine', 'v1', { layers: ['fine'] });
      const digest = app.blobs[1]?.digest;
      if (digest !== undefined) s.corruptBlob(digest);
      return {
        digest,
        images: {
          'team/app:v1': app,
          'team/app:latest': app,
          'other/web:v1': web,
          'team/multi:v1': multi,
          'tools/fine:v1': fine,
        },
      };
    });
    const source = folder.file(name);
    await store.writeTo(source);
    const result = await push(source, `${registry.host}/${name}`);
    const broken = {
      'team/app:v1': 'BLOB_CORRUPT',
      'team/app:latest': 'BLOB_CORRUPT',
      'other/web:v1': 'BLOB_CORRUPT',
      'team/multi:v1': 'BLOB_CORRUPT',
    };
    expect([result.code, failures(result)]).toEqual([3, broken]);
    for (const image of Object.keys(broken)) expect(result.stderr).toContain(image);
    expect(result.stderr).toContain(`blob ${String(store.built.digest)} is damaged`);
    const all = new Map(Object.entries(store.built.images).map(([image, { digest }]) => [image, digest]));
    expect(await readBack(registry, `${name}/`)).toEqual(without(all, broken));
    // Not even by digest.
    for (const repository of ['team/app', 'other/web', 'team/multi'])
      expect(
        (
          await fetch(`${registry.url}/v2/${name}/${repository}/blobs/${String(store.built.digest)}`, {
            method: 'HEAD',
          })
        ).status,
      ).toBe(404);
    expect(
      (
        await fetch(`${registry.url}/v2/${name}/team/multi/manifests/${store.built.images['team/multi:v1'].digest}`, {
          method: 'HEAD',
        })
      ).status,
    ).toBe(404);
    // A damaged blob is read once, not once for each image.
    expect(
      registry
        .requests()
        .filter(
          ({ method, path, status }) =>
            method === 'PUT' &&
            path.includes(`/v2/${name}/`) &&
            path.includes(encodeURIComponent(String(store.built.digest))) &&
            status === 201,
        ),
    ).toEqual([]);
  },
);

it('a registry that says yes and keeps nothing is found out by --verify', async () => {
  const store = buildStorage((s) => [
    s.image('team/app', 'v1', { layers: ['kept'] }),
    s.image('team/web', 'v1', { layers: ['dropped'] }),
  ]);
  await store.writeTo(folder.file('dropped'));
  const proxy = await startFaultProxy(registry.url, [
    { method: 'PUT', path: /team\/web\/manifests/, fault: { kind: 'answer', status: 201 } },
  ]);
  try {
    expect((await push(folder.file('dropped'), `${proxy.host}/dropped`)).code).toBe(0);
    const verified = await push(folder.file('dropped'), `${proxy.host}/dropped`, { args: ['--verify'] });
    expect([verified.code, failures(verified)]).toEqual([3, { 'team/web:v1': 'TARGET_DIFFERS' }]);
    expect(verified.stderr).toMatch(/TARGET_DIFFERS: .*team\/web:v1 is not there, although /);
  } finally {
    await proxy.stop();
  }
});
