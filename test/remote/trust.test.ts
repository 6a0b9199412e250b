import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { recogniseHarbor } from '../../src/harbor/recognise-harbor.ts';
import { bodyOf } from '../../src/io/body.ts';
import { Secret } from '../../src/net/secret.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Credential } from '../../src/remote/credential.ts';
import { headManifest } from '../../src/remote/manifests.ts';
import { openRegistry, type Registry, type RegistryOptions } from '../../src/remote/registry.ts';
import { tokenService } from '../../src/remote/token.ts';
import { uploadBlob } from '../../src/remote/upload.ts';
import { createAuthority, type Certificate } from '../support/certificates.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { errorOf } from './expect-error.ts';

/** A server that remembers who showed it a password. */
interface Web {
  readonly host: string;
  readonly origin: string;
  readonly seen: { readonly path: string; readonly authorization: string | undefined; readonly bytes: number }[];
}

const folder = temporaryFolder();
let certificate: Certificate;
let authorityFile: string;
const servers: Server[] = [];
const opened: Registry[] = [];

beforeAll(async () => {
  const authority = await createAuthority(folder.path);
  certificate = await authority.issue('localhost');
  authorityFile = authority.certificate;
});
afterAll(() => folder.remove());
afterEach(async () => {
  await Promise.all(opened.splice(0).map((registry) => registry.close()));
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

type Handler = (request: IncomingMessage) => {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

async function serve(handle: Handler, scheme: 'http' | 'https' = 'http'): Promise<Web> {
  const seen: Web['seen'][number][] = [];
  const listener: RequestListener = (request, response) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    request.on('end', () => {
      seen.push({ path: request.url ?? '', authorization: request.headers.authorization, bytes });
      const { status, headers = {}, body = '' } = handle(request);
      response.writeHead(status, { 'content-length': String(Buffer.byteLength(body)), ...headers }).end(body);
    });
  };
  const server =
    scheme === 'http'
      ? createServer(listener)
      : createTlsServer({ cert: readFileSync(certificate.certificate), key: readFileSync(certificate.key) }, listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { host, origin: `${scheme}://${host}`, seen };
}

const credential: Credential = {
  kind: 'basic',
  username: 'ci',
  password: new Secret('mArKeD-secret-3'),
  origin: '--username',
};

async function open(host: string, options: Partial<RegistryOptions> = {}): Promise<Registry> {
  const registry = await openRegistry({
    host,
    retry: { times: 1, delaySeconds: 0.02 },
    tls: { caFile: authorityFile },
    credentials: () => Promise.resolve(credential),
    ...options,
  });
  opened.push(registry);
  return registry;
}

async function push(registry: Registry): Promise<void> {
  const bytes = randomBytes(1000);
  await uploadBlob(registry, 'a/b', { digest: digestOf(bytes), size: bytes.length }, () => bodyOf(bytes));
}

function passwords(...webs: readonly Web[]): readonly string[] {
  return webs.flatMap(({ origin, seen }) =>
    seen.flatMap(({ path, authorization }) => (authorization === undefined ? [] : [`${origin}${path}`])),
  );
}

const registryHeader = { 'docker-distribution-api-version': 'registry/2.0' };

describe('a password stays with its registry', () => {
  it.each(['Basic realm="elsewhere"', 'Bearer realm="REALM/token",service="x"'])(
    'where an upload leads to a host that asks for one by %s',
    async (challenge) => {
      const realm = await serve(() => ({ status: 200, body: '{"token":"stolen"}' }));
      const stranger = await serve(() => ({
        status: 401,
        headers: { 'www-authenticate': challenge.replace('REALM', realm.origin) },
      }));
      const web = await serve(({ method }) =>
        method === 'POST'
          ? { status: 202, headers: { location: `${stranger.origin}/upload` } }
          : { status: 200, headers: registryHeader },
      );
      const registry = await open(web.host);
      await registry.login();
      const error = await errorOf(push(registry));
      expect(passwords(web, stranger, realm)).toEqual([]);
      expect(error.message).toContain(stranger.host);
      expect(error.message).toContain(web.host);
      expect(realm.seen).toEqual([]);
    },
  );

  it('where a redirect leads to a host that asks for one', async () => {
    const stranger = await serve(() => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="elsewhere"' } }));
    const web = await serve(({ method }) =>
      method === 'HEAD'
        ? { status: 307, headers: { location: `${stranger.origin}/manifest` } }
        : { status: 200, headers: registryHeader },
    );
    const error = await errorOf(headManifest(await open(web.host), 'a/b', 'x'));
    expect(passwords(web, stranger)).toEqual([]);
    expect(error.message).toContain(stranger.host);
  });

  it('where /v2/ itself is redirected to another port, which is named', async () => {
    const stranger = await serve(() => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="elsewhere"' } }));
    const web = await serve(() => ({ status: 307, headers: { location: `${stranger.origin}/v2/` } }));
    const error = await errorOf((await open(web.host)).login());
    expect(passwords(web, stranger)).toEqual([]);
    expect(`${error.message} ${error.hint ?? ''}`).toContain(stranger.host);
  });

  it('which gets it where it asks for it itself', async () => {
    const web = await serve(({ headers }) =>
      headers.authorization === undefined
        ? { status: 401, headers: { 'www-authenticate': 'Basic realm="own"' } }
        : { status: 200, headers: registryHeader },
    );
    await (await open(web.host)).login();
    expect(passwords(web)).toEqual([`${web.origin}/v2/`]);
  });
});

describe('a token service', () => {
  it.each([
    ['https://harbor.example', 'https://harbor.example/service/token', 'https://harbor.example/service/token'],
    // A proxy that ends TLS often leaves the scheme wrong.
    ['https://harbor.example', 'http://harbor.example/service/token', 'https://harbor.example/service/token'],
    ['https://hub.example', 'https://auth.hub.example/token', 'https://auth.hub.example/token'],
    ['http://harbor.example', 'http://harbor.example/service/token', 'http://harbor.example/service/token'],
    ['http://harbor.example', 'https://harbor.example/service/token', 'https://harbor.example/service/token'],
    ['http://127.0.0.1:5000', 'http://127.0.0.1:5001/token', 'http://127.0.0.1:5001/token'],
    ['http://localhost:5000', 'http://127.0.0.1:5001/token', 'http://127.0.0.1:5001/token'],
  ])('of %s may be %s', (registry, realm, expected) => {
    expect(tokenService({ realm }, new URL(registry)).realm.href).toBe(expected);
  });

  it.each([
    ['https://harbor.example', 'http://127.0.0.1/token'],
    ['http://harbor.example', 'http://127.0.0.1/token'],
    ['https://harbor.example', 'http://elsewhere.example/token'],
    ['http://harbor.example', 'http://elsewhere.example/token'],
    ['https://harbor.example:8443', 'http://harbor.example:8080/token'],
    ['https://127.0.0.1:5000', 'http://127.0.0.1:5001/token'],
    ['http://127.0.0.1:5000', 'http://elsewhere.example/token'],
    ['https://harbor.example', 'ftp://harbor.example/token'],
    ['https://harbor.example', ''],
  ])('of %s may not be %j', (registry, realm) => {
    expect(() => tokenService({ realm }, new URL(registry))).toThrow(
      expect.objectContaining({ code: 'AUTH_TOKEN' }) as Error,
    );
  });
});

const shortSystem = JSON.stringify({ auth_mode: 'db_auth', banner_message: '', self_registration: false });

describe('the question whether it is Harbor', () => {
  it('is asked without a password', async () => {
    const realm = await serve(() => ({ status: 200, body: '{"token":"t","expires_in":300}' }));
    const web = await serve(({ url, headers }) =>
      url?.startsWith('/api/') === true
        ? { status: 404 }
        : headers.authorization === undefined
          ? { status: 401, headers: { 'www-authenticate': `Bearer realm="${realm.origin}/token",service="x"` } }
          : { status: 200, headers: registryHeader },
    );
    const registry = await open(web.host);
    expect(await recogniseHarbor(registry, await registry.login())).toBeUndefined();
    expect(web.seen.filter(({ path }) => path.startsWith('/api/'))).toEqual([
      { path: '/api/v2.0/systeminfo', authorization: undefined, bytes: 0 },
    ]);
  });

  it('and what follows it send no password in clear where the realm is on https', async () => {
    const realm = await serve(() => ({ status: 200, body: '{"token":"t","expires_in":300}' }), 'https');
    const web = await serve(({ url, headers }) =>
      url?.startsWith('/api/') === true
        ? { status: 200, body: shortSystem }
        : headers.authorization === undefined
          ? {
              status: 401,
              headers: {
                'www-authenticate': `Bearer realm="${realm.origin}/service/token",service="harbor-registry"`,
              },
            }
          : { status: 200, headers: registryHeader },
    );
    const registry = await open(web.host);
    const error = await errorOf(registry.login().then((login) => recogniseHarbor(registry, login)));
    expect(web.seen.filter(({ authorization }) => authorization?.startsWith('Basic'))).toEqual([]);
    expect(error.message).toMatch(/https/);
    expect(error.message).toContain(web.host);
  });

  it('send no password to a registry whose token service is another host’s', async () => {
    const realm = await serve(() => ({ status: 200, body: '{"token":"t","expires_in":300}' }));
    const web = await serve(({ url, headers }) =>
      url?.startsWith('/api/') === true
        ? { status: 200, body: shortSystem }
        : headers.authorization === undefined
          ? {
              status: 401,
              headers: {
                'www-authenticate': `Bearer realm="${realm.origin.replace('127.0.0.1', 'localhost')}/token"`,
              },
            }
          : { status: 200, headers: registryHeader },
    );
    const registry = await open(web.host);
    expect(await recogniseHarbor(registry, await registry.login())).toMatchObject({ account: 'none' });
    expect(web.seen.filter(({ authorization }) => authorization?.startsWith('Basic'))).toEqual([]);
  });

  it('send none over http after a Location said https', async () => {
    const web = await serve(({ method, url, headers }) => {
      if (url?.startsWith('/api/') === true) return { status: 200, body: shortSystem };
      if (headers.authorization === undefined)
        return { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
      return method === 'POST'
        ? { status: 202, headers: { location: `https://${headers.host ?? ''}/upload` } }
        : { status: 200, headers: registryHeader };
    });
    const registry = await open(web.host);
    const error = await errorOf(push(registry));
    expect(web.seen.filter(({ path }) => path.startsWith('/upload'))).toEqual([]);
    expect(error.code).toBe('AUTH_FAILED');
    expect(error.hint).toContain(`https://${web.host}`);
  });
});

describe('a registry on https', () => {
  it('that leads an upload to http elsewhere is refused by name, and nothing is sent there', async () => {
    const stranger = await serve(() => ({ status: 201 }));
    const web = await serve(
      ({ method }) =>
        method === 'POST'
          ? { status: 202, headers: { location: `${stranger.origin}/upload` } }
          : { status: 200, headers: registryHeader },
      'https',
    );
    const error = await errorOf(push(await open(web.host)));
    expect(error.code).toBe('TARGET_REFUSED');
    expect(error.message).toContain(stranger.origin);
    expect(stranger.seen).toEqual([]);
  });

  it('that redirects a request to http is refused by name, and nothing is sent there', async () => {
    const stranger = await serve(() => ({ status: 200 }));
    const web = await serve(
      ({ method }) =>
        method === 'HEAD'
          ? { status: 307, headers: { location: `${stranger.origin}/manifest` } }
          : { status: 200, headers: registryHeader },
      'https',
    );
    const error = await errorOf(headManifest(await open(web.host), 'a/b', 'x'));
    expect(error.code).toBe('TARGET_REFUSED');
    expect(error.message).toContain(stranger.origin);
    expect(stranger.seen).toEqual([]);
  });

  it('that names itself with http is asked over https', async () => {
    const web = await serve(
      ({ method, headers }) =>
        method === 'POST'
          ? { status: 202, headers: { location: `http://${headers.host ?? ''}/upload` } }
          : { status: method === 'PUT' ? 201 : 200, headers: registryHeader },
      'https',
    );
    await push(await open(web.host));
    expect(web.seen.at(-1)).toMatchObject({ path: expect.stringContaining('/upload?digest=') as string, bytes: 1000 });
  });
});
