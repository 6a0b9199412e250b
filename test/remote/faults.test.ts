import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bodyOf } from '../../src/io/body.ts';
import { verifiedBody } from '../../src/io/verified-body.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { headBlob } from '../../src/remote/blobs.ts';
import { headManifest, putManifest } from '../../src/remote/manifests.ts';
import { openRegistry, type Registry, type RegistryOptions } from '../../src/remote/registry.ts';
import { uploadBlob, type UploadOptions } from '../../src/remote/upload.ts';
import { answers, startFaultProxy, tooManyRequests, type Fault, type FaultProxy } from '../support/fault-proxy.ts';
import { startRegistry, type Registry as StartedRegistry } from '../support/start-registry.ts';
import { errorOf } from './expect-error.ts';
import { ringBody } from './ring-body.ts';
import { manifestOf } from './manifest-of.ts';

let server: StartedRegistry;
let proxy: FaultProxy;
let registry: Registry;
let direct: Registry;
const warnings: string[] = [];

beforeAll(async () => {
  server = await startRegistry();
  direct = await openRegistry({ host: server.host });
});
afterAll(async () => {
  await direct.close();
  await server.stop();
});
beforeEach(async () => {
  proxy = await startFaultProxy(server.url);
  registry = await open();
});
afterEach(async () => {
  await registry.close();
  await proxy.stop();
});

function open(options: Partial<RegistryOptions> = {}): Promise<Registry> {
  return openRegistry({
    host: proxy.host,
    scheme: 'http',
    connections: 4,
    retry: { times: 3, delaySeconds: 0.02 },
    stallTimeoutSeconds: 0.6,
    onWarning: (text) => void warnings.push(text),
    ...options,
  });
}

const small = 1000;
const large = 3_000_000;

async function push(
  size: number,
  options: UploadOptions = {},
): Promise<{ readonly there: boolean; readonly counted: number; readonly requests: readonly string[] }> {
  const bytes = randomBytes(size);
  const digest = digestOf(bytes);
  let counted = 0;
  const onBytes = (count: number): void => void (counted += count);
  await uploadBlob(
    registry,
    'f/a',
    { digest, size },
    (from = 0) =>
      from === 0 ? verifiedBody(ringBody(bytes, 262_144), { digest, size }) : ringBody(bytes.subarray(from), 262_144),
    { onBytes, ...options },
  );
  const response = await fetch(`${server.url}/v2/f/a/blobs/${digest}`);
  return {
    there: digestOf(new Uint8Array(await response.arrayBuffer())) === digest,
    counted,
    requests: proxy.requests.map(({ method, status }) => `${method} ${status}`),
  };
}

const passing: readonly (readonly [string, Fault])[] = [
  ['a reset before the body', { kind: 'reset', when: 'before-body' }],
  ['a reset in the body', { kind: 'reset', when: 'in-body', bytes: 500 }],
  ['a reset after the body', { kind: 'reset', when: 'after-body' }],
  ['a reset in the answer', { kind: 'reset', when: 'in-answer' }],
  ['408', answers.requestTimeout],
  ['429 with seconds', tooManyRequests(1)],
  ['500', answers.internalError],
  ['502 with a page', answers.badGatewayPage],
  ['502 without a body', answers.badGatewayEmpty],
  ['503', answers.unavailable],
  ['silence instead of an answer', { kind: 'stall', when: 'answer' }],
  ['silence in the request', { kind: 'stall', when: 'request', bytes: 100 }],
  ['a request that arrives twice', { kind: 'duplicate' }],
  ['a relative Location', { kind: 'location', origin: 'relative' }],
  ['an answer that comes in drops', { kind: 'trickle', bytes: 5, milliseconds: 5 }],
];

describe.each(passing)('%s', (_name, fault) => {
  it.each([
    ['POST', small],
    ['PUT', small],
    ['PUT', large],
  ] as const)('on a %s does not stop an upload of %i bytes', async (method, size) => {
    proxy.add({ method, nth: 1, fault });
    const { there, counted, requests } = await push(size);
    expect({ there, counted }).toEqual({ there: true, counted: size });
    expect(requests.length).toBeLessThanOrEqual(8);
  });

  it('on a PATCH sends no chunk again that has arrived', async () => {
    proxy.add({ method: 'PATCH', nth: 2, fault });
    const { there, counted } = await push(large, { chunkBytes: 1_000_000 });
    expect({ there, counted }).toEqual({ there: true, counted: large });
  });

  it('on a manifest does not stop it', async () => {
    const config = Buffer.from('{}');
    await uploadBlob(direct, 'f/m', { digest: digestOf(config), size: 2 }, () => bodyOf(config));
    const manifest = manifestOf(config);
    proxy.add({ path: /manifests/, nth: 1, fault });
    expect(await putManifest(registry, 'f/m', 'latest', mediaTypes.ociManifest, manifest)).toEqual({
      digest: digestOf(manifest),
    });
    expect(await headManifest(registry, 'f/m', 'latest')).toMatchObject({ digest: digestOf(manifest) });
  });
});

