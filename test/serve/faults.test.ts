import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import bcrypt from 'bcryptjs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { keepSelfSigned } from '../../src/serve/tls/tls-folder.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { ask, serveStorage, startStorage } from './support/serve-storage.ts';
import { startServe, type Served } from './support/start-serve.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const big = randomBytes(3 * 2 ** 20 + 5);

describe('a blob that is not what its digest says', () => {
  const storage = buildStorage((s) => {
    const small = s.blob('some bytes', 'a');
    const large = s.blob(big, 'a');
    const huge = s.blob(Buffer.alloc(17 * 2 ** 20, 'huge'), 'a');
    const image = s.image('a', '1', { layers: [{ bytes: big.subarray(7) }] });
    const layer = image.blobs.at(-1)?.digest ?? image.digest;
    for (const digest of [small, large, huge, layer]) s.corruptBlob(digest);
    return { small, large, huge, layer };
  });

  it('is unknown at once where it is small', async () => {
    const { url, told } = await serveStorage(storage);
    const path = `/v2/a/blobs/${storage.built.small}`;
    expect((await ask(url, path)).status).toBe(404);
    expect(told.map(({ code, message }) => [code, message.includes(storage.built.small)])).toEqual([
      ['BLOB_CORRUPT', true],
    ]);
    expect((await ask(url, path, { method: 'HEAD' })).status).toBe(404);
    expect((await ask(url, path, { headers: { range: 'bytes=0-1' } })).status).toBe(404);
  });

  it('breaks off before its end where it is large, is named once and then unknown', async () => {
    const { url, told } = await serveStorage(storage);
    const path = `/v2/a/blobs/${storage.built.large}`;
    const outcome = (): Promise<number | string> =>
      ask(url, path).then(
        ({ status }) => status,
        () => 'broken',
      );
    const [first, second] = await Promise.all([outcome(), outcome()]);
    expect(first).toBe('broken');
    // It may come when the first has found the damage.
    expect(['broken', 404]).toContain(second);
    expect(told.map(({ code }) => code)).toEqual(['BLOB_CORRUPT']);
    expect((await ask(url, path)).status).toBe(404);
  });

  it('breaks off before its end where a thread hashes it', async () => {
    const { url, told } = await serveStorage(storage);
    const path = `/v2/a/blobs/${storage.built.huge}`;
    await expect(ask(url, path)).rejects.toThrow();
    expect(told.map(({ code }) => code)).toEqual(['BLOB_CORRUPT']);
    expect((await ask(url, path)).status).toBe(404);
  });

  describeWith('skopeo', 'for skopeo', () => {
    it('ends with a failure, every time', async () => {
      const { url } = await serveStorage(storage);
      for (let attempt = 0; attempt < 2; attempt++) {
        const { code } = await run(
          'skopeo',
          [
            ...['--insecure-policy', 'copy', '-q', '--src-tls-verify=false'],
            ...[`docker://${new URL(url).host}/a:1`, `dir:${folder.file(`bad-${attempt}`)}`],
          ],
          { allowFailure: true },
        );
        expect(code).not.toBe(0);
      }
    });
  });
});

