import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bucketWords, openBucketPlace } from '../../src/formats/registry/bucket-place.ts';
import { createPlacedBlobs } from '../../src/formats/registry/placed-blobs.ts';
import { collectBody } from '../../src/io/body.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseBucketAddress } from '../../src/s3/address.ts';
import { openBucket, type Bucket } from '../../src/s3/bucket.ts';
import { bareEnvironment, program, regtar, regtarDone } from '../e2e/support/regtar.ts';
import { createAuthority } from '../support/certificates.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { startRegistry } from '../support/start-registry.ts';
import { startVersitygw, type S3Server } from '../support/start-versitygw.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describeWith(['versitygw', 'docker-registry', 'openssl'], 'a bucket that is written', () => {
  const folder = temporaryFolder();
  let server: S3Server;
  let tags: string;

  const open = (key: string, url = server.url): Bucket =>
    openBucket(parseBucketAddress(`s3://out/${key}?endpoint=${url}`), {
      words: bucketWords,
      codes: { missing: 'OUTPUT_UNWRITABLE', denied: 'OUTPUT_UNWRITABLE', refused: 'OUTPUT_UNWRITABLE' },
      env: server.env,
      retry: { times: 2, delaySeconds: 0.01 },
    });
  const at = (key: string): string => `s3://out/${key}?endpoint=${server.url}`;
  const keysOf = async (bucket: Bucket): Promise<readonly string[]> =>
    (await bucket.list(`${bucket.address.key}/`)).objects.map(({ key }) => key);

  beforeAll(async () => {
    server = await startVersitygw(['out']);
    tags = (await regtarDone(['list', fixturePath])).stdout;
  });
  afterAll(async () => {
    await server.stop();
    folder.remove();
  });

  it('holds small and large bodies whole, and nothing of one that failed', async () => {
    const bucket = open('place');
    const place = openBucketPlace(bucket);
    const large = randomBytes(20 * 1024 * 1024 + 5);
    const bodyOf = (bytes: Uint8Array, failure?: Error) => () =>
      (async function* () {
        for (let start = 0; start < bytes.length; start += 1_000_000) yield bytes.subarray(start, start + 1_000_000);
        if (failure !== undefined) throw failure;
      })();
    expect(await place.put('a/large', bodyOf(large), { size: large.length })).toBe('written');
    expect(await place.put('a/small', bodyOf(large.subarray(0, 1000)), { size: 1000 })).toBe('written');
    expect(await place.put('a/small', Buffer.from('other'))).toBe('present');
    expect(Buffer.from(await collectBody(place.read('a/large'), Infinity)).equals(large)).toBe(true);
    expect((await place.stat('a/small'))?.size).toBe(1000);
    for (const size of [1000, large.length])
      await expect(place.put('a/wrong', bodyOf(large.subarray(0, size), new Error('wrong')), { size })).rejects.toThrow(
        'wrong',
      );
    expect(await place.stat('a/wrong')).toBeUndefined();
    expect(
      Buffer.from((await bucket.request({ method: 'GET', key: '', query: { uploads: '' } })).body).toString(),
    ).not.toContain('<Upload>');
    const listed: string[] = [];
    for await (const { path, size } of place.list('a')) listed.push(`${path} ${size}`);
    expect(listed.sort()).toEqual([`a/large ${large.length}`, 'a/small 1000']);
    await place.put('a/small', Buffer.from('other'), { replace: true });
    expect(await place.takeBack()).toBe(2);
    expect(await keysOf(bucket)).toEqual([]);
    await place.close();
  });

  it('is asked once whether a blob or a link is there', async () => {
    const proxy = await startFaultProxy(server.url);
    const place = openBucketPlace(open('heads', proxy.url));
    const blobs = createPlacedBlobs(place, { replace: true });
    for (const bytes of [randomBytes(20), randomBytes(9 * 1024 * 1024)]) {
      const blob = { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length };
      const body = async function* () {
        yield bytes;
      };
      expect(await blobs.put(blob, body, {})).toBe('written');
      expect(await blobs.link('team/app', blob.digest)).toBe('written');
    }
    const heads = proxy.requests.filter(({ method }) => method === 'HEAD').map(({ path }) => path);
    expect(heads).toHaveLength(4);
    expect(new Set(heads).size).toBe(4);
    expect(await place.takeBack()).toBe(4);
    await place.close();
    await proxy.stop();
  });

  it('goes on through 503, and says what is wrong where that does not end', async () => {
    const proxy = await startFaultProxy(server.url, [
      { method: 'PUT', nth: (n) => n % 2 === 1, fault: { kind: 'answer', status: 503 } },
    ]);
    const place = openBucketPlace(open('busy', proxy.url));
    expect(await place.put('x', Buffer.from('1'))).toBe('written');
    proxy.add({ method: 'PUT', fault: { kind: 'answer', status: 500 } });
    await expect(place.put('y', Buffer.from('1'))).rejects.toMatchObject({ code: 'OUTPUT_UNWRITABLE' });
    await place.close();
    await proxy.stop();
  });

  it('is an export that a registry serves', async () => {
    const { env } = server;
    await regtarDone(['export', fixturePath, at('export'), '--format', 'registry'], { env });
    expect((await regtarDone(['list', at('export')], { env })).stdout).toBe(tags);
    const again = await regtarDone(['export', fixturePath, at('export'), '--format', 'registry', '--json'], { env });
    expect(JSON.parse(again.stdout)).toMatchObject({ blobs: { copied: 0 } });
    const registry = await startRegistry({ s3: { endpoint: server.url, bucket: 'out', prefix: 'export', ...server } });
    const pulled = folder.file('pulled.json');
    await regtarDone(['push', fixturePath, registry.host, '--report', pulled, '--verify']);
    expect((await regtarDone(['check', registry.host, '--report', pulled])).code).toBe(0);
    await registry.stop();
  });

  it('is gone on with by --resume after a kill: what is right stays, what is damaged or missing is written', async () => {
    const { env } = server;
    const proxy = await startFaultProxy(server.url, [
      { method: 'PUT', nth: (n) => n > 20, fault: { kind: 'stall', when: 'answer' } },
    ]);
    const words = ['export', fixturePath, `s3://out/cut?endpoint=${proxy.url}`, '--format', 'registry'];
    const killed = spawn(process.execPath, [program, ...words], {
      env: { ...process.env, ...bareEnvironment, ...env },
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => killed.once('close', resolve));
    while (proxy.count({ method: 'PUT' }) <= 20) await sleep(20);
    killed.kill('SIGKILL');
    await ended;
    await proxy.stop();
    const left = (await keysOf(open('cut'))).filter((key) => key.endsWith('/data'));
    expect(left.length).toBeGreaterThan(2);
    const [damaged = '', kept = ''] = left;
    const path = join(server.folder, 'out', damaged);
    const right = readFileSync(path);
    writeFileSync(path, Buffer.alloc(right.length, 'x'));
    const before = statSync(join(server.folder, 'out', kept)).mtimeMs;

    const resumed = ['export', fixturePath, at('cut'), '--format', 'registry'];
    await regtarDone([...resumed, '--resume'], { env });
    expect(readFileSync(path).equals(right)).toBe(true);
    expect(statSync(join(server.folder, 'out', kept)).mtimeMs).toBe(before);
    expect((await regtarDone(['list', at('cut')], { env })).stdout).toBe(tags);
    await regtarDone(['verify', at('cut'), '-q'], { env });
    expect(JSON.parse((await regtarDone([...resumed, '--json'], { env })).stdout)).toMatchObject({
      blobs: { copied: 0 },
    });
  });

  it('is the storage of a registry that runs', async () => {
    const { env } = server;
    const registry = await startRegistry({ s3: { endpoint: server.url, bucket: 'out', prefix: 'live', ...server } });
    const report = folder.file('live.json');
    const pushed = ['push', fixturePath, registry.host, '--storage', at('live'), '--report', report, '--json'];
    const { stdout } = await regtarDone(pushed, { env });
    expect((JSON.parse(stdout) as { blobs: { placed: number } }).blobs.placed).toBeGreaterThan(5);
    expect((await regtarDone(['check', registry.host, '--report', report])).code).toBe(0);
    await registry.stop();
    const other = await startRegistry();
    const wrong = await regtar(['push', fixturePath, other.host, '--storage', at('nobody')], { env });
    expect(wrong.stderr).toMatch(/STORAGE_NOT_TARGET/);
    expect(await keysOf(open('nobody'))).toEqual([]);
    await other.stop();
  }, 60_000);

  it.each([
    ['s3://out/export', 's3://out/export'],
    ['s3://out/export', 's3://out/export/inside'],
    ['s3://out/export', 's3://out'],
  ])('is refused where SOURCE is %s and OUT is %s', async (source, out) => {
    const args = ['export', source, out, '--format', 'registry', '--s3-endpoint', server.url];
    const { code, stderr } = await regtar(args, { env: server.env });
    expect([code, stderr]).toEqual([expect.any(Number), expect.stringMatching(/OUTPUT_IS_SOURCE/)]);
    expect(code).not.toBe(0);
  });

  it('is trusted by AWS_CA_BUNDLE, which --source-ca-file is not for', async () => {
    const made = await createAuthority(folder.path);
    const secure = await startVersitygw(['secure'], await made.issue('bucket'));
    const { env } = secure;
    const bundle = { ...env, AWS_CA_BUNDLE: made.certificate };
    const out = `s3://secure/out?endpoint=${secure.url}`;
    const args = ['export', fixturePath, out, '--format', 'registry', '--retry-times', '0'];
    const { stderr } = await regtar([...args, '--source-ca-file', made.certificate], { env });
    expect(stderr).toMatch(/OUTPUT_UNWRITABLE: .* has a certificate that is not trusted.*\n.*AWS_CA_BUNDLE/);
    await regtarDone(args, { env: bundle });
    expect((await regtarDone(['list', out], { env: bundle })).stdout).toBe(tags);
    expect((await regtarDone(['list', out, '--source-ca-file', made.certificate], { env })).stdout).toBe(tags);
    await secure.stop();
  });

  it('takes a registry beside the one that is read, and no other format', async () => {
    const { env, url } = server;
    const beside = ['export', 's3://out/export', 's3://out/export-2', '--format', 'registry', '--s3-endpoint', url];
    await regtarDone(beside, { env });
    expect((await regtarDone(['list', at('export-2')], { env })).stdout).toBe(tags);
    const oci = await regtar(['export', fixturePath, at('oci')], { env });
    expect([oci.code, oci.stderr]).toEqual([2, expect.stringMatching(/use --format registry/)]);
  });
});
