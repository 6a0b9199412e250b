import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RegtarError } from '../../src/errors.ts';
import { bodyOf } from '../../src/io/body.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { headBlob, mountBlob } from '../../src/remote/blobs.ts';
import { parseChallenges } from '../../src/remote/challenge.ts';
import type { Credential } from '../../src/remote/credential.ts';
import { listRepositories } from '../../src/remote/lists.ts';
import { headManifest } from '../../src/remote/manifests.ts';
import { openRegistry, type Registry, type RegistryOptions } from '../../src/remote/registry.ts';
import { Secret } from '../../src/net/secret.ts';
import { uploadBlob } from '../../src/remote/upload.ts';
import { createAuthority } from '../support/certificates.ts';
import { answers, startFaultProxy } from '../support/fault-proxy.ts';
import { startRegistry, type Registry as StartedRegistry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { errorOf } from './expect-error.ts';
import { startTokenService, type TokenService, type TokenServiceOptions } from './token-service.ts';

const marked = 'mArKeD-secret-2';
const opened: Registry[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((registry) => registry.close()));
});

async function open(
  host: string,
  credential: Credential | undefined,
  options: Partial<RegistryOptions> = {},
): Promise<Registry> {
  const registry = await openRegistry({
    host,
    scheme: 'http',
    retry: { times: 2, delaySeconds: 0.02 },
    ...(credential && { credentials: () => Promise.resolve(credential) }),
    ...options,
  });
  opened.push(registry);
  return registry;
}

function user(username: string, password = marked): Credential {
  return { kind: 'basic', username, password: new Secret(password), origin: '--username' };
}

async function push(registry: Registry, repository: string, size = 1000): Promise<ReturnType<typeof digestOf>> {
  const bytes = randomBytes(size);
  await uploadBlob(registry, repository, { digest: digestOf(bytes), size }, (from = 0) => bodyOf(bytes.subarray(from)));
  return digestOf(bytes);
}

async function failure(promise: Promise<unknown>): Promise<RegtarError> {
  const error = await errorOf(promise);
  const printed = `${inspect(error, { depth: 9 })}${JSON.stringify(error)}`;
  for (const form of [
    marked,
    Buffer.from(marked).toString('base64'),
    Buffer.from(`ci:${marked}`).toString('base64'),
    Buffer.from(`someone:${marked}`).toString('base64'),
  ])
    expect(printed).not.toContain(form);
  return error;
}

describe('challenges', () => {
  it.each([
    [
      'Bearer realm="http://127.0.0.1:18880/service/token",service="harbor-registry"',
      [{ scheme: 'bearer', parameters: { realm: 'http://127.0.0.1:18880/service/token', service: 'harbor-registry' } }],
    ],
    [
      'bearer Realm="https://a/t", service = "x, y", scope="repository:a/b:pull,push repository:c:pull",error=insufficient_scope',
      [
        {
          scheme: 'bearer',
          parameters: {
            realm: 'https://a/t',
            service: 'x, y',
            scope: 'repository:a/b:pull,push repository:c:pull',
            error: 'insufficient_scope',
          },
        },
      ],
    ],
    [
      'Basic realm="a \\"b\\"", Bearer realm="https://t"',
      [
        { scheme: 'basic', parameters: { realm: 'a "b"' } },
        { scheme: 'bearer', parameters: { realm: 'https://t' } },
      ],
    ],
    [
      'Negotiate, NTLM abc==, Basic realm=x',
      [
        { scheme: 'negotiate', parameters: {} },
        { scheme: 'ntlm', parameters: {} },
        { scheme: 'basic', parameters: { realm: 'x' } },
      ],
    ],
    ['', []],
    [undefined, []],
    ['Bearer', [{ scheme: 'bearer', parameters: {} }]],
    ['"odd', []],
  ])('%j', (header, expected) => {
    expect(parseChallenges(header)).toEqual(expected);
  });
});