describe('clients that mean no good', () => {
  const storage = buildStorage((s) => (s.image('a', '1'), s.blob(big, 'a')));
  let served: Awaited<ReturnType<typeof startStorage>>;
  beforeAll(async () => {
    served = await startStorage(storage, { limits: { headerTime: 300, idleTime: 600, connections: 40 } });
    return served.stop;
  });
  // On a busy machine the 300 ms for a header may be over before its bytes are read.
  const lives = (): Promise<void> =>
    vi.waitFor(async () => expect((await ask(served.url, '/v2/')).status).toBe(200), { timeout: 10_000 });
  const dial = (): Socket => {
    const socket = connect(served.server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  const closed = (socket: Socket): Promise<string> =>
    new Promise((resolve) => {
      let text = '';
      socket.on('data', (chunk: Buffer) => void (text += chunk.toString('latin1')));
      socket.once('close', () => resolve(text));
    });

  it('that say nothing, or half a header, are let go', async () => {
    const silent = dial();
    const half = dial();
    half.write('GET /v2/ HTTP/1.1\r\nHost: a\r\nX-');
    await Promise.all([closed(silent), closed(half)]);
    await lives();
  });

  it.each<[string, string]>([
    ['headers without end', `GET /v2/ HTTP/1.1\r\nHost: a\r\n${'X-Flood: 0123456789\r\n'.repeat(20_000)}\r\n`],
    ['a path without end', `GET /v2/${'a/'.repeat(60_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['no HTTP', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\r\n\r\n'],
    ['two lengths', 'GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
  ])('that send %s are refused', async (_title, text) => {
    const socket = dial();
    const answer = closed(socket);
    socket.write(text);
    expect(await answer).not.toMatch(/^HTTP\/1\.1 200/);
    await lives();
  });

  it('that upload hear 405 before they send a byte', async () => {
    const socket = dial();
    const answer = closed(socket);
    socket.write('PUT /v2/a/manifests/1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n');
    expect(await answer).toMatch(/^HTTP\/1\.1 405 /);
    await lives();
  });

  it('that take no bytes are let go, and nobody waits for them', async () => {
    const lazy = Array.from({ length: 10 }, dial);
    for (const socket of lazy) {
      socket.pause();
      socket.write(`GET /v2/a/blobs/${storage.built} HTTP/1.1\r\nHost: a\r\n\r\n`);
    }
    expect((await ask(served.url, `/v2/a/blobs/${storage.built}`)).body.equals(big)).toBe(true);
    await sleep(1500);
    await vi.waitFor(async () => {
      const count = await new Promise<number>((resolve) =>
        dial().once('connect', () => resolve(lazy.filter(({ destroyed }) => !destroyed).length)),
      );
      for (const socket of lazy) socket.resume();
      expect(count).toBeLessThanOrEqual(10);
    });
    await lives();
  });

  it('that send requests without waiting for the answers are let go, and what they sent is forgotten', async () => {
    // Each of them waits a second for the one before it.
    const guess = `GET /v2/ HTTP/1.1\r\nHost: a\r\nAuthorization: Basic ${Buffer.from('u:guess').toString('base64')}\r\n\r\n`;
    const guarded = await startStorage(storage, {
      doorkeeper: { admit: () => new Promise((resolve) => setTimeout(() => resolve('unknown'), 1000).unref()) },
    });
    onTestFinished(guarded.stop);
    const flood = connect(guarded.server.port, '127.0.0.1');
    flood.on('error', () => undefined);
    const flooded = closed(flood);
    flood.write(guess.repeat(300));
    expect((await flooded).length).toBeLessThan(100_000);
    expect((await ask(guarded.url, '/v2/')).status).toBe(401);
  });

  it('that take many connections leave half of them to others', async () => {
    const guarded = await startStorage(storage, { limits: { connections: 40 } });
    onTestFinished(guarded.stop);
    const join = (address: string): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = connect({ port: guarded.server.port, host: '127.0.0.1', localAddress: address });
        socket.on('error', () => undefined);
        onTestFinished(() => void socket.destroy());
        socket.once('data', () => resolve(true)).once('close', () => resolve(false));
        socket.write('GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n');
      });
    const crowd = await Promise.all(Array.from({ length: 60 }, () => join('127.0.0.2')));
    expect(crowd.filter(Boolean)).toHaveLength(20);
    expect(await join('127.0.0.3')).toBe(true);
  });

  it('that come in crowds take no place from each other for long', async () => {
    const crowd = Array.from({ length: 80 }, dial);
    await Promise.all(crowd.map(closed));
    await lives();
  });
});

/** In bytes. */
function peakMemory(served: Served): number {
  const status = readFileSync(`/proc/${served.process.pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

describe('a server under load', () => {
  const layer = randomBytes(6 * 2 ** 20);
  const storage = buildStorage((s) => (s.image('a', '1'), s.blob(layer, 'a')));
  let served: Served;
  const path = `/v2/a/blobs/${storage.built}`;
  const descriptors = (): number => readdirSync(`/proc/${served.process.pid}/fd`).length;
  beforeAll(async () => {
    writeFileSync(folder.file('load.tar'), storage.tar());
    served = await startServe([folder.file('load.tar')]);
  });
  afterAll(() => served.process.stop());

  it('gives 200 clients at once their bytes, among readers that stop and readers that go away, below 200 MiB', async () => {
    await ask(served.url, '/v2/');
    const before = descriptors();
    const read = (taken: number): Promise<number> =>
      new Promise((resolve, reject) => {
        let bytes = 0;
        const request = httpGet(`${served.url}${path}`, { agent: false }, (response) => {
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes < taken) return;
            response.destroy();
            resolve(bytes);
          });
          response.once('end', () => resolve(bytes));
          response.once('error', () => resolve(bytes));
        });
        request.once('error', reject);
      });
    const stopped = Array.from({ length: 20 }, () => {
      const request = httpGet(`${served.url}${path}`, { agent: false }, (response) => void response.pause());
      request.on('error', () => undefined);
      return request;
    });
    const gone = Array.from({ length: 100 }, () => read(100_000));
    const whole = Array.from({ length: 100 }, () => read(Infinity));
    expect(new Set(await Promise.all(whole))).toEqual(new Set([layer.length]));
    await Promise.all(gone);
    expect(peakMemory(served) / 2 ** 20).toBeLessThan(200);
    for (const request of stopped) request.destroy();
    await vi.waitFor(() => expect(descriptors()).toBeLessThanOrEqual(before + 1), { timeout: 10_000 });
  });

  it('holds one buffer for a connection that asks for hundreds of blobs and takes none', async () => {
    const sockets = Array.from({ length: 4 }, () => connect(Number(new URL(served.url).port), '127.0.0.1'));
    onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
    for (const socket of sockets) socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(400));
    await Promise.all(sockets.map((socket) => once(socket, 'readable')));
    await ask(served.url, path);
    expect(peakMemory(served) / 2 ** 20).toBeLessThan(200);
  });
});

describe('a server with TLS and passwords under load', () => {
  const layer = randomBytes(3 * 2 ** 20);
  const storage = buildStorage((s) => (s.image('a', '1'), s.blob(layer, 'a')));
  const basic = (password: string): string => `Basic ${Buffer.from(`me:${password}`).toString('base64')}`;

  it('gives 50 clients at once their bytes, and those that guess passwords nothing, below 200 MiB', async () => {
    writeFileSync(folder.file('tls.tar'), storage.tar());
    writeFileSync(folder.file('htpasswd'), `me:${await bcrypt.hash('secret', 8)}\n`);
    const tls = keepSelfSigned(folder.file('tls'), ['localhost', '127.0.0.1', '::1']);
    const served = await startServe([
      ...[folder.file('tls.tar'), '--htpasswd', folder.file('htpasswd')],
      ...['--tls-cert', folder.file('tls', 'server.pem'), '--tls-key', folder.file('tls', 'server-key.pem')],
    ]);
    onTestFinished(() => served.process.stop());
    const get = (password: string, localAddress: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const options = { ca: tls.authority, agent: false, localAddress, headers: { authorization: basic(password) } };
        httpsGet(`${served.url}/v2/a/blobs/${storage.built}`, options, (response) => {
          const hash = createHash('sha256');
          response.on('data', (chunk: Buffer) => void hash.update(chunk));
          response.once('error', reject).once('end', () => {
            resolve(response.statusCode === 200 ? `sha256:${hash.digest('hex')}` : String(response.statusCode));
          });
        }).once('error', reject);
      });
    const guesses = Array.from({ length: 16 }, (_, at) => get(`guess ${at}`, `127.0.0.${2 + (at % 8)}`));
    const pulls = Array.from({ length: 50 }, () => get('secret', '127.0.0.1'));
    expect(new Set(await Promise.all(pulls))).toEqual(new Set([storage.built]));
    expect(new Set(await Promise.all(guesses))).toEqual(new Set(['401']));
    expect(peakMemory(served) / 2 ** 20).toBeLessThan(200);
  });
});

describe('a source that does not stay', () => {
  const storage = buildStorage((s) => {
    const image = s.image('a', '1');
    return { image, blob: s.blob(big, 'a') };
  });
  const path = `/v2/a/blobs/${storage.built.blob}`;

  it('is served to the end where only its name is gone', async () => {
    const file = folder.file('vanishes.tar');
    writeFileSync(file, storage.tar());
    const served = await startServe([file]);
    onTestFinished(() => served.process.stop());
    rmSync(file);
    expect((await ask(served.url, path)).body.equals(big)).toBe(true);
  });

  it.each<[string, (file: string) => void]>([
    ['is cut', (file) => truncateSync(file, 4096)],
    ['has other bytes', (file) => writeFileSync(file, storage.tar().fill(0), { flag: 'r+' })],
  ])('that %s: nothing wrong is given, the reason is said once, and the server lives', async (title, change) => {
    const file = folder.file(`${title.replaceAll(' ', '-')}.tar`);
    writeFileSync(file, storage.tar());
    const served = await startServe([file]);
    onTestFinished(() => served.process.stop());
    // It was right once: whoever asks again must not get other bytes all the same.
    expect((await ask(served.url, path)).body.equals(big)).toBe(true);
    await sleep(20);
    change(file);
    for (let attempt = 0; attempt < 2; attempt++)
      expect(
        await ask(served.url, path).then(
          ({ status }) => status,
          () => 'broken',
        ),
      ).not.toBe(200);
    expect(
      await ask(served.url, path, { headers: { range: 'bytes=10-19' } }).then(
        ({ status }) => status,
        () => 'broken',
      ),
    ).not.toBe(206);
    expect((await ask(served.url, '/v2/')).status).toBe(200);
    const lines = served.process
      .log()
      .split('\n')
      .filter((line) => line.startsWith('regtar: SOURCE_CHANGED'));
    expect(lines).toHaveLength(1);
  });

  it('as a folder, too', async () => {
    const place = folder.file('tree');
    await storage.writeTo(place);
    const served = await startServe([place]);
    onTestFinished(() => served.process.stop());
    expect((await ask(served.url, path)).body.equals(big)).toBe(true);
    // Other bytes of the same length, and the time of the right ones.
    const file = join(place, 'docker/registry/v2', storagePaths.blob(storage.built.blob));
    const { atime, mtime } = statSync(file);
    writeFileSync(file, Buffer.alloc(big.length), { flag: 'r+' });
    utimesSync(file, atime, mtime);
    await expect(ask(served.url, path)).rejects.toThrow();
    expect((await ask(served.url, path)).status).toBe(404);
    rmSync(place, { recursive: true });
    expect((await ask(served.url, `/v2/a/blobs/${storage.built.image.blobs[0]?.digest}`)).status).toBe(503);
    expect((await ask(served.url, '/v2/')).status).toBe(200);
  });
});

it('--verify finds what is damaged before the first client', async () => {
  const storage = buildStorage((s) => {
    const image = s.image('a', '1');
    const blob = s.blob(big, 'a');
    s.corruptBlob(blob);
    return { image, blob };
  });
  writeFileSync(folder.file('damaged.tar'), storage.tar());
  const served = await startServe([folder.file('damaged.tar'), '--verify']);
  onTestFinished(() => served.process.stop());
  expect(served.process.log()).toContain(storage.built.blob);
  expect((await ask(served.url, `/v2/a/blobs/${storage.built.blob}`, { headers: { range: 'bytes=0-1' } })).status).toBe(
    404,
  );
  expect((await ask(served.url, '/v2/a/manifests/1')).status).toBe(200);
});
