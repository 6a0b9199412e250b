import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bucketWords, openBucketPlace } from '../../src/formats/registry/bucket-place.ts';
import { collectBody } from '../../src/io/body.ts';
import type { StoredObject } from '../../src/io/stored-object.ts';
import { parseBucketAddress } from '../../src/s3/address.ts';
import { openBucket, type Bucket } from '../../src/s3/bucket.ts';
import { regtar, regtarDone } from '../e2e/support/regtar.ts';
import { startFaultProxy, type FaultProxy, type FaultRule } from '../support/fault-proxy.ts';
import { fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { startRegistry } from '../support/start-registry.ts';
import { startVersitygw, type S3Server } from '../support/start-versitygw.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const mebibyte = 1024 * 1024;

describeWith(['versitygw', 'docker-registry'], 'blobs that the server copies', () => {
  const folder = temporaryFolder();
  const object = randomBytes(12 * mebibyte + 7);
  let server: S3Server;
  let old: Bucket;
  let etag: string;

  const open = (address: string, url = server.url): Bucket =>
    openBucket(parseBucketAddress(`${address}?endpoint=${url}`), {
      words: bucketWords,
      codes: { missing: 'OUTPUT_UNWRITABLE', denied: 'OUTPUT_UNWRITABLE', refused: 'OUTPUT_UNWRITABLE' },
      env: server.env,
      retry: { times: 2, delaySeconds: 0.01 },
    });
  const at = (address: string, url = server.url): string => `${address}?endpoint=${url}`;
  const stored = (start = 0, size = object.length): StoredObject => ({
    ...{ server: old.server, bucket: 'old', key: 'some thing+(1)', etag, objectBytes: object.length },
    ...{ start, size },
  });

  beforeAll(async () => {
    server = await startVersitygw(['old', 'new']);
    old = open('s3://old');
    await old.request({ method: 'PUT', key: 'some thing+(1)', body: object });
    await old.request({ method: 'PUT', key: 'docker.tar', body: readFileSync(fixturePath) });
    etag = `"${(await old.list('some')).objects[0]?.etag ?? ''}"`;
    await regtarDone(['export', fixturePath, at('s3://old/registry'), '--format', 'registry', '--untagged'], server);
  });
  afterAll(async () => {
    await old.close();
    await server.stop();
    folder.remove();
  });

  const through = async <Result>(rules: readonly FaultRule[], use: (proxy: FaultProxy) => Promise<Result>) => {
    const proxy = await startFaultProxy(server.url, rules);
    try {
      return await use(proxy);
    } finally {
      await proxy.stop();
    }
  };

  it.each([
    ['by one request', 12 * mebibyte + 7, 0, 12 * mebibyte + 7],
    ['in parts', 5 * mebibyte, 0, 12 * mebibyte + 7],
    ['as a part of an object', 12 * mebibyte, 3 * mebibyte + 1, 2 * mebibyte + 3],
    ['as a part of an object, in parts', 5 * mebibyte, 17, 11 * mebibyte],
  ])('appear %s, and are taken back', async (_title, pieceBytes, start, size) => {
    const place = openBucketPlace(open('s3://new/place'), { pieceBytes });
    expect(await place.copy?.('a/copy', stored(start, size))).toBe(true);
    const bytes = await collectBody(place.read('a/copy'), Infinity);
    expect(Buffer.compare(bytes, object.subarray(start, start + size))).toBe(0);
    expect(await place.takeBack()).toBe(1);
    expect(await place.stat('a/copy')).toBeUndefined();
    await place.close();
  });

  it('are not of another server, nor of a version that has gone, nor cut out where reading costs less', async () => {
    const place = openBucketPlace(open('s3://new/place'), { pieceBytes: 5 * mebibyte });
    expect(await place.copy?.('x', { ...stored(), server: 'AWS' })).toBe(false);
    expect(await place.copy?.('x', stored(5, 1000))).toBe(false);
    expect(place.notes?.()).toEqual([]);
    const changed = `"${'0'.repeat(32)}"`;
    expect(await place.copy?.('x', { ...stored(), etag: changed })).toBe(false);
    expect(await place.copy?.('x', { ...stored(5, 2 * mebibyte), etag: changed })).toBe(false);
    expect(place.notes?.()).toEqual([
      expect.stringMatching(/refused to copy 2 blobs on the server side \(412 PreconditionFailed/),
    ]);
    expect(await place.stat('x')).toBeUndefined();
    const { body } = await old.request({ method: 'GET', key: '', query: { uploads: '' } });
    expect(Buffer.from(body).toString()).not.toContain('<Upload>');
    expect(await place.copy?.('x', stored())).toBe(true);
    await place.takeBack();
    await place.close();
  });

  it('leave nothing behind where the run is ended while they are copied, or the rest is refused', async () => {
    const ask = async (key: string, query: Readonly<Record<string, string>>): Promise<string> =>
      Buffer.from((await old.request({ method: 'GET', key, query })).body).toString();
    await through([{ path: /partNumber=2/, nth: 1, fault: { kind: 'stall', when: 'answer' } }], async (proxy) => {
      const place = openBucketPlace(open('s3://old/place', proxy.url), { pieceBytes: 5 * mebibyte });
      const copied = { ...stored(), server: proxy.url };
      const stop = new AbortController();
      const ended = expect(place.copy?.('a/copy', copied, { signal: stop.signal })).rejects.toThrow('enough');
      // Only when the server has the part: one that arrives after its upload was given up is the server's affair.
      for (const end = performance.now() + 20_000; ; await sleep(10)) {
        if (performance.now() > end) throw new Error('the second part never came');
        const uploadId = /partNumber=2&uploadId=(.+)/.exec(proxy.requests.at(-1)?.path ?? '')?.[1];
        if (uploadId !== undefined && /<PartNumber>2</.test(await ask('place/a/copy', { uploadId }))) break;
      }
      stop.abort(new Error('enough'));
      await ended;
      proxy.add({ path: /partNumber=3/, nth: 1, fault: { kind: 'answer', status: 400 } });
      expect(await place.copy?.('a/copy', copied)).toBe(false);
      expect(await place.stat('a/copy')).toBeUndefined();
      await place.close();
    });
    expect(await ask('', { uploads: '' })).not.toContain('<Upload>');
  });

  it('fill the storage of a registry without a byte of a layer passing through, which everything says', async () => {
    const registry = await startRegistry({ s3: { endpoint: server.url, bucket: 'new', prefix: 'live', ...server } });
    await through([], async (proxy) => {
      const [source, storage] = [at('s3://old/registry', proxy.url), at('s3://new/live', proxy.url)];
      const report = folder.file('live.json');
      const page = folder.file('live.html');
      const reports = ['--report', report, '--report', page];
      const args = ['push', source, registry.host, '--storage', storage, '--json', '--untagged', ...reports];
      const { stdout, stderr } = await regtarDone(args, { env: server.env, cwd: folder.path });
      const { blobs } = JSON.parse(stdout) as { blobs: Record<string, number> };
      expect(blobs['serverCopied']).toBeGreaterThan(5);
      expect(blobs['serverCopiedBytes']).toBeGreaterThan(50_000);
      expect(blobs).not.toHaveProperty('placed');
      expect(stderr).toMatch(/images: .* copied by the server \(unhashed\)/);
      expect(readFileSync(page, 'utf8')).toContain('Copied by the server, unhashed');
      expect(readFileSync(report, 'utf8')).toContain(`"serverCopied": ${blobs['serverCopied']}`);
      const sent = proxy.requests.filter(({ method, path }) => method === 'PUT' && path.endsWith('/data'));
      expect(sent.length).toBe(blobs['serverCopied']);
      expect(sent.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(0);
      // Manifests and configs are read for the plan, each once, and nothing else.
      const read = proxy.requests.filter(({ method, path }) => method === 'GET' && path.endsWith('/data'));
      expect(new Set(read.map(({ path }) => path)).size).toBe(read.length);
      expect((await regtarDone(['check', registry.host, '--report', report])).code).toBe(0);
    });
    await registry.stop();
    const { stdout } = await regtarDone(['verify', at('s3://new/live'), '--json'], server);
    expect(JSON.parse(stdout)).toMatchObject({ problems: [] });
  });

  it.each([
    ['403', { kind: 'answer', status: 403, body: '<Error><Code>AccessDenied</Code></Error>' } as const],
    ['501', { kind: 'answer', status: 501, body: '<Error><Code>NotImplemented</Code></Error>' } as const],
    [
      'an error behind 200',
      { kind: 'answer', status: 200, body: '<Error><Code>InternalError</Code></Error>' } as const,
    ],
  ])('are read and written where the server answers %s, and a note says so', async (title, fault) => {
    const out = `s3://new/after-${title.replaceAll(' ', '-')}`;
    await through([{ method: 'PUT', path: /\/data$/, nth: 1, fault }], async (proxy) => {
      const args = [
        'export',
        at('s3://old/registry', proxy.url),
        at(out, proxy.url),
        '--format',
        'registry',
        '--untagged',
      ];
      const { stderr } = await regtarDone(args, server);
      expect(stderr).toMatch(
        /note: http:.* refused to copy a blob on the server side \(\d+ \w+\); what it did not copy went through/,
      );
    });
    const verified = await regtarDone(['verify', at(out), '--json'], server);
    expect(JSON.parse(verified.stdout)).toMatchObject({ images: { partial: 0, lost: 0 }, problems: [] });
  });

  it('are read and hashed where that is asked for', async () => {
    const registry = await startRegistry({ s3: { endpoint: server.url, bucket: 'new', prefix: 'hashed', ...server } });
    const args = ['push', at('s3://old/registry'), registry.host, '--storage', at('s3://new/hashed'), '--json'];
    const { stdout } = await regtarDone([...args, '--verify-storage'], { env: server.env, cwd: folder.path });
    const { blobs } = JSON.parse(stdout) as { blobs: Record<string, number> };
    expect(blobs).not.toHaveProperty('serverCopied');
    expect(blobs['placed']).toBeGreaterThan(5);
    await registry.stop();
  });

  it('come from a tar in a bucket, too, where it holds large ones', async () => {
    const args = ['export', at('s3://old/docker.tar'), at('s3://new/of-tar'), '--format', 'registry', '--untagged'];
    await regtarDone(args, server);
    const { stdout } = await regtarDone(['list', at('s3://new/of-tar')], server);
    expect(stdout).toBe((await regtarDone(['list', fixturePath])).stdout);
  });

  it('are never SOURCE itself, not by another name of its server', async () => {
    const alias = server.url.replace('127.0.0.1', 'localhost');
    for (const [source, out] of [
      [at('s3://old/registry'), at('s3://old/registry', alias)],
      [at('s3://old/registry', alias), at('s3://old')],
      [at('s3://old/docker.tar'), at('s3://old', alias)],
    ] as const) {
      const { code, stderr } = await regtar(['export', source, out, '--format', 'registry'], server);
      expect([code, stderr]).toEqual([expect.any(Number), expect.stringMatching(/OUTPUT_IS_SOURCE: OUT s3:\/\/old/)]);
      expect(code).not.toBe(0);
    }
    const registry = await startRegistry();
    const storage = ['--storage', at('s3://old/registry/inside')];
    const { stderr } = await regtar(['push', at('s3://old/registry'), registry.host, ...storage], {
      env: server.env,
      cwd: folder.path,
    });
    expect(stderr).toMatch(/OUTPUT_IS_SOURCE: --storage s3:\/\/old\/registry\/inside and s3:\/\/old\/registry/);
    await registry.stop();
  });
});