describe('a registry with passwords', () => {
  let server: StartedRegistry;
  beforeAll(async () => {
    server = await startRegistry({ htpasswd: { username: 'ci', password: marked } });
  });
  afterAll(() => server.stop());

  it('takes the right one', async () => {
    const registry = await open(server.host, user('ci'));
    expect(await registry.login()).toMatchObject({ kind: 'basic', username: 'ci' });
    expect((await registry.ping()).authentication).toBe('basic');
    const digest = await push(registry, 'a/b');
    expect(await headBlob(registry, 'a/b', digest)).toEqual({ size: 1000 });
  });

  it('refuses a wrong one once, naming the user and where it came from', async () => {
    const requests: string[] = [];
    const registry = await open(server.host, user('someone'), {
      onRequest: ({ method, path, status }) => void requests.push(`${method} ${path} ${status}`),
    });
    const error = await failure(registry.login());
    expect(error).toMatchObject({ code: 'AUTH_FAILED', where: { status: 401 } });
    expect(error.message).toContain('user "someone" (from --username)');
    expect(requests).toEqual(['GET /v2/ 401', 'GET /v2/ 401']);
  });

  it('refuses anonymous clients with a hint on how to log in', async () => {
    const error = await failure(push(await open(server.host, undefined), 'a/b'));
    expect(error).toMatchObject({ code: 'AUTH_FAILED', hint: expect.stringContaining('--username') as string });
  });

  it('cannot be used with an identity token', async () => {
    const registry = await open(server.host, { kind: 'identity-token', token: new Secret(marked), origin: 'file' });
    expect((await failure(registry.login())).code).toBe('AUTH_FAILED');
  });
});

