import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSocketServer, type AddressInfo, type Server as SocketServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Secret } from '../../src/net/secret.ts';
import { probeTls } from '../../src/net/tls-probe.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { hashRemoteBlob, headBlob, judgeBlob } from '../../src/remote/blobs.ts';
import type { Credential } from '../../src/remote/credential.ts';
import { hasRepository, listRepositories } from '../../src/remote/lists.ts';
import { putManifest } from '../../src/remote/manifests.ts';
import { openRegistry, type Registry, type RegistryOptions } from '../../src/remote/registry.ts';
import { errorOf } from './expect-error.ts';

const credential: Credential = {
  kind: 'basic',
  username: 'ci',
  password: new Secret('pass'),
  origin: '--username',
};
const servers: (Server | SocketServer)[] = [];
const opened: Registry[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((registry) => registry.close()));
  for (const server of servers.splice(0)) {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  }
});

async function listen(server: Server | SocketServer): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that answers `/v2/` as a registry, and everything else as it is told. */
async function openHostile(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  options: Partial<RegistryOptions> = {},
): Promise<Registry> {
  const host = await listen(
    createServer((request, response) => {
      request.resume();
      response.setHeader('docker-distribution-api-version', 'registry/2.0');
      answer(request, response);
    }),
  );
  const registry = await openRegistry({
    host,
    scheme: 'http',
    retry: { times: 0 },
    signal: AbortSignal.timeout(100_000),
    ...options,
  });
  opened.push(registry);
  return registry;
}

function pourForEver(response: ServerResponse): void {
  const bytes = Buffer.alloc(256 * 1024, 'a');
  const pour = (): void => {
    while (!response.destroyed && response.write(bytes));
    if (!response.destroyed) response.once('drain', pour);
  };
  pour();
}

function sayHello(request: IncomingMessage, response: ServerResponse): boolean {
  if (request.url === '/v2/') response.end('{}');
  return request.url === '/v2/';
}

describe('what a registry answers without an end', () => {
  const blob = { digest: digestOf(Buffer.from('a blob')), size: 6 };

  it('is no blob: nothing is read behind the size that it should have', async () => {
    const registry = await openHostile((request, response) => sayHello(request, response) || pourForEver(response));
    const found = await hashRemoteBlob(registry, 'a/b', blob.digest, { mostBytes: blob.size });
    expect(found?.digest).not.toBe(blob.digest);
    expect(await judgeBlob(registry, 'a/b', blob)).toBe('damaged');
  });

  it('is a list of tags, which proves the repository', async () => {
    const registry = await openHostile((request, response) => sayHello(request, response) || pourForEver(response));
    expect(await hasRepository(registry, 'a/b')).toBe(true);
  });

  it('is a list of more names on one page than a call may have arguments', async () => {
    const names = Array.from({ length: 300_000 }, (_, index) => `r${index}`);
    const registry = await openHostile(
      (request, response) => sayHello(request, response) || response.end(JSON.stringify({ repositories: names })),
    );
    expect(await listRepositories(registry)).toHaveLength(names.length);
  });

  it('is a warning that is another one each time: the first ones are told', async () => {
    let count = 0;
    const told: string[] = [];
    const registry = await openHostile(
      (request, response) => {
        response.setHeader('warning', `299 - "${count++} requests"`);
        if (!sayHello(request, response)) response.writeHead(404).end();
      },
      { onWarning: (text) => void told.push(text) },
    );
    for (let blobs = 0; blobs < 30; blobs++) await headBlob(registry, 'a/b', blob.digest);
    expect(told).toHaveLength(11);
    expect(told.at(-1)).toMatch(/not shown/);
  });

  it('is a TLS greeting, a byte at a time: it is not waited for', async () => {
    const host = await listen(
      createSocketServer((socket) => {
        socket.on('error', () => undefined);
        socket.write(Buffer.from([0x16, 3, 3, 0x40, 0]));
        const timer = setInterval(() => socket.write(Buffer.from([2])), 50);
        socket.on('close', () => clearInterval(timer));
      }),
    );
    expect(await probeTls(new URL(`https://${host}`), { timeoutMilliseconds: 500 })).toEqual({ spoken: false });
  });
});

