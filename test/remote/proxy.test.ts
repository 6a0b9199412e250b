import { randomBytes } from 'node:crypto';
import { createServer, request as sendRequest, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bodyOf } from '../../src/io/body.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { headBlob } from '../../src/remote/blobs.ts';
import { chooseProxies } from '../../src/net/proxy.ts';
import { openRegistry, type Registry } from '../../src/remote/registry.ts';
import { uploadBlob } from '../../src/remote/upload.ts';
import { createAuthority, type Authority } from '../support/certificates.ts';
import { startRegistry, type Registry as StartedRegistry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { errorOf } from './expect-error.ts';

describe('the choice of a proxy', () => {
  const env = {
    HTTPS_PROXY: 'http://secure:3128',
    HTTP_PROXY: 'plain:3128',
    NO_PROXY:
      'corp.example, .suffix.example,*.star.example 10.0.0.0/8,192.168.1.7,[fd00::1],fd01::/16,port.example:8443',
  };
  it.each([
    ['https://harbor.example', 'secure'],
    ['http://harbor.example', 'plain'],
    ['https://corp.example', undefined],
    ['https://a.corp.example:8443', undefined],
    ['https://notcorp.example', 'secure'],
    ['https://x.suffix.example', undefined],
    ['https://x.star.example', undefined],
    ['https://10.1.2.3:5000', undefined],
    ['https://11.1.2.3', 'secure'],
    ['https://192.168.1.7', undefined],
    ['https://[fd01::9]', undefined],
    ['https://[fd02::9]', 'secure'],
    ['https://port.example:8443', undefined],
    ['https://port.example', 'secure'],
    ['http://127.0.0.1:5000', undefined],
    ['http://localhost:5000', undefined],
  ])('for %s is %s', (url, expected) => {
    expect(chooseProxies(env)(new URL(url))?.hostname).toBe(expected);
  });

  it('prefers lower case, ignores empty variables, and is nothing for *', () => {
    const url = new URL('https://harbor.example');
    expect(chooseProxies({ https_proxy: 'http://lower:1', HTTPS_PROXY: 'http://upper:1' })(url)?.hostname).toBe(
      'lower',
    );
    expect(chooseProxies({ HTTPS_PROXY: '' })(url)).toBeUndefined();
    expect(chooseProxies({ HTTPS_PROXY: 'http://p:1', NO_PROXY: '*' })(url)).toBeUndefined();
    expect(chooseProxies({ HTTP_PROXY: 'http://p:1' })(url)).toBeUndefined();
  });

  it('does not show a password of a proxy that cannot be read', () => {
    expect(() => chooseProxies({ HTTPS_PROXY: 'socks5://u:mArKeD@p:1' })).toThrow(/^HTTPS_PROXY is not/);
  });
});

describe('a proxy', () => {
  const folder = temporaryFolder();
  let authority: Authority;
  let secure: StartedRegistry;
  let plain: StartedRegistry;
  let proxy: Server;
  let proxyUrl: string;
  const seen: string[] = [];
  const authorizations = new Set<string | undefined>();
  const opened: Registry[] = [];

  beforeAll(async () => {
    authority = await createAuthority(folder.path);
    secure = await startRegistry({ tls: await authority.issue('registry.test', { names: ['registry.test'] }) });
    plain = await startRegistry();
  });
  beforeEach(async () => {
    seen.length = 0;
    // Every host name leads to the one registry of its scheme: names that no resolver knows prove that the proxy was used.
    proxy = createServer((request, response) => {
      seen.push(`${request.method ?? ''} ${request.url ?? ''}`);
      authorizations.add(request.headers['proxy-authorization']);
      const url = new URL(request.url ?? '');
      const outgoing = sendRequest(
        {
          host: '127.0.0.1',
          port: plain.port,
          method: request.method,
          path: url.pathname + url.search,
          headers: request.headers,
        },
        (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 500, answer.headers)),
      );
      request.pipe(outgoing);
    });
    proxy.on('connect', (request, socket, head) => {
      seen.push(`CONNECT ${request.url ?? ''}`);
      authorizations.add(request.headers['proxy-authorization']);
      const outgoing = connect(secure.port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        outgoing.write(head);
        outgoing.pipe(socket).pipe(outgoing);
      });
      for (const each of [outgoing, socket]) each.on('error', () => void (outgoing.destroy(), socket.destroy()));
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    proxyUrl = `http://user:pass@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((registry) => registry.close()));
    proxy.close();
    proxy.closeAllConnections();
  });
  afterAll(async () => {
    await secure.stop();
    await plain.stop();
    folder.remove();
  });

  async function open(scheme: 'http' | 'https', env: Record<string, string>): Promise<Registry> {
    const registry = await openRegistry({
      host: 'registry.test',
      scheme,
      env,
      tls: { caFile: authority.certificate },
      retry: { times: 0 },
    });
    opened.push(registry);
    return registry;
  }

  async function push(registry: Registry): Promise<number | undefined> {
    const bytes = randomBytes(1_000_000);
    const digest = digestOf(bytes);
    await uploadBlob(registry, 'a/b', { digest, size: bytes.length }, (from = 0) => bodyOf(bytes.subarray(from)));
    return (await headBlob(registry, 'a/b', digest))?.size;
  }

  it('tunnels https, with its password', async () => {
    expect(await push(await open('https', { HTTPS_PROXY: proxyUrl }))).toBe(1_000_000);
    expect(new Set(seen)).toEqual(new Set(['CONNECT registry.test:443']));
    expect([...authorizations]).toEqual([`Basic ${Buffer.from('user:pass').toString('base64')}`]);
  });

  it('passes http on', async () => {
    expect(await push(await open('http', { http_proxy: proxyUrl }))).toBe(1_000_000);
    expect(seen[0]).toBe('GET http://registry.test/v2/');
  });

  it('is left out for NO_PROXY', async () => {
    expect((await errorOf(push(await open('https', { HTTPS_PROXY: proxyUrl, NO_PROXY: '.test' })))).code).toBe(
      'TARGET_UNREACHABLE',
    );
    expect(seen).toEqual([]);
  });

  it.each([
    ['http://nobody@', 'nobody:'],
    ['http://user:p%C3%A4ss%2F@', 'user:päss/'],
    ['http://user:50%@', 'user:50%'],
  ])('is shown who asks, as %s says', async (user, pair) => {
    authorizations.clear();
    await (await open('https', { HTTPS_PROXY: proxyUrl.replace('http://user:pass@', user) })).ping();
    expect([...authorizations]).toEqual([`Basic ${Buffer.from(pair).toString('base64')}`]);
  });

  it.each([
    [407, /user and password/],
    [403, /NO_PROXY/],
    [500, /log of the proxy/],
  ])('that answers %i instead of connecting is named', async (status, hint) => {
    proxy.removeAllListeners('connect').on('connect', (_request, socket) => {
      socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
    });
    const error = await errorOf((await open('https', { HTTPS_PROXY: proxyUrl })).ping());
    expect(error.code).toBe('TARGET_UNREACHABLE');
    expect(error.message).toContain(`the proxy does not connect to registry.test: it answers ${status}`);
    expect(error.hint).toMatch(hint);
  });

  it('that never connects is given up', async () => {
    proxy.removeAllListeners('connect').on('connect', (_request, socket) => socket.on('error', () => undefined));
    const registry = await openRegistry({
      host: 'registry.test',
      scheme: 'https',
      env: { HTTPS_PROXY: proxyUrl },
      retry: { times: 1, delaySeconds: 0.02 },
      stallTimeoutSeconds: 0.5,
    });
    opened.push(registry);
    const error = await errorOf(registry.ping());
    expect(error.code).toBe('TARGET_TIMEOUT');
    expect(error.message).toMatch(/given up after 2 attempts/);
  });

  it('still lets certificates be checked', async () => {
    const registry = await openRegistry({
      host: 'other.test',
      scheme: 'https',
      env: { HTTPS_PROXY: proxyUrl },
      tls: { caFile: authority.certificate },
      retry: { times: 0 },
    });
    opened.push(registry);
    expect((await errorOf(registry.ping())).code).toBe('TARGET_TLS');
  });
});