describe('a registry with a token service', () => {
  const folder = temporaryFolder();
  let server: StartedRegistry;
  let service: TokenService;
  let options: TokenServiceOptions;

  beforeAll(async () => {
    const authority = await createAuthority(folder.path);
    const signer = await authority.issue('signer');
    options = {
      issuer: 'test issuer',
      service: 'test registry',
      signer,
      users: { ci: marked },
      identityToken: marked,
      lifeSeconds: 300,
    };
    service = await startTokenService(options);
    server = await startRegistry({
      tokenService: {
        realm: service.realm,
        service: 'test registry',
        issuer: 'test issuer',
        rootcertbundle: authority.certificate,
      },
    });
  });
  afterAll(async () => {
    service.stop();
    await server.stop();
    folder.remove();
  });
  beforeEach(() => {
    service.requests.length = 0;
    options.lifeSeconds = 300;
    delete options.granted;
    delete options.document;
    options.instead = undefined;
  });

  it('is asked once for a repository, however much is pushed at once', async () => {
    const registry = await open(server.host, user('ci'));
    await Promise.all(Array.from({ length: 8 }, () => push(registry, 'team/app')));
    await headManifest(registry, 'team/app', 'latest');
    expect(service.requests.map(({ scopes }) => scopes)).toEqual([['repository:team/app:pull,push']]);
  });

  it('proves a password without any scope', async () => {
    const registry = await open(server.host, user('ci'));
    expect(await registry.login()).toMatchObject({ username: 'ci' });
    expect(service.requests.map(({ scopes }) => scopes)).toEqual([[]]);
    const error = await failure((await open(server.host, user('someone'))).login());
    expect(error).toMatchObject({ code: 'AUTH_FAILED', where: { status: 401 } });
    expect(error.message).toContain('wrong password for user "someone"');
    expect(service.requests.length).toBe(2);
  });

  it('gives anonymous tokens', async () => {
    await push(await open(server.host, undefined), 'team/app');
    expect(service.requests[0]?.authorization).toBeUndefined();
  });

  it('makes tokens of identity tokens by OAuth2', async () => {
    const registry = await open(server.host, { kind: 'identity-token', token: new Secret(marked), origin: 'file' });
    await push(registry, 'team/app');
    expect(service.requests.map(({ method, scopes }) => ({ method, scopes }))).toEqual([
      { method: 'POST', scopes: ['repository:team/app:pull,push'] },
    ]);
    expect(
      (
        await failure(
          push(
            await open(server.host, { kind: 'identity-token', token: new Secret('no'), origin: 'file' }),
            'team/app',
          ),
        )
      ).code,
    ).toBe('AUTH_FAILED');
  });

  it('is not asked where the token itself was given', async () => {
    await push(await open(server.host, user('ci')), 'team/app');
    let token = '';
    options.document = (made) => ({ token: (token = made) });
    await push(await open(server.host, user('ci')), 'team/app');
    service.requests.length = 0;
    await push(
      await open(server.host, { kind: 'registry-token', token: new Secret(token), origin: '--registry-token-stdin' }),
      'team/app',
    );
    expect(service.requests).toEqual([]);
  });

  it('lets one token grow for mounts instead of asking for one each', async () => {
    const registry = await open(server.host, user('ci'));
    const digests = [await push(registry, 'from/a'), await push(registry, 'from/b'), await push(registry, 'from/c')];
    service.requests.length = 0;
    for (const [index, digest] of digests.entries())
      expect(await mountBlob(registry, 'to/x', digest, `from/${['a', 'b', 'c'][index] ?? ''}`)).toBe('mounted');
    await push(registry, 'to/x');
    expect(service.requests.map(({ scopes }) => scopes.length)).toEqual([2, 3, 4]);
    expect(await mountBlob(registry, 'to/x', digests[0] ?? digestOf(Buffer.of()), 'from/a')).toBe('mounted');
    expect(service.requests.length).toBe(3);
  });

  it('is told from a refused mount: nothing is asked again and again', async () => {
    options.granted = (repository, actions) => (repository === 'secret/x' ? [] : actions);
    const registry = await open(server.host, user('ci'));
    for (let count = 0; count < 5; count++)
      expect(await mountBlob(registry, 'to/x', digestOf(randomBytes(3)), 'secret/x')).toBe('refused');
    expect(service.requests.length).toBe(1);
    await push(registry, 'to/x');
    expect(service.requests.length).toBe(1);
  });

  it('says what an account may not do', async () => {
    options.granted = (_repository, actions) => actions.filter((action) => action === 'pull');
    const error = await failure(push(await open(server.host, user('ci')), 'team/app'));
    expect(error).toMatchObject({ code: 'AUTH_DENIED', where: { repository: 'team/app', status: 401 } });
    expect(error.message).toContain('user "ci"');
    expect(service.requests.length).toBe(1);
  });

  it('has one repository list that few may read', async () => {
    options.granted = () => [];
    expect(await listRepositories(await open(server.host, user('ci')))).toBeUndefined();
  });

  it('is asked again before a token ends', async () => {
    options.lifeSeconds = 2;
    const registry = await open(server.host, user('ci'));
    await push(registry, 'team/app');
    await push(registry, 'team/app');
    expect(service.requests.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 1700));
    await push(registry, 'team/app');
    expect(service.requests.length).toBe(2);
  });

  it.each([
    ['token alone', (token: string) => ({ token })],
    ['access_token alone', (token: string) => ({ access_token: token })],
    ['an empty access_token', (token: string) => ({ token, access_token: '' })],
    ['an empty token', (token: string) => ({ token: '', access_token: token })],
    ['nulls', (token: string) => ({ token, access_token: null, expires_in: null, issued_at: null })],
  ])('is understood with %s', async (_what, document) => {
    options.document = document;
    await push(await open(server.host, user('ci')), 'team/app');
  });

  it.each([
    ['no token', 200, '{}', 'AUTH_TOKEN'],
    ['a login page', 200, '<html>login</html>', 'AUTH_TOKEN'],
    ['an unknown service', 400, 'Unable to handle service: foo', 'AUTH_TOKEN'],
    ['denied', 403, '{"errors":[{"code":"DENIED","message":"no"}]}', 'AUTH_DENIED'],
    ['down', 503, '', 'AUTH_TOKEN'],
  ])('that answers %s is named', async (_what, status, body, code) => {
    options.instead = (_request, response) => {
      response.writeHead(status).end(body);
      return true;
    };
    const error = await failure(push(await open(server.host, user('ci')), 'team/app'));
    expect(error.code).toBe(code);
    expect(error.message).toContain(service.realm);
    expect(service.requests.length).toBe(status === 503 ? 3 : 1);
  });

  it('may fail for a moment', async () => {
    let failures = 1;
    options.instead = (_request, response) => {
      if (failures-- <= 0) return false;
      response.destroy();
      return true;
    };
    await push(await open(server.host, user('ci')), 'team/app');
    expect(service.requests.length).toBe(2);
  });

  it('that cannot be reached is told from a registry that cannot be reached', async () => {
    const proxy = await startFaultProxy(server.url, [
      {
        path: /^\/v2\/$/,
        fault: {
          kind: 'answer',
          status: 401,
          headers: { 'www-authenticate': 'Bearer realm="http://127.0.0.1:1/token",service="x"' },
        },
      },
    ]);
    const error = await failure(push(await open(proxy.host, user('ci')), 'team/app'));
    expect(error.code).toBe('AUTH_TOKEN');
    expect(error.message).toContain('127.0.0.1:1');
    await proxy.stop();
  });

  it('may be asked by project where a dialect says so', async () => {
    const registry = await open(server.host, user('ci'));
    await registry.ping();
    registry.speak({ tokenScope: (scope) => scope.replace(/^repository:([^/]+)\/[^:]*:/, 'repository:$1/any:') });
    options.granted = (_repository, actions) => actions;
    await headManifest(registry, 'team/any', 'x');
    expect(service.requests.map(({ scopes }) => scopes)).toEqual([['repository:team/any:pull,push']]);
  });

  it('is asked anew when tokens are forgotten', async () => {
    const registry = await open(server.host, user('ci'));
    await push(registry, 'team/app');
    registry.forgetTokens();
    await push(registry, 'team/app');
    expect(service.requests.length).toBe(2);
  });

  it('gets each project’s own credential', async () => {
    const credentials: Record<string, Credential> = { team: user('ci'), other: { kind: 'anonymous', origin: 'none' } };
    const registry = await open(server.host, undefined, {
      credentials: (repository = '') => Promise.resolve(credentials[repository.split('/')[0] ?? ''] ?? user('nobody')),
    });
    await push(registry, 'team/app');
    await push(registry, 'other/app');
    expect(service.requests.map(({ authorization }) => authorization !== undefined)).toEqual([true, false]);
  });
});