it('a pause that a registry asks for is told, once for all requests that meet it', async () => {
  const stop = new AbortController();
  const told: string[] = [];
  const registry = await openHostile(
    (request, response) => sayHello(request, response) || response.writeHead(429, { 'retry-after': '40' }).end(),
    { retry: { times: 3 }, signal: stop.signal, onTrouble: (text) => void told.push(text) },
  );
  const asked = [1, 2, 3].map((blob) => headBlob(registry, 'a/b', digestOf(Buffer.from(`${blob}`))));
  for (const each of asked) each.catch(() => undefined);
  await expect.poll(() => told.length, { timeout: 20_000 }).toBeGreaterThan(0);
  expect(told).toEqual([expect.stringMatching(/asks for a pause of 40 s \(429\)/)]);
  stop.abort();
  await Promise.allSettled(asked);
});

describe('a token', () => {
  const serveTokens = async (token: () => unknown): Promise<{ registry: Registry; asked: () => number }> => {
    let asked = 0;
    const registry = await openHostile(
      (request, response) => {
        if (request.url?.startsWith('/token') === true) {
          asked++;
          response.end(JSON.stringify(token()));
        } else if (request.headers.authorization === undefined) {
          const realm = `http://${request.headers.host ?? ''}/token`;
          response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="x"` }).end();
        } else response.writeHead(request.url === '/v2/' ? 200 : 404).end();
      },
      { credentials: () => Promise.resolve(credential) },
    );
    return { registry, asked: () => asked };
  };

  it.each([
    ['of two lines', 'marked-token\r\nX-Other: 1'],
    ['of letters that no header holds', 'marked-token-ö-☃'],
    ['longer than any server takes', 'marked-token'.repeat(20_000)],
  ])('%s is refused, and not shown', async (_what, token) => {
    const { registry } = await serveTokens(() => ({ token }));
    const error = await errorOf(registry.login());
    expect(error.code).toBe('AUTH_TOKEN');
    expect(`${error.message} ${error.hint ?? ''}`).not.toContain('marked-token');
  });

  it('that seems to be over when it comes is used all the same: clocks and time zones are often wrong', async () => {
    const { registry, asked } = await serveTokens(() => ({
      token: 'made-long-ago',
      expires_in: 300,
      issued_at: new Date(Date.now() - 3_600_000).toISOString(),
    }));
    for (let blobs = 0; blobs < 5; blobs++) await headBlob(registry, 'a/b', digestOf(Buffer.from('x')));
    expect(asked()).toBe(1);
  });
});

it('a registry is asked for bytes as they are stored', async () => {
  const seen: unknown[] = [];
  const registry = await openHostile((request, response) => {
    seen.push(request.headers['accept-encoding']);
    response.end('{}');
  });
  await registry.ping();
  expect(seen).toEqual(['identity']);
});

it.each([200, 202, 204])('a manifest is not believed to be there where everything is answered %i', async (status) => {
  const registry = await openHostile((_request, response) => void response.writeHead(status).end());
  const bytes = Buffer.from('{"schemaVersion":2}');
  const pushed = putManifest(registry, 'a/b', '1', mediaTypes.ociManifest, bytes);
  expect(await errorOf(pushed)).toMatchObject({ code: 'TARGET_DIFFERS', where: { repository: 'a/b', tag: '1' } });
});

it('a manifest is believed to be there where an unusual answer is followed by its bytes', async () => {
  const bytes = Buffer.from('{"schemaVersion":2}');
  const registry = await openHostile((request, response) => {
    if (request.method === 'PUT') response.writeHead(202);
    response.end(bytes);
  });
  expect(await putManifest(registry, 'a/b', '1', mediaTypes.ociManifest, bytes)).toEqual({ digest: digestOf(bytes) });
});

it('an upload that is led to https elsewhere does not make a registry on http one that is on https', async () => {
  const registry = await openHostile(
    (request, response) => {
      if (request.headers.authorization !== undefined) response.end('{}');
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    },
    { credentials: () => Promise.resolve(credential) },
  );
  registry.resolve('https://store.example/upload', new URL(`http://${registry.host}/`));
  expect(await registry.login()).toMatchObject({ kind: 'basic' });
});
