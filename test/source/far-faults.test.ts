import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openContentStore } from '../../src/formats/content-store.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { collectBody } from '../../src/io/body.ts';
import { createFileFetcher } from '../../src/io/file-fetcher.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { parseBucketAddress } from '../../src/s3/address.ts';
import { openBucket, type Bucket } from '../../src/s3/bucket.ts';
import { sourceWords } from '../../src/source/far/source-words.ts';
import { openSource } from '../../src/source/open-source.ts';
import { listStorage } from '../../src/source/s3/list-storage.ts';
import { regtar, regtarDone } from '../e2e/support/regtar.ts';
import { startFaultProxy, type Fault, type FaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/peers.ts';
import { startNginx, type Nginx } from '../support/start-nginx.ts';
import { startVersitygw, type S3Server } from '../support/start-versitygw.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const { built, tar } = buildStorage((s) => ({
  app: s.image('team/app', 'v1', { layers: ['base', 'app'] }),
  web: s.image('web', 'v1', { layers: ['base', 'web'] }),
}));

interface Layer {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

const hexOf = ({ digest }: Layer): string => digest.slice('sha256:'.length);

const access = {
  words: sourceWords,
  codes: { missing: 'SOURCE_NOT_FOUND', denied: 'SOURCE_DENIED', refused: 'SOURCE_UNREADABLE' },
} as const;

describeWith(['nginx', 'versitygw'], 'what goes wrong with bytes elsewhere', () => {
  const folder = temporaryFolder();
  let nginx: Nginx;
  let changing: Bucket;
  let appLayer: Layer;
  let webLayer: Layer;
  let server: S3Server;
  let proxies: readonly { readonly place: 'web' | 'bucket'; readonly proxy: FaultProxy }[];
  const proxyOf = (place: string): FaultProxy => proxies.find((each) => each.place === place)!.proxy;
  const addressOf = (place: string): string =>
    place === 'web' ? `${proxyOf(place).url}/files/docker.tar` : `s3://files/storage?endpoint=${proxyOf(place).url}`;

  beforeAll(async () => {
    mkdirSync(folder.file('root'));
    writeFileSync(folder.file('root', 'docker.tar'), tar());
    [nginx, server] = await Promise.all([
      startNginx({ root: folder.file('root') }),
      startVersitygw(['files', 'many', 'changing']),
    ]);
    for (const bucket of ['files', 'changing'])
      await regtarDone(
        [
          'export',
          folder.file('root', 'docker.tar'),
          `s3://${bucket}/storage?endpoint=${server.url}`,
          '--format',
          'registry',
        ],
        server,
      );
    changing = openBucket(parseBucketAddress(`s3://changing?endpoint=${server.url}`), { ...access, env: server.env });
    const local = await open(folder.file('root', 'docker.tar'));
    const layerOf = async ({ digest }: Descriptor): Promise<Layer> => ({ digest, bytes: await local.read(digest) });
    [appLayer, webLayer] = await Promise.all([layerOf(built.app.blobs.at(-1)!), layerOf(built.web.blobs.at(-1)!)]);
    await local.backup.close();
    proxies = [
      { place: 'web', proxy: await startFaultProxy(nginx.url) },
      { place: 'bucket', proxy: await startFaultProxy(server.url) },
    ];
  });
  afterAll(async () => {
    await changing.close();
    await Promise.all(proxies.map(({ proxy }) => proxy.stop()));
    await nginx.stop();
    await server.stop();
    folder.remove();
  });

  const open = async (address: string) => {
    const backup = await openSource([address], { far: { env: server.env, retry: { times: 2, delaySeconds: 0.01 } } });
    const catalog = await readCatalog(backup);
    const store = openContentStore(backup, catalog);
    return { backup, store, read: (digest: Digest) => collectBody(store.open(digest), Infinity), size: sizeOf(store) };
  };
  const sizeOf = (store: ReturnType<typeof openContentStore>) => (digest: Digest) => store.stat(digest)?.size ?? 0;
  const layer = (): Digest => appLayer.digest;

  /** The requests that come from now on, first come the faults in their order. */
  const withFaults = async <Result>(place: string, faults: readonly Fault[], use: () => Promise<Result>) => {
    const proxy = proxyOf(place);
    proxy.add(...faults.map((fault, index) => ({ nth: index + 1, fault })));
    try {
      return await use();
    } finally {
      proxy.heal();
    }
  };

  it.each(['web', 'bucket'])('a short answer is asked for again, and told where it stays (%s)', async (place) => {
    const { backup, read, size } = await open(addressOf(place));
    const total = place === 'web' ? readFileSync(folder.file('root', 'docker.tar')).length : size(layer());
    const short: Fault = {
      kind: 'answer',
      status: 206,
      headers: { 'content-range': `bytes 0-9/${total}` },
      body: 'x'.repeat(10),
    };
    const whole = await read(layer());
    // A web server's answers are compared with the version that was opened, which this one does not name.
    const isTold = place === 'web' ? 'SOURCE_CHANGED' : 'SOURCE_UNREADABLE';
    if (place === 'bucket') expect(await withFaults(place, [short], () => read(layer()))).toEqual(whole);
    await withFaults(place, [short, short, short], () => expect(read(layer())).rejects.toMatchObject({ code: isTold }));
    expect(await withFaults(place, [{ kind: 'truncate', bytes: 10 }], () => read(layer()))).toEqual(whole);
    await backup.close();
  });

  it.each([
    ['web', 401],
    ['web', 403],
    ['bucket', 403],
  ])('credentials that end in the middle are told (%s, %d)', async (place, status) => {
    const { backup, read } = await open(addressOf(place));
    const denied: Fault = { kind: 'answer', status, body: '<Error><Code>AccessDenied</Code></Error>' };
    await withFaults(place, [denied], () => expect(read(layer())).rejects.toMatchObject({ code: 'SOURCE_DENIED' }));
    await backup.close();
  });

  it.each(['web', 'bucket'])('wrong bytes fail their image and no other (%s)', async (place) => {
    const bytes = tar();
    const at = bytes.indexOf(appLayer.bytes);
    bytes[at + 40] = (bytes[at + 40] ?? 0) ^ 1;
    writeFileSync(folder.file('root', 'damaged.tar'), bytes);
    const key = `storage/docker/registry/v2/blobs/sha256/${hexOf(appLayer).slice(0, 2)}/${hexOf(appLayer)}/data`;
    await changing.request({ method: 'PUT', key, body: bytes.subarray(at, at + appLayer.bytes.length) });
    const address = place === 'web' ? `${nginx.url}/files/damaged.tar` : `s3://changing/storage?endpoint=${server.url}`;
    const { code, stderr } = await regtar(
      ['export', address, folder.file(`wrong-${place}`), '--retry-times', '0'],
      server,
    );
    expect([code, stderr]).toEqual([3, expect.stringMatching(/BLOB_CORRUPT/)]);
    expect(stderr).toMatch(/team\/app:v1/);
    expect(stderr).not.toMatch(/web:v1/);
  });

  it('an object that was written anew with another size has changed', async () => {
    const { backup, read } = await open(`s3://changing/storage?endpoint=${server.url}`);
    const key = `storage/docker/registry/v2/blobs/sha256/${hexOf(webLayer).slice(0, 2)}/${hexOf(webLayer)}/data`;
    await changing.request({ method: 'PUT', key, body: Buffer.concat([webLayer.bytes, Buffer.from('more')]) });
    await expect(read(webLayer.digest)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    await changing.request({ method: 'DELETE', key });
    await expect(read(webLayer.digest)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    await backup.close();
  });

  it.each<[string, readonly Fault[], 'whole' | 'SOURCE_DENIED']>([
    ['as they are', [], 'whole'],
    ['where an answer is cut', [{ kind: 'truncate', bytes: 10 }], 'whole'],
    [
      'when they are too fast',
      [{ kind: 'answer', status: 503, body: '<Error><Code>SlowDown</Code></Error>' }],
      'whole',
    ],
    [
      'until they are denied',
      Array<Fault>(3).fill({ kind: 'answer', status: 403, body: '<Error><Code>AccessDenied</Code></Error>' }),
      'SOURCE_DENIED',
    ],
  ])('threads fetch objects of a bucket %s', async (what, faults, end) => {
    const { backup, store } = await open(addressOf('bucket'));
    const fetcher = createFileFetcher({ threads: 1, threadsFromBytes: 0 });
    const target = folder.file(what.replaceAll(' ', '-'));
    const fetched = withFaults('bucket', faults, async () => {
      const bytes = store.far?.(layer());
      return bytes && fetcher.fetch(target, bytes, layer(), {});
    });
    if (end === 'whole') {
      expect(await fetched).toBe(true);
      expect(readFileSync(target)).toEqual(Buffer.from(appLayer.bytes));
    } else await expect(fetched).rejects.toMatchObject({ code: end });
    await fetcher.close();
    await backup.close();
  });

  it('keys that are over are read again from their profile, and the run goes on', async () => {
    const home = folder.file('home');
    const credentials = join(home, '.aws', 'credentials');
    const write = (id: string): void =>
      writeFileSync(credentials, `[default]\naws_access_key_id=${id}\naws_secret_access_key=${server.secretKey}\n`);
    mkdirSync(dirname(credentials), { recursive: true });
    write('over-since-yesterday');
    const bucket = openBucket(parseBucketAddress(`s3://files?endpoint=${proxyOf('bucket').url}`), {
      ...access,
      env: {},
      home,
    });
    const over: Fault = { kind: 'answer', status: 403, body: '<Error><Code>InvalidAccessKeyId</Code></Error>' };
    await withFaults('bucket', [over], () =>
      expect(bucket.list('storage/')).rejects.toMatchObject({
        code: 'SOURCE_DENIED',
        hint: expect.stringMatching(/get new ones/) as string,
      }),
    );
    write(server.accessKey);
    const { objects } = await withFaults('bucket', [over], () => bucket.list('storage/'));
    expect(objects.length).toBeGreaterThan(5);
    await bucket.close();
  });

  it('a listing asks for as many pages as keys and folders need, and when it is too fast, for fewer at once', async () => {
    const blobs = 2_300;
    const [repositories, layersOfEach] = [3, 700];
    const root = join(server.folder, 'many', 'docker/registry/v2');
    const put = (path: string): void => {
      mkdirSync(join(root, path), { recursive: true });
      writeFileSync(join(root, path, path.startsWith('blobs') ? 'data' : 'link'), '');
    };
    for (let index = 0; index < blobs; index++) {
      const hex = createHash('sha256').update(String(index)).digest('hex');
      put(`blobs/sha256/${hex.slice(0, 2)}/${hex}`);
      if (index < repositories * layersOfEach)
        put(`repositories/team/app${index % repositories}/_layers/sha256/${hex}`);
    }
    const keys = blobs + repositories * layersOfEach;
    const proxy = await startFaultProxy(server.url);
    const bucket = openBucket(parseBucketAddress(`s3://many?endpoint=${proxy.url}`), {
      ...access,
      env: server.env,
      retry: { delaySeconds: 0.01 },
    });
    const listed = new Set<string>();
    await listStorage(bucket, 'docker/registry/v2/', ({ key }) => void listed.add(key), {});
    expect(listed.size).toBe(keys);
    // blobs/, sha256/ and its 256; repositories/, team/ and its 3.
    const folders = 2 + 256 + 2 + repositories;
    expect(proxy.requests.length).toBeLessThanOrEqual(keys / 1000 + folders + 4);
    const before = proxy.requests.length;
    proxy.add({
      nth: (n) => n % 10 === 0,
      fault: { kind: 'answer', status: 503, body: '<Error><Code>SlowDown</Code></Error>' },
    });
    listed.clear();
    await listStorage(bucket, 'docker/registry/v2/', ({ key }) => void listed.add(key), {});
    expect(listed.size).toBe(keys);
    expect(proxy.requests.length - before).toBeLessThanOrEqual(1.2 * before);
    await bucket.close();
    await proxy.stop();
  }, 60_000);
});
