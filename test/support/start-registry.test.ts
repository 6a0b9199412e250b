import { readFileSync, rmSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { afterEach, expect, it } from 'vitest';
import { createAuthority } from './certificates.ts';
import { describeWith } from './peers.ts';
import { listRegistry } from './read-registry.ts';
import { run } from './run.ts';
import { startRegistry, type Registry, type RegistryOptions } from './start-registry.ts';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts';

describeWith('docker-registry', 'a registry of the tests', () => {
  const open: { stop?: () => Promise<void>; remove?: () => void }[] = [];
  afterEach(async () => {
    for (const each of open.splice(0)) {
      await each.stop?.();
      each.remove?.();
    }
  });
  const start = async (options: RegistryOptions = {}): Promise<Registry> => {
    const registry = await startRegistry(options);
    open.push(registry);
    return registry;
  };
  const newFolder = (): TemporaryFolder => {
    const folder = temporaryFolder();
    open.push(folder);
    return folder;
  };
  const beginUpload = (registry: Registry, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${registry.url}/v2/a/b/blobs/uploads/`, { method: 'POST', headers });

  it('begins empty and logs requests when asked', async () => {
    const registry = await start({ accessLog: true });
    expect(await listRegistry(registry)).toEqual([]);
    await beginUpload(registry);
    await expect
      .poll(() => registry.requests().at(-1))
      .toEqual({ method: 'POST', path: '/v2/a/b/blobs/uploads/', status: 202 });
  });

  it('wants the password where there is one', async () => {
    const registry = await start({ htpasswd: { username: 'someone', password: 'a pass:word' } });
    expect((await beginUpload(registry)).status).toBe(401);
    expect(
      (await beginUpload(registry, { authorization: `Basic ${Buffer.from('someone:a pass:word').toString('base64')}` }))
        .status,
    ).toBe(202);
    expect(await listRegistry({ url: registry.url, username: 'someone', password: 'a pass:word' })).toEqual([]);
  });

  it('sends clients to a token service', async () => {
    const folder = newFolder();
    const { certificate } = await createAuthority(folder.path);
    const registry = await start({
      tokenService: { realm: 'http://127.0.0.1:9/token', service: 'test', issuer: 'test', rootcertbundle: certificate },
    });
    const answer = await beginUpload(registry);
    expect(answer.status).toBe(401);
    // The registry names a scope's actions in any order.
    expect(answer.headers.get('www-authenticate')).toMatch(
      /^Bearer realm="http:\/\/127\.0\.0\.1:9\/token",service="test",scope="repository:a\/b:(pull,push|push,pull)"$/,
    );
  });

  it('refuses writes when it is read-only', async () => {
    expect((await beginUpload(await start({ readonly: true }))).status).toBe(405);
  });

  it('answers relative Locations when asked, absolute ones otherwise', async () => {
    expect((await beginUpload(await start({ relativeurls: true }))).headers.get('location')).toMatch(/^\/v2\//);
    expect((await beginUpload(await start())).headers.get('location')).toMatch(/^http:\/\/127/);
  });

  it('comes back on the same port with the same storage', async () => {
    const folder = newFolder();
    const first = await startRegistry({ storage: folder.path });
    await beginUpload(first);
    await first.stop();
    const second = await start({ storage: folder.path, port: first.port });
    expect(second.url).toBe(first.url);
    rmSync(folder.file('docker'), { recursive: true });
  });

  it('says why it does not start', async () => {
    const first = await start();
    await expect(startRegistry({ port: first.port })).rejects.toThrow(/address already in use/);
  });

  describeWith('openssl', 'with TLS', () => {
    it('shows a certificate of our authority, and takes clients that have one too', async () => {
      const folder = newFolder();
      const authority = await createAuthority(folder.path);
      const server = await authority.issue('server');
      const client = await authority.issue('client');
      const registry = await start({ tls: { ...server, clientAuthority: authority.certificate } });
      const ask = (files?: typeof client): Promise<number | undefined> =>
        new Promise((resolve, reject) => {
          const identity = files && { cert: readFileSync(files.certificate), key: readFileSync(files.key) };
          const request = httpsRequest(
            `${registry.url}/v2/`,
            { ca: readFileSync(authority.certificate), agent: false, ...identity },
            (response) => resolve(response.resume().statusCode),
          );
          request.once('error', reject).end();
        });
      expect(await ask(client)).toBe(200);
      await expect(ask()).rejects.toThrow();
    });

    it('can show one that has expired', async () => {
      const folder = newFolder();
      const authority = await createAuthority(folder.path);
      const { certificate } = await authority.issue('old', { expired: true });
      expect(
        (await run('openssl', ['x509', '-in', certificate, '-noout', '-checkend', '0'], { allowFailure: true })).code,
      ).toBe(1);
    });
  });
});