describe('a token that the registry stops taking', () => {
  it('is renewed once and the same session goes on', async () => {
    let valid = 'first';
    let made = 0;
    const paths: string[] = [];
    const web = createServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://x');
      if (url.pathname === '/token')
        return void response.end(JSON.stringify({ token: made++ === 0 ? 'first' : 'second', expires_in: 3600 }));
      paths.push(`${request.method ?? ''} ${url.pathname}`);
      request.resume();
      request.on('end', () => {
        if (request.headers.authorization !== `Bearer ${valid}`) {
          response
            .writeHead(401, {
              'www-authenticate':
                request.headers.authorization === undefined
                  ? `Bearer realm="http://${request.headers.host ?? ''}/token"`
                  : 'Basic realm="harbor"',
            })
            .end();
          return;
        }
        if (request.method === 'PATCH') valid = 'second';
        response
          .writeHead(request.method === 'PUT' ? 201 : 202, { location: `/v2/a/blobs/uploads/1?n=${paths.length}` })
          .end();
      });
      return undefined;
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const registry = await open(`127.0.0.1:${(web.address() as AddressInfo).port}`, user('ci'));
    await push(registry, 'a', 600_000).catch((error: unknown) => expect.fail(String(error)));
    const bytes = randomBytes(900_000);
    valid = 'first';
    made = 0;
    registry.forgetTokens();
    paths.length = 0;
    await uploadBlob(
      registry,
      'a',
      { digest: digestOf(bytes), size: bytes.length },
      (from = 0) => bodyOf(bytes.subarray(from)),
      { chunkBytes: 300_000 },
    );
    expect(paths.filter((path) => path.startsWith('POST')).length).toBe(1);
    expect(made).toBe(2);
    web.close();
    web.closeAllConnections();
  });
});

describe('credentials', () => {
  it('do not follow redirects and Locations to other hosts', async () => {
    const seen: { readonly path: string; readonly authorization: string | undefined }[] = [];
    const stranger = createServer((request, response) => {
      seen.push({ path: request.url ?? '', authorization: request.headers.authorization });
      request.resume();
      request.on('end', () =>
        response
          .writeHead(request.method === 'PUT' ? 201 : 200, {
            ...(request.method === 'HEAD' && { 'docker-content-digest': digestOf(Buffer.from('{}')) }),
            'content-length': '0',
          })
          .end(),
      );
    });
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const other = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
    const web = createServer((request, response) => {
      request.resume();
      const challenged = request.headers.authorization === undefined;
      if (challenged) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else if (request.method === 'POST') response.writeHead(202, { location: `${other}/upload?_state=1` }).end();
      else if (request.method === 'HEAD') response.writeHead(307, { location: `${other}/manifest` }).end();
      else response.writeHead(200).end('{}');
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const registry = await open(`127.0.0.1:${(web.address() as AddressInfo).port}`, user('ci'));
    await push(registry, 'a/b');
    await headManifest(registry, 'a/b', 'x');
    expect(seen.map(({ path, authorization }) => [path.replace(/digest=.*/, 'digest='), authorization])).toEqual([
      ['/upload?_state=1&digest=', undefined],
      ['/manifest', undefined],
    ]);
    for (const each of [stranger, web]) {
      each.close();
      each.closeAllConnections();
    }
  });

  it('are taken out of what a registry repeats', async () => {
    const web = createServer((request, response) => {
      if (request.headers.authorization === undefined)
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else
        response.writeHead(400, { 'content-type': 'application/json' }).end(
          JSON.stringify({
            errors: [{ code: 'X', message: `you said ${request.headers.authorization} with ${marked}\u001b[31m` }],
          }),
        );
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const registry = await open(`127.0.0.1:${(web.address() as AddressInfo).port}`, user('ci'));
    const error = await failure(push(registry, 'a/b'));
    expect(error.message).toContain('you said Basic [secret] with [secret]');
    expect(error.message).not.toContain('\u001b');
    web.close();
    web.closeAllConnections();
  });

  it('are not sent to a registry that wants none', async () => {
    const server = await startRegistry();
    const proxy = await startFaultProxy(server.url, [{ path: /nothing/, fault: answers.unavailable }]);
    const registry = await open(proxy.host, user('ci'));
    await push(registry, 'a/b');
    expect((await registry.ping()).authentication).toBe('none');
    await proxy.stop();
    await server.stop();
  });
});
