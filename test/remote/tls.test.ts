import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openRegistry, type Registry, type RegistryOptions } from '../../src/remote/registry.ts';
import type { TlsOptions } from '../../src/net/tls.ts';
import { createAuthority, type Authority } from '../support/certificates.ts';
import { startRegistry, type Registry as StartedRegistry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { errorOf } from './expect-error.ts';

const folder = temporaryFolder();
let authority: Authority;
const servers: StartedRegistry[] = [];
let good: StartedRegistry;
const opened: Registry[] = [];

beforeAll(async () => {
  authority = await createAuthority(folder.path);
  good = await start('good');
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((registry) => registry.close()));
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  folder.remove();
});

async function start(
  name: string,
  options: { readonly names?: readonly string[]; readonly expired?: boolean; readonly clientAuthority?: string } = {},
): Promise<StartedRegistry> {
  const issued = await authority.issue(name, options);
  const server = await startRegistry({
    tls: { ...issued, ...(options.clientAuthority !== undefined && { clientAuthority: options.clientAuthority }) },
  });
  servers.push(server);
  return server;
}

async function ping(host: string, tls: TlsOptions, options: Partial<RegistryOptions> = {}): Promise<number> {
  const registry = await openRegistry({ host, tls, retry: { times: 2, delaySeconds: 0.02 }, ...options });
  opened.push(registry);
  return (await registry.ping()).status;
}

describe('a registry with a certificate of its own authority', () => {
  it('is refused, naming subject, issuer and the flag that helps', async () => {
    const error = await errorOf(ping(good.host, {}));
    expect(error.code).toBe('TARGET_TLS');
    expect(error.message).toContain('subject "CN=good"');
    expect(error.message).toContain('issuer "CN=regtar test authority"');
    expect(error.hint).toContain('--ca-file');
  });

  it.each<[string, () => TlsOptions]>([
    ['--ca-file', () => ({ caFile: authority.certificate })],
    ['--cert-dir', () => ({ certDir: certsDirectory(folder.file('certdir')) })],
    ['certs.d of containers', () => ({ home: homeWithCerts(good.host) })],
    ['certs.d below XDG_CONFIG_HOME', () => ({ env: { XDG_CONFIG_HOME: `${homeWithCerts(good.host)}/.config` } })],
    ['SSL_CERT_FILE', () => ({ env: { SSL_CERT_FILE: authority.certificate } })],
    ['SSL_CERT_DIR', () => ({ env: { SSL_CERT_DIR: `/nonexistent:${certsDirectory(folder.file('ssldir'))}` } })],
    ['NODE_EXTRA_CA_CERTS', () => ({ env: { NODE_EXTRA_CA_CERTS: authority.certificate } })],
    ['--insecure', () => ({ insecure: true })],
  ])('is trusted by %s', async (_what, tls) => {
    expect(await ping(good.host, tls())).toBe(200);
  });

  it('is not trusted by another host’s certs.d', async () => {
    expect((await errorOf(ping(good.host, { home: homeWithCerts('other.example:5000') }))).code).toBe('TARGET_TLS');
  });
});

describe('certificates that are wrong', () => {
  it('because they have expired are named with their date', async () => {
    const server = await start('old', { expired: true });
    const error = await errorOf(ping(server.host, { caFile: authority.certificate }));
    expect(error.code).toBe('TARGET_TLS');
    expect(error.message).toMatch(/expired.*valid until/);
    expect(error.hint).toContain('clock');
    expect(await ping(server.host, { insecure: true })).toBe(200);
  });

  it('because they are another host’s are named with the names they have', async () => {
    const server = await start('elsewhere', { names: ['elsewhere.example'] });
    const error = await errorOf(ping(server.host, { caFile: authority.certificate }));
    expect(error.code).toBe('TARGET_TLS');
    expect(error.message).toContain('DNS:elsewhere.example');
    expect(error.hint).toContain('host name');
  });
});

describe('a registry that asks for a client certificate', () => {
  let server: StartedRegistry;
  beforeAll(async () => {
    server = await start('mutual', { clientAuthority: authority.certificate });
  });

  it('gets it from --cert-file and --key-file or a directory', async () => {
    const client = await authority.issue('client');
    expect(
      await ping(server.host, { caFile: authority.certificate, certFile: client.certificate, keyFile: client.key }),
    ).toBe(200);
    const directory = certsDirectory(folder.file('mutual'));
    copyFileSync(client.certificate, `${directory}/client.cert`);
    copyFileSync(client.key, `${directory}/client.key`);
    expect(await ping(server.host, { certDir: directory })).toBe(200);
  });

  it('alone gets it: another port of the same host does not', async () => {
    const client = await authority.issue('client');
    const files = { caFile: authority.certificate, certFile: client.certificate, keyFile: client.key };
    expect(await ping(server.host, files)).toBe(200);
    const registry = await openRegistry({ host: good.host, tls: files, retry: { times: 0 } });
    opened.push(registry);
    await registry.ping();
    const error = await errorOf(
      registry.request({ method: 'GET', path: new URL(`https://${server.host}/v2/`), doing: 'look', accept: [401] }),
    );
    expect(error.code).toMatch(/^TARGET_/);
  });

  it('is told by name when there is none', async () => {
    const error = await errorOf(ping(server.host, { caFile: authority.certificate }));
    expect(error.code).toBe('TARGET_TLS');
    expect(error.hint).toContain('--cert-file');
  });
});

describe('files', () => {
  it.each<[string, () => TlsOptions, RegExp]>([
    ['that are missing', () => ({ caFile: folder.file('none.crt') }), /none\.crt cannot be read/],
    ['that hold no certificate', () => ({ caFile: write('text.crt', 'hello') }), /holds no PEM certificate/],
    [
      'with a key that belongs to another certificate',
      () => ({
        certFile: authority.certificate,
        keyFile: write('other.key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'),
      }),
      /do not work/,
    ],
    ['without the key', () => ({ certFile: authority.certificate }), /both --cert-file and --key-file/],
  ])('%s are named before anything is sent', async (_what, tls, message) => {
    const error = await errorOf(ping('127.0.0.1:1', tls()));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toMatch(message);
  });
});

describe('plain http', () => {
  it('where https was asked for names --plain-http', async () => {
    const plain = await startRegistry();
    servers.push(plain);
    const error = await errorOf(ping(plain.host, {}, { scheme: 'https' }));
    expect(error).toMatchObject({ code: 'TARGET_TLS', hint: expect.stringContaining('--plain-http') as string });
    expect(await ping(plain.host, {})).toBe(200);
  });

  it('where only https is spoken is not a registry', async () => {
    expect((await errorOf(ping(good.host, {}, { scheme: 'http' }))).code).toBe('TARGET_NOT_REGISTRY');
  });
});

function certsDirectory(path: string): string {
  mkdirSync(path, { recursive: true });
  copyFileSync(authority.certificate, `${path}/ca.crt`);
  return path;
}

function homeWithCerts(host: string): string {
  const home = folder.file(`home-${host.replace(':', '-')}`);
  certsDirectory(`${home}/.config/containers/certs.d/${host}`);
  return home;
}

function write(name: string, text: string): string {
  writeFileSync(folder.file(name), text);
  return folder.file(name);
}