describe('what does not pass', () => {
  it.each([
    [400, 'TARGET_REFUSED'],
    [403, 'AUTH_DENIED'],
    [404, 'TARGET_REFUSED'],
    [409, 'TARGET_REFUSED'],
    [412, 'TAG_IMMUTABLE'],
    [501, 'TARGET_UNAVAILABLE'],
  ])('%i is asked once', async (status, code) => {
    proxy.add({ method: 'POST', fault: { kind: 'answer', status, body: '' } });
    expect(await errorOf(push(small))).toMatchObject({ code, where: { status } });
    expect(proxy.count({ method: 'POST' })).toBe(1);
  });

  it('a registry that stays away is given up by name after the attempts that were allowed', async () => {
    proxy.add({ method: 'POST', fault: answers.unavailable });
    const error = await errorOf(push(small));
    expect(error).toMatchObject({ code: 'TARGET_UNAVAILABLE', where: { repository: 'f/a', status: 503 } });
    expect(error.message).toMatch(/503: Service Unavailable.*given up after 4 attempts/);
    expect(proxy.count({ method: 'POST' })).toBe(4);
  });

  it.each<[string, (count: number) => readonly [number, string]]>([
    ['keeps nothing', () => [202, '0-0']],
    ['keeps one byte more of each', (count) => [202, `0-${count}`]],
    ['forgets every second', (count) => (count % 2 === 0 ? [416, '0-0'] : [202, '0-999999'])],
  ])('a registry that takes pieces and %s is given up', async (_what, answerOf) => {
    const { createServer } = await import('node:http');
    let pieces = 0;
    const web = createServer((incoming, response) => {
      incoming.resume();
      incoming.on('end', () => {
        const headers = { location: '/v2/f/a/blobs/uploads/1', 'content-length': '0' };
        const isPiece = incoming.method === 'PATCH';
        const [status, range] = isPiece ? answerOf(++pieces) : [incoming.method === 'GET' ? 204 : 202, '0-0'];
        response.writeHead(incoming.url === '/v2/' ? 200 : status, { ...headers, range }).end();
      });
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const address = web.address();
    const other = await open({ host: `127.0.0.1:${typeof address === 'object' ? address?.port : ''}` });
    try {
      const bytes = randomBytes(large);
      const upload = uploadBlob(
        other,
        'f/a',
        { digest: digestOf(bytes), size: large },
        (from = 0) => bodyOf(bytes.subarray(from)),
        { chunkBytes: 1_000_000, signal: AbortSignal.timeout(20_000) },
      );
      const error = await errorOf(upload);
      expect(error.code).toBe('TARGET_REFUSED');
      expect(pieces).toBeLessThanOrEqual(10);
    } finally {
      await other.close();
      web.close();
      web.closeAllConnections();
    }
  });

  it('a manifest’s 500 is not asked as often as other failures', async () => {
    proxy.add({ method: 'PUT', path: /manifests/, fault: answers.internalError });
    expect(await errorOf(putManifest(registry, 'f/a', 'x', mediaTypes.ociManifest, Buffer.from('{}')))).toMatchObject({
      code: 'TARGET_UNAVAILABLE',
    });
    expect(proxy.count({ path: /manifests/ })).toBe(3);
  });

  it('a closed port is named', async () => {
    await proxy.stop();
    expect(await errorOf(registry.ping())).toMatchObject({
      code: 'TARGET_UNREACHABLE',
      hint: expect.stringContaining('nothing listens') as string,
    });
    proxy = await startFaultProxy(server.url);
  });

  it('a host that does not exist is told at once', async () => {
    const other = await openRegistry({ host: 'no-such-host.invalid' });
    const begun = performance.now();
    expect((await errorOf(other.ping())).code).toMatch(/TARGET_UNREACHABLE/);
    expect(performance.now() - begun).toBeLessThan(20_000);
    await other.close();
  });

  it('a lost session on every attempt is given up', async () => {
    proxy.add({
      method: 'PUT',
      fault: {
        kind: 'answer',
        status: 404,
        body: '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"blob upload unknown"}]}',
      },
    });
    expect(await errorOf(push(small))).toMatchObject({ code: 'TARGET_REFUSED' });
    expect(proxy.count({ method: 'PUT' })).toBe(3);
  });
});

describe('waiting', () => {
  it.each([
    ['seconds', () => tooManyRequests(1)],
    ['a date', () => tooManyRequests(new Date(Date.now() + 2000))],
  ])('obeys Retry-After in %s, and all requests wait', async (_form, fault) => {
    await registry.ping();
    proxy.add({ method: 'POST', nth: 1, fault: fault() });
    await Promise.all([push(small), push(small)]);
    const posts = proxy.requests.filter(({ method }) => method === 'POST');
    expect((posts.at(-1)?.at ?? 0) - (posts[0]?.at ?? 0)).toBeGreaterThan(900);
    expect(posts.length).toBe(3);
  });

  it('gives up when the registry asks for more patience than there is', async () => {
    proxy.add({ method: 'POST', nth: 1, fault: tooManyRequests(3600) });
    const begun = performance.now();
    expect(await errorOf(push(small))).toMatchObject({ code: 'TARGET_UNAVAILABLE' });
    expect(performance.now() - begun).toBeLessThan(1000);
  });

  it('ends when it is interrupted', async () => {
    await registry.ping();
    proxy.add({ method: 'POST', nth: 1, fault: tooManyRequests(60) });
    const interruption = new AbortController();
    setTimeout(() => interruption.abort(), 200);
    const begun = performance.now();
    await expect(push(small, { signal: interruption.signal })).rejects.toThrow(/abort/i);
    expect(performance.now() - begun).toBeLessThan(2000);
  });
});

it('one signal ends everything that a registry has under way', async () => {
  proxy.add({ path: /manifests/, fault: { kind: 'stall', when: 'answer' } });
  const everything = new AbortController();
  const other = await open({ signal: everything.signal, stallTimeoutSeconds: 30 });
  const asked = headManifest(other, 'f/a', 'x', { signal: new AbortController().signal });
  setTimeout(() => everything.abort(), 200);
  const begun = performance.now();
  await expect(asked).rejects.toThrow(/aborted/);
  expect(performance.now() - begun).toBeLessThan(2000);
  await other.close();
});

it('a request that was refused early takes no byte from the one that goes on behind it', async () => {
  const { createServer } = await import('node:http');
  const bytes = randomBytes(1_500_000);
  const digest = digestOf(bytes);
  const kept = 262_144;
  const arrived: Buffer[] = [];
  const front = createServer((request, response) => {
    const location = `/v2/f/early/blobs/uploads/1`;
    if (request.method === 'POST') response.writeHead(202, { location }).end();
    else if (request.method === 'GET' && request.url !== '/v2/')
      response.writeHead(204, { location, range: `0-${kept - 1}` }).end();
    else if (request.method === 'GET') response.writeHead(200).end('{}');
    else if (arrived.length === 0) {
      let size = 0;
      request.on('data', (chunk: Buffer) => {
        size += chunk.length;
        arrived.push(chunk);
        // It says so while the client still waits for its disk.
        if (size === kept) response.writeHead(503, { connection: 'close' }).end();
      });
    } else
      request.on('data', (chunk: Buffer) => void arrived.push(chunk)).on('end', () => response.writeHead(201).end());
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const address = front.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const other = await openRegistry({ host: `127.0.0.1:${port}`, scheme: 'http', retry: { delaySeconds: 0.001 } });
  async function* slowly(from: number): AsyncGenerator<Uint8Array> {
    for await (const chunk of ringBody(bytes.subarray(from), kept)) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      yield chunk;
    }
  }
  await uploadBlob(other, 'f/early', { digest, size: bytes.length }, (from = 0) => slowly(from));
  await other.close();
  front.close();
  expect(digestOf(Buffer.concat(arrived))).toBe(digest);
});

describe('body limits', () => {
  const limited = (limit: number) => async (): Promise<void> => {
    const { createServer, request } = await import('node:http');
    await proxy.stop();
    const counts = { refused: 0 };
    const front = createServer((incoming, response) => {
      if (Number(incoming.headers['content-length'] ?? 0) > limit) {
        counts.refused++;
        response
          .writeHead(413, { 'content-type': 'text/html' })
          .end('<html><head><title>413 Request Entity Too Large</title></head></html>');
        incoming.resume();
        return;
      }
      const outgoing = request(
        {
          host: '127.0.0.1',
          port: server.port,
          method: incoming.method,
          path: incoming.url,
          headers: incoming.headers,
        },
        (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 500, answer.headers)),
      );
      incoming.pipe(outgoing);
    });
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    const address = front.address();
    const other = await openRegistry({
      host: `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
      scheme: 'http',
    });
    try {
      for (const size of [5_000_000, 4_000_000]) {
        const bytes = randomBytes(size);
        const digest = digestOf(bytes);
        await uploadBlob(other, 'f/limited', { digest, size }, (from = 0) => ringBody(bytes.subarray(from), 262_144));
        expect(await headBlob(direct, 'f/limited', digest)).toEqual({ size });
      }
      // The second blob knows what the first has found out.
      expect(counts.refused).toBeLessThanOrEqual(3);
    } finally {
      await other.close();
      front.close();
      front.closeAllConnections();
      proxy = await startFaultProxy(server.url);
    }
  };
  it('of a proxy lead to chunks that fit', limited(1_048_576));

  it('below every chunk name the setting to change', async () => {
    proxy.add({ method: ['PUT', 'PATCH'], fault: answers.entityTooLarge });
    const error = await errorOf(push(small));
    expect(error).toMatchObject({ code: 'BODY_TOO_LARGE' });
    expect(error.hint).toContain('client_max_body_size');
  });
});

describe('an answer that comes before the whole body was read', () => {
  it('is understood', async () => {
    proxy.add({
      method: 'PUT',
      fault: {
        kind: 'answer',
        status: 403,
        early: true,
        body: '{"errors":[{"code":"DENIED","message":"adding 4 MiB of storage resource, which when updated to current usage of 0 B will exceed the configured upper limit of 1 MiB."}]}',
      },
    });
    const error = await errorOf(push(20_000_000));
    expect(error).toMatchObject({ code: 'QUOTA_EXCEEDED', where: { status: 403 } });
    expect(proxy.count({ method: 'PUT' })).toBe(1);
  });
});

describe('a dialect', () => {
  it('looks behind a failure before it is tried again', async () => {
    const { RegtarError } = await import('../../src/errors.ts');
    proxy.add({ method: 'PUT', fault: answers.badGatewayPage });
    registry.speak({
      beforeRetry: (request) =>
        Promise.resolve(
          request.method === 'PUT' ? new RegtarError('QUOTA_EXCEEDED', 'full', { side: 'target' }) : undefined,
        ),
    });
    expect(await errorOf(push(large))).toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect(proxy.count({ method: 'PUT' })).toBe(1);
  });
});

it('passes each warning of a registry on once', async () => {
  warnings.length = 0;
  const warning = { warning: '299 - "quota of team is \\"nearly\\" used up"' };
  proxy.add({ path: /manifests/, fault: { kind: 'answer', status: 404, headers: warning } });
  await headManifest(registry, 'f/a', 'x');
  await headManifest(registry, 'f/a', 'y');
  expect(warnings).toEqual(['quota of team is "nearly" used up']);
});

it('never sends a cookie back', async () => {
  const cookies: unknown[] = [];
  const { createServer } = await import('node:http');
  const web = createServer((request, response) => {
    cookies.push(request.headers.cookie);
    response
      .writeHead(200, { 'set-cookie': 'sid=abc; Path=/', 'docker-distribution-api-version': 'registry/2.0' })
      .end('{}');
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const address = web.address();
  const other = await openRegistry({
    host: `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    scheme: 'http',
  });
  for (let count = 0; count < 3; count++) await other.request({ method: 'GET', path: '/v2/', doing: 'ask' });
  expect(cookies).toEqual([undefined, undefined, undefined, undefined]);
  await other.close();
  web.close();
});

it('keeps one connection over many HEAD requests', async () => {
  const { createServer } = await import('node:http');
  let connections = 0;
  const web = createServer((_request, response) =>
    response.writeHead(404, { 'content-length': '0', 'docker-distribution-api-version': 'registry/2.0' }).end(),
  );
  web.on('connection', () => connections++);
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const address = web.address();
  const other = await openRegistry({
    host: `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    scheme: 'http',
    connections: 1,
  });
  for (let count = 0; count < 10; count++)
    await other.exchange({ method: 'HEAD', path: '/v2/a/manifests/b', doing: 'look', accept: [404] });
  expect(connections).toBeLessThanOrEqual(1);
  await other.close();
  web.close();
});
