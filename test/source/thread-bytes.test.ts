import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { createFileFetcher, type FileFetcher } from '../../src/io/file-fetcher.ts';
import { createRangeClient } from '../../src/io/range-client.ts';
import { Secret } from '../../src/net/secret.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { FarAccess } from '../../src/source/far/access.ts';
import { openFarObject, type FarObject } from '../../src/source/far/far-object.ts';
import { openHttpsObject } from '../../src/source/https/https-object.ts';
import { createAuthority } from '../support/certificates.ts';
import { startFaultProxy, type Fault, type FaultProxy } from '../support/fault-proxy.ts';
import { describeWith } from '../support/peers.ts';
import { startNginx, type Nginx } from '../support/start-nginx.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const password = 'very-secret-word';
const noise = randomBytes(3_000_000);
/** A hole in it that need not be written, and zeros at its end. */
const content = Buffer.concat([noise, Buffer.alloc(1_000_000), noise.subarray(7), Buffer.alloc(500_000)]);
const start = 1001;
const size = content.length - 2 * start;
const part = content.subarray(start, start + size);

describeWith(['nginx', 'openssl'], 'parts of a file on a web server that threads fetch', () => {
  const folder = temporaryFolder();
  const root = folder.file('root');
  let nginx: Nginx;
  let proxy: FaultProxy;
  let authority: string;
  let pair: { readonly certificate: string; readonly key: string };
  let fetcher: FileFetcher;
  let object: FarObject | undefined;
  let target = '';
  let turn = 0;

  beforeAll(async () => {
    mkdirSync(root);
    mkdirSync(folder.file('out'));
    const made = await createAuthority(folder.path);
    authority = made.certificate;
    pair = await made.issue('server');
    nginx = await startNginx({ root, tls: pair, user: { username: 'reader', password }, token: password });
    proxy = await startFaultProxy(nginx.url);
    fetcher = createFileFetcher({ threads: 2, threadsFromBytes: 0 });
  });
  beforeEach(() => {
    writeFileSync(`${root}/file`, content);
    target = folder.file('out', String(turn++));
  });
  afterEach(async () => {
    proxy.heal();
    await object?.close();
    object = undefined;
  });
  afterAll(async () => {
    await fetcher.close();
    await proxy.stop();
    await nginx.stop();
    folder.remove();
  });

  /** @param requests are told to it */
  const open = async (address: string, far: FarAccess = {}, requests: number[] = []): Promise<FarObject> => {
    const retry = { times: 2, delaySeconds: 0.01 };
    const onRequest: FarAccess['onRequest'] = ({ status }) => void requests.push(status);
    object = await openFarObject(openHttpsObject(address, { retry, onRequest, ...far }), 16);
    return object;
  };
  const fetchPart = async (signal?: AbortSignal, onBytes?: (bytes: number) => void, digest = digestOf(part)) => {
    const bytes = object?.bytes?.(start, size);
    if (bytes === undefined) throw new Error('no thread can fetch');
    return fetcher.fetch(target, bytes, digest, { signal, onBytes });
  };
  const isThere = (): boolean => readFileSync(target).equals(part);
  const withFaults = (...faults: readonly Fault[]): void =>
    proxy.add(...faults.map((fault, index) => ({ nth: index + 1, fault })));

  it('are written as they are, each asked for once, and told', async () => {
    const requests: number[] = [];
    await open(`${nginx.url}/files/file`, {}, requests);
    let told = 0;
    expect(await fetchPart(undefined, (bytes) => void (told += bytes))).toBe(true);
    expect([isThere(), told, requests]).toEqual([true, size, [206, 206]]);
    expect(nginx.requests().at(-1)).toMatchObject({ range: `bytes=${start}-${start + size - 1}`, bytes: size });
  });

  it('come with credentials, over TLS of a named authority, and from where redirects lead', async () => {
    const secret = new Secret(password);
    for (const [address, far] of [
      [`${nginx.url}/basic/file`, { username: 'reader', password: secret }],
      [`${nginx.url}/bearer/file`, { password: secret }],
      [`${nginx.tlsUrl}/files/file`, { caFile: authority }],
      [`${nginx.url}/moved/file`, {}],
    ] as const) {
      await open(address, far);
      target = folder.file('out', String(turn++));
      expect([address, await fetchPart(), isThere()]).toEqual([address, true, true]);
      await object?.close();
    }
  });

  it('are asked for nowhere else: a server that is not trusted hears nothing', async () => {
    const heard: string[] = [];
    const server = createServer({ cert: readFileSync(pair.certificate), key: readFileSync(pair.key) }, (socket) =>
      socket
        .on('error', () => undefined)
        .on('data', (bytes: Buffer) => {
          heard.push(bytes.toString('latin1'));
          socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
        }),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ask = (ca: readonly string[]) =>
      new Promise((resolve) => {
        const text = Buffer.from(JSON.stringify({ ca, rejectUnauthorized: true }));
        const material = new SharedArrayBuffer(text.length);
        Buffer.from(material).set(text);
        createRangeClient(1024).get(
          {
            host: '127.0.0.1',
            port,
            tls: { id: ca.length === 0 ? 'none' : 'named', material },
            head: `GET / HTTP/1.1\r\nauthorization: ${password}\r\n\r\n`,
            answer: {},
            size: 1,
            stallSeconds: 30,
          },
          { take: () => undefined, end: (trouble) => resolve(trouble) },
        );
      });
    expect([await ask([]), heard]).toEqual(['broken', []]);
    // The same server would have heard it where it is trusted.
    expect([await ask([readFileSync(authority, 'utf8')]), heard.length]).toEqual(['refused', 1]);
    server.close();
  });

  it('are left to the usual way where a proxy stands between', async () => {
    const env = { http_proxy: proxy.url };
    const server = openHttpsObject('http://files.example/file', { plainHttp: true, env });
    expect(await server.direct?.({})).toBeUndefined();
    await server.close();
  });

  it.each<[string, readonly Fault[]]>([
    [
      'cut within',
      [
        { kind: 'truncate', bytes: 2_000_000 },
        { kind: 'answer', status: 503 },
        { kind: 'reset', when: 'in-answer', bytes: 1 },
      ],
    ],
    ['refused for a while', [{ kind: 'answer', status: 503 }]],
    ['reset at once', [{ kind: 'reset', when: 'before-body' }]],
    ['silent', [{ kind: 'stall', when: 'answer' }]],
  ])('go on behind what has come where an answer is %s', async (_what, faults) => {
    await open(`${proxy.url}/files/file`, { stallTimeoutSeconds: 1, retry: { times: 5, delaySeconds: 0.01 } });
    withFaults(...faults);
    const before = nginx.requests().length;
    let told = 0;
    expect(await fetchPart(undefined, (bytes) => void (told += bytes))).toBe(true);
    expect([isThere(), told]).toEqual([true, size]);
    const ranges = nginx
      .requests()
      .slice(before)
      .map(({ range }) => range);
    if (faults[0]?.kind === 'truncate') expect(ranges.at(-1)).not.toBe(ranges[0]);
  });

  it.each<[string, string, readonly Fault[]]>([
    ['SOURCE_CHANGED', 'was written anew before', []],
    ['SOURCE_CHANGED', 'was written anew meanwhile', [{ kind: 'truncate', bytes: 2_000_000 }]],
    ['SOURCE_DENIED', 'is denied from now on', Array<Fault>(4).fill({ kind: 'answer', status: 403 })],
    ['SOURCE_UNREACHABLE', 'is on a server in trouble', Array<Fault>(9).fill({ kind: 'answer', status: 503 })],
  ])('fail with %s where the file %s, and leave nothing', async (code, what, faults) => {
    await open(`${proxy.url}/files/file`);
    withFaults(...faults);
    const change = (): void => writeFileSync(`${root}/file`, noise);
    if (what.endsWith('before')) change();
    let told = 0;
    const onBytes = (bytes: number): void => {
      told += bytes;
      if (what.endsWith('meanwhile') && bytes > 0) change();
    };
    await expect(fetchPart(undefined, onBytes)).rejects.toMatchObject({ code });
    expect([existsSync(target), told]).toEqual([false, 0]);
  });

  it('leave nothing where they have another digest, or nothing can be written', async () => {
    await open(`${nginx.url}/files/file`);
    let told = 0;
    expect(await fetchPart(undefined, (bytes) => void (told += bytes), digestOf(content))).toBe(false);
    expect([existsSync(target), told]).toEqual([false, 0]);
    target = folder.file('nowhere', 'file');
    expect(await fetchPart()).toBe(false);
  });

  it('end at once when they are not wanted any more, within an answer and between two', async () => {
    await open(`${proxy.url}/files/file`, { retry: { times: 2, delaySeconds: 60 } });
    for (const fault of [
      { kind: 'trickle', bytes: 100_000, milliseconds: 20 },
      { kind: 'truncate', bytes: 100_000 },
    ] as const) {
      withFaults(fault);
      const stop = new AbortController();
      const before = proxy.requests.length;
      const fetched = fetchPart(stop.signal);
      const reason = new Error('not wanted');
      const refused = expect(fetched).rejects.toBe(reason);
      while (proxy.requests.length === before || !existsSync(target) || readFileSync(target).length === 0)
        await new Promise((resolve) => setTimeout(resolve, 5));
      stop.abort(reason);
      await refused;
      expect(existsSync(target)).toBe(false);
      proxy.heal();
    }
  });

  it('are not asked for by threads any more where a server answers them in vain', async () => {
    await open(`${proxy.url}/files/file`);
    // Threads ask for a part, the usual way for a byte of it.
    const odd = { kind: 'answer', status: 206, body: 'x' } as const;
    for (let turn = 0; turn < 2; turn++) {
      proxy.add({ nth: (n) => n % 2 === 1, fault: odd });
      expect(await fetchPart()).toBe(false);
      proxy.heal();
    }
    expect(object?.bytes?.(start, size)).toBeUndefined();
  });

  it('are left to the usual way where each answer breaks off after a few bytes', async () => {
    await open(`${proxy.url}/files/file`);
    const before = proxy.requests.length;
    proxy.add({ fault: { kind: 'truncate', bytes: 10 } });
    expect(await fetchPart()).toBe(false);
    expect(existsSync(target)).toBe(false);
    // Two of the thread, and one byte in the usual way between them.
    expect(proxy.requests.length - before).toBe(3);
  });

  it('are many at once over a few connections', async () => {
    await open(`${nginx.url}/files/file`);
    const pieces = Array.from({ length: 60 }, (_, index) => ({ from: 50_000 * index, size: 60_000 }));
    await Promise.all(
      pieces.map(async ({ from, size: length }, index) => {
        const expected = content.subarray(from, from + length);
        const bytes = object?.bytes?.(from, length);
        const path = folder.file('out', `piece-${index}`);
        expect(bytes && (await fetcher.fetch(path, bytes, digestOf(expected), {}))).toBe(true);
        expect(readFileSync(path).equals(expected)).toBe(true);
      }),
    );
  });

  it('are left to the usual way when the threads end meanwhile', async () => {
    const own = createFileFetcher({ threads: 1, threadsFromBytes: 0 });
    await open(`${proxy.url}/files/file`);
    withFaults({ kind: 'trickle', bytes: 100_000, milliseconds: 20 });
    const bytes = object?.bytes?.(start, size);
    const fetched = bytes && own.fetch(target, bytes, digestOf(part), {});
    while (!existsSync(target)) await new Promise((resolve) => setTimeout(resolve, 5));
    await own.close();
    expect(await fetched).toBe(false);
    expect(bytes && (await own.fetch(target, bytes, digestOf(part), {}))).toBe(false);
  });
});
