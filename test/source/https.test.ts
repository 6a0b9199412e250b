import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { openContentStore } from '../../src/formats/content-store.ts';
import { collectBody } from '../../src/io/body.ts';
import { Secret } from '../../src/net/secret.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import type { FarAccess } from '../../src/source/far/access.ts';
import { openSource } from '../../src/source/open-source.ts';
import { regtar, regtarDone } from '../e2e/support/regtar.ts';
import { createAuthority } from '../support/certificates.ts';
import { startFaultProxy, type FaultRule } from '../support/fault-proxy.ts';
import { fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { readLayout } from '../support/read-layout.ts';
import { run } from '../support/run.ts';
import { startNginx, type Nginx } from '../support/start-nginx.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const password = 'very-secret-word';
const quick: FarAccess = { retry: { times: 3, delaySeconds: 0.01 } };

describeWith(['nginx', 'openssl'], 'a tar on a web server', () => {
  const folder = temporaryFolder();
  const root = folder.file('root');
  let nginx: Nginx;
  let authority: string;
  let local: string;

  beforeAll(async () => {
    mkdirSync(root);
    cpSync(fixturePath, `${root}/docker.tar`);
    await run('gzip', ['-k', `${root}/docker.tar`]);
    writeFileSync(`${root}/empty.tar`, '');
    writeFileSync(folder.file('password'), `${password}\n`);
    const made = await createAuthority(folder.path);
    authority = made.certificate;
    const server = await made.issue('server');
    nginx = await startNginx({ root, tls: server, user: { username: 'reader', password }, token: password });
    local = (await regtarDone(['list', fixturePath])).stdout;
  });
  afterAll(async () => {
    await nginx.stop();
    folder.remove();
  });

  const open = async (address: string, far: FarAccess = quick) => {
    const backup = await openSource([address], { far });
    const catalog = await readCatalog(backup);
    return { backup, catalog, store: openContentStore(backup, catalog) };
  };

  /** Reads every blob and compares it with its name. */
  const readAll = async (address: string): Promise<number> => {
    const { backup, catalog, store } = await open(address);
    let count = 0;
    for (const digest of catalog.blobs()) {
      if (!digest.startsWith('sha256:')) continue;
      const bytes = await collectBody(store.open(digest), Number.MAX_SAFE_INTEGER);
      expect(digestOf(bytes)).toBe(digest);
      count++;
    }
    await backup.close();
    return count;
  };

  it('is listed like the file, in few requests, none of which reads what another has read', async () => {
    const before = nginx.requests().length;
    const { stdout } = await regtarDone(['list', `${nginx.url}/files/docker.tar`]);
    expect(stdout).toBe(local);
    const parts = nginx
      .requests()
      .slice(before)
      .map(({ range }) => /^bytes=(\d+)-(\d+)$/.exec(range)?.slice(1).map(Number) as [number, number]);
    expect(parts.length).toBeLessThan(60);
    parts.sort(([left], [right]) => left - right);
    parts.slice(1).forEach(([start], index) => expect(start).toBeGreaterThan(parts[index]?.[1] ?? Infinity));
  });

  it('is exported like the file, each blob read once', async () => {
    const before = nginx.requests().length;
    await regtarDone([
      'export',
      `${nginx.url}/files/docker.tar`,
      folder.file('far'),
      '--report',
      folder.file('report.json'),
    ]);
    await regtarDone(['export', fixturePath, folder.file('near')]);
    expect((await readLayout(folder.file('far'))).files).toEqual((await readLayout(folder.file('near'))).files);
    const sent = nginx
      .requests()
      .slice(before)
      .reduce((sum, { bytes }) => sum + bytes, 0);
    expect(sent).toBeLessThan(2 * readFileSync(fixturePath).length);
    const [source] = (JSON.parse(readFileSync(folder.file('report.json'), 'utf8')) as { sources: object[] }).sources;
    expect(source).toMatchObject({
      name: `${nginx.url}/files/docker.tar`,
      version: expect.stringMatching(/^"/) as string,
    });
    expect(source).not.toHaveProperty('sha256');
  });

  it('is verified, and read where it is compressed, as a local one is', async () => {
    const { stdout } = await regtar(['verify', `${nginx.url}/files/docker.tar`, '--json']);
    const near = JSON.parse((await regtar(['verify', fixturePath, '--json'])).stdout) as object;
    expect(JSON.parse(stdout)).toEqual({ ...near, seconds: expect.any(Number) as number });
    expect((await regtarDone(['list', `${nginx.url}/files/docker.tar.gz`])).stdout).toBe(local);
  });

  it('takes user and password, a token, and user info of the address, and shows none of them', async () => {
    const report = folder.file('basic.json');
    const byUser = ['--source-username', 'reader', '--source-password-file', folder.file('password')];
    const runs = [
      await regtarDone(['list', '-v', `${nginx.url}/basic/docker.tar`, ...byUser]),
      await regtarDone([
        'list',
        '-v',
        `${nginx.url}/bearer/docker.tar?key=${password}`,
        '--source-password-file',
        folder.file('password'),
      ]),
      await regtarDone(['list', '-v', `${nginx.url.replace('//', `//reader:${password}@`)}/basic/docker.tar`]),
    ];
    for (const { stdout } of runs) expect(stdout).toBe(local);
    runs.push(
      await regtar([
        'list',
        '-v',
        `${nginx.url.replace('//', `//reader:x${password}@`)}/basic/docker.tar?key=${password}`,
      ]),
      await regtarDone([
        'export',
        `${nginx.url.replace('//', `//reader:${password}@`)}/basic/docker.tar?key=${password}`,
        folder.file('secret'),
        '--json',
        '--report',
        report,
      ]),
    );
    expect(runs[3]?.code).toBe(1);
    expect(runs[3]?.stderr).toMatch(
      /SOURCE_DENIED: http:\/\/127\.0\.0\.1:\d+\/basic\/docker\.tar is refused \(401\)\n/,
    );
    const everything = [...runs.flatMap(({ stdout, stderr }) => [stdout, stderr]), readFileSync(report, 'utf8')].join(
      '\n',
    );
    expect(everything).not.toContain(password);
  });

  it('follows redirects, and keeps credentials to the host that they are for', async () => {
    const { stdout } = await regtarDone(['list', `${nginx.url}/moved/docker.tar`]);
    expect(stdout).toBe(local);
    const moved = nginx.requests().filter(({ path }) => path.startsWith('/moved/'));
    expect(moved.length).toBe(1);
  });

  it('trusts an authority that is named, and no other', async () => {
    const address = `${nginx.tlsUrl}/files/docker.tar`;
    expect((await regtarDone(['list', address, '--source-ca-file', authority])).stdout).toBe(local);
    const refused = await regtar(['list', address]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/SOURCE_UNREACHABLE: .* has a certificate that is not trusted/);
    expect(refused.stderr).toMatch(/--source-ca-file/);
  });

  it('goes through a proxy', async () => {
    const { proxy, seen } = await startForwardProxy(nginx.url);
    const address = 'http://files.example/files/docker.tar';
    try {
      const env = { http_proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
      expect((await regtarDone(['list', address, '--plain-http'], { env })).stdout).toBe(local);
      expect(seen).toContain(address);
      const refused = await regtar(['list', address], { env });
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/would be read without encryption/)]);
    } finally {
      proxy.close();
    }
  });

  it.each([
    ['whole', 'docker.tar', 'SOURCE_NO_RANGES', /answers every request with the whole file/],
    ['packed', 'docker.tar', 'SOURCE_NO_RANGES', /compresses its answers \(Content-Encoding: gzip\)/],
    ['files', 'nothing.tar', 'SOURCE_NOT_FOUND', /does not exist \(404\)/],
    ['files', 'empty.tar', 'SOURCE_EMPTY', /is empty/],
    ['basic', 'docker.tar', 'SOURCE_DENIED', /is refused \(401\)/],
  ])('%s/%s is refused in clear words', async (place, name, code, message) => {
    await expect(open(`${nginx.url}/${place}/${name}`)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  it('is read in one piece where a server has no ranges and curl pipes it', async () => {
    const { bytes } = await run('curl', ['-s', `${nginx.url}/whole/docker.tar`]);
    expect((await regtarDone(['list', '-'], { input: bytes })).stdout).toBe(local);
  });

  it('has an index here, with which a second command reads no header again', async () => {
    const index = folder.file('docker.index');
    const address = `${nginx.url}/files/docker.tar`;
    expect((await regtar(['index', address])).stderr).toMatch(/USAGE: the index of .* cannot lie beside it/);
    await regtarDone(['index', `${address}?key=${password}`, '--index-file', index]);
    expect(readFileSync(index, 'latin1')).not.toContain(password);
    const before = nginx.requests().length;
    expect((await regtarDone(['list', address, '--index-file', index])).stdout).toBe(local);
    expect(nginx.requests().length - before).toBe(1);
    writeFileSync(`${root}/other.tar`, readFileSync(fixturePath));
    const other = await regtarDone(['list', `${nginx.url}/files/other.tar`, '--index-file', index]);
    expect([other.stdout, other.stderr]).toEqual([local, expect.stringMatching(/INDEX_STALE/)]);
    rmSync(`${root}/other.tar`);
  });

  it('notices that it changed, or went, while it was read', async () => {
    for (const change of [
      () => writeFileSync(`${root}/changing.tar`, Buffer.concat([readFileSync(fixturePath), Buffer.alloc(512)])),
      () => rmSync(`${root}/changing.tar`),
    ]) {
      cpSync(fixturePath, `${root}/changing.tar`);
      const { backup, catalog, store } = await open(`${nginx.url}/files/changing.tar`);
      change();
      const sizeOf = (blob: Digest): number => store.stat(blob)?.size ?? 0;
      // A layer: manifests and configs have come with the headers.
      const [digest] = [...catalog.blobs()].sort((left, right) => sizeOf(right) - sizeOf(left));
      await expect(collectBody(store.open(digest!), Infinity)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
      await backup.close();
    }
    if (existsSync(`${root}/changing.tar`)) rmSync(`${root}/changing.tar`);
  });

  const now = { kind: 'answer', status: 503, headers: { 'Retry-After': '0' } } as const;
  it.each<[string, FaultRule[]]>([
    ['bodies cut', [{ nth: (n) => n > 2 && n % 5 === 0, fault: { kind: 'truncate', bytes: 3000 } }]],
    ['resets in answers', [{ nth: (n) => n % 7 === 0, fault: { kind: 'reset', when: 'in-answer', bytes: 500 } }]],
    [
      '500 and 503',
      [
        { nth: (n) => n % 4 === 0, fault: { kind: 'answer', status: 500 } },
        { nth: (n) => n % 9 === 0, fault: now },
      ],
    ],
    ['a refusal to connect', [{ nth: (n) => n % 6 === 0, fault: { kind: 'reset', when: 'before-body' } }]],
  ])('is read whole through %s', async (_title, rules) => {
    const proxy = await startFaultProxy(nginx.url, rules);
    try {
      const whole = await readAll(`${nginx.url}/files/docker.tar`);
      expect(await readAll(`${proxy.url}/files/docker.tar`)).toBe(whole);
      expect(proxy.requests.some(({ fault }) => fault !== undefined)).toBe(true);
    } finally {
      await proxy.stop();
    }
  });

  it('gives up on a server that never recovers, and says how often it tried', async () => {
    const proxy = await startFaultProxy(nginx.url, [{ fault: { kind: 'answer', status: 503 } }]);
    await expect(open(`${proxy.url}/files/docker.tar`, { ...quick, password: new Secret('x1') })).rejects.toMatchObject(
      {
        code: 'SOURCE_UNREACHABLE',
        message: expect.stringMatching(/answers 503; given up after 4 attempts/) as string,
      },
    );
    await proxy.stop();
  });
});

/** A proxy that sends every address to one server. */
async function startForwardProxy(target: string): Promise<{ proxy: Server; seen: string[] }> {
  const seen: string[] = [];
  const proxy = createServer((incoming, outgoing) => {
    seen.push(incoming.url ?? '');
    const { pathname } = new URL(incoming.url ?? '');
    request(`${target}${pathname}`, { headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    }).end();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return { proxy, seen };
}
