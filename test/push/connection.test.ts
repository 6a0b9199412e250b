import { copyFileSync, mkdirSync } from 'node:fs';
import { createServer, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority, type Authority } from '../support/certificates.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { readBack } from './support/compare.ts';
import { push, type PushResult } from './support/regtar.ts';

const folder = temporaryFolder();
const source = folder.file('backup');
const store = buildStorage((s) => s.image('team/app', 'v1', { layers: ['layer'] }));
const arrived = new Map([['team/app:v1', store.built.digest]]);
let authority: Authority;
const servers: Registry[] = [];

beforeAll(async () => {
  await store.writeTo(source);
  authority = await createAuthority(folder.path);
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  folder.remove();
});

async function tlsRegistry(
  name: string,
  options: { readonly names?: readonly string[]; readonly expired?: boolean; readonly clientAuthority?: string } = {},
): Promise<Registry> {
  const server = await startRegistry({
    tls: {
      ...(await authority.issue(name, options)),
      ...(options.clientAuthority !== undefined && { clientAuthority: options.clientAuthority }),
    },
  });
  servers.push(server);
  return server;
}

const pushTo = (
  registry: Registry,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<PushResult> => push(source, registry.host, { args: ['--retry-times', '1', ...args], run: { env } });

describe('a registry whose authority nobody knows', () => {
  let registry: Registry;
  beforeAll(async () => {
    registry = await tlsRegistry('own');
  });

  it('is refused by its subject and issuer, with the option that would help', async () => {
    const { code, stderr } = await pushTo(registry);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^regtar: TARGET_TLS: .*subject "CN=own", issuer "CN=regtar test authority".*\nhint: .*--ca-file/,
      ),
    ]);
  });

  it('is pushed to with --ca-file', async () => {
    expect((await pushTo(registry, ['--ca-file', authority.certificate])).code).toBe(0);
    expect(await readBack(registry)).toEqual(arrived);
  });

  it('is pushed to with certs.d', async () => {
    mkdirSync(folder.file('config/containers/certs.d', registry.host), { recursive: true });
    copyFileSync(authority.certificate, folder.file('config/containers/certs.d', registry.host, 'ca.crt'));
    expect((await pushTo(registry, ['--prefix', 'certs'], { XDG_CONFIG_HOME: folder.file('config') })).code).toBe(0);
  });

  it('is pushed to with --insecure, which says so', async () => {
    const { code, stderr } = await pushTo(registry, ['--prefix', 'insecure', '--insecure']);
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining(`certificates of ${registry.host} are not verified (--insecure)`),
    ]);
  });
});

it('a client certificate opens the door; without one its absence is named', async () => {
  const registry = await tlsRegistry('strict', { clientAuthority: authority.certificate });
  const client = await authority.issue('client');
  const without = await pushTo(registry, ['--ca-file', authority.certificate]);
  expect([without.code, without.stderr]).toEqual([
    1,
    expect.stringMatching(/^regtar: TARGET_TLS: .*\nhint: .*--cert-file and --key-file/),
  ]);
  const shown = ['--ca-file', authority.certificate, '--cert-file', client.certificate, '--key-file', client.key];
  expect((await pushTo(registry, shown)).code).toBe(0);
  // What the test's own reader cannot show for want of a certificate, a second run does.
  expect((await pushTo(registry, shown)).report.images[0]?.status).toBe('present');
});

it.each([
  [
    'expired',
    { expired: true },
    /TARGET_TLS: .*expired.*valid until .*\nhint: renew the registry's certificate, and check this machine's clock/,
  ],
  [
    'of another host',
    { names: ['elsewhere.example'] },
    /TARGET_TLS: .*DNS:elsewhere\.example.*\nhint: use a host name that the certificate has/,
  ],
])('a certificate that is %s is refused with the reason, and nothing is sent', async (name, options, message) => {
  const registry = await tlsRegistry(name.replaceAll(' ', '-'), options);
  const { code, stderr } = await pushTo(registry, ['--ca-file', authority.certificate]);
  expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
});

describe('a proxy', () => {
  const secret = 'pRoXy-secret';

  /** A forward proxy that knows one host, which has no other name. */
  async function startProxy(registry: Registry): Promise<{ readonly url: string; readonly asked: string[] }> {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? '');
      asked.push(`${request.method ?? ''} ${url.host}`);
      if (request.headers['proxy-authorization'] !== `Basic ${Buffer.from(`me:${secret}`).toString('base64')}`)
        return void response.writeHead(407).end();
      const outgoing = sendRequest(
        {
          host: '127.0.0.1',
          port: registry.port,
          method: request.method,
          path: `${url.pathname}${url.search}`,
          headers: { ...request.headers, host: url.host },
        },
        (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 502, answer.headers)),
      );
      request.pipe(outgoing);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    return { url: `http://me:${secret}@127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
  }

  it('of HTTP_PROXY carries a push to a host that only it can reach, and NO_PROXY leaves it out', async () => {
    const registry = await startRegistry();
    onTestFinished(() => registry.stop());
    const proxy = await startProxy(registry);
    const through = await push(source, 'http://registry.invalid:5000', { run: { env: { HTTP_PROXY: proxy.url } } });
    expect([through.code, through.stderr]).toEqual([0, expect.not.stringContaining(secret)]);
    expect(await readBack(registry)).toEqual(arrived);
    expect(new Set(proxy.asked.map((line) => line.split(' ')[1]))).toEqual(new Set(['registry.invalid:5000']));
    proxy.asked.length = 0;
    const around = await push(source, 'http://registry.invalid:5000', {
      run: { env: { HTTP_PROXY: proxy.url, NO_PROXY: '.invalid' } },
    });
    expect([around.code, around.stderr]).toEqual([
      1,
      expect.stringMatching(/TARGET_UNREACHABLE: http:\/\/registry\.invalid:5000 was not found/),
    ]);
    expect(proxy.asked).toEqual([]);
  });

  it('that wants a password is named without it', async () => {
    const registry = await startRegistry();
    onTestFinished(() => registry.stop());
    const proxy = await startProxy(registry);
    const { code, stderr } = await push(source, 'http://registry.invalid:5000', {
      run: { env: { HTTP_PROXY: proxy.url.replace(secret, 'wRoNg-secret') } },
      args: ['-v'],
    });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/HTTP_PROXY|HTTPS_PROXY|proxy/)]);
    expect(stderr).not.toContain('wRoNg-secret');
  });
});
