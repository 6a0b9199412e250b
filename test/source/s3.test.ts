import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { openContentStore } from '../../src/formats/content-store.ts';
import { collectBody } from '../../src/io/body.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { FarAccess } from '../../src/source/far/access.ts';
import { sourceWords } from '../../src/source/far/source-words.ts';
import { openSource } from '../../src/source/open-source.ts';
import { parseBucketAddress } from '../../src/s3/address.ts';
import { openBucket, type Bucket } from '../../src/s3/bucket.ts';
import { regtar, regtarDone } from '../e2e/support/regtar.ts';
import { startFaultProxy, type FaultRule } from '../support/fault-proxy.ts';
import { fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { readLayout } from '../support/read-layout.ts';
import { startRegistry } from '../support/start-registry.ts';
import { startVersitygw, type S3Server } from '../support/start-versitygw.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const slowDown =
  '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>';
const expired = '<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>The token is over.</Message></Error>';

describeWith(['versitygw', 'docker-registry'], 'a bucket as SOURCE', () => {
  const folder = temporaryFolder();
  let server: S3Server;
  let bucket: Bucket;
  let local: string;

  const far = (env: Readonly<Record<string, string>> = server.env): FarAccess => ({
    retry: { times: 3, delaySeconds: 0.01 },
    env,
  });
  const open = async (address: string, access = far()) => {
    const backup = await openSource([address], { far: access });
    const catalog = await readCatalog(backup);
    return { backup, catalog, store: openContentStore(backup, catalog) };
  };
  const readAll = async (address: string): Promise<readonly string[]> => {
    const { backup, catalog, store } = await open(address);
    const found: string[] = [];
    for (const digest of catalog.blobs()) {
      const bytes = await collectBody(store.open(digest), Number.MAX_SAFE_INTEGER);
      if (digest.startsWith('sha256:')) expect(digestOf(bytes)).toBe(digest);
      found.push(digest);
    }
    await backup.close();
    return found.sort();
  };
  const at = (path: string, endpoint = server.url): string => `s3://registry/${path}?endpoint=${endpoint}`;

  beforeAll(async () => {
    server = await startVersitygw(['registry']);
    bucket = openBucket(parseBucketAddress(`s3://registry?endpoint=${server.url}`), {
      words: sourceWords,
      codes: { missing: 'SOURCE_NOT_FOUND', denied: 'SOURCE_DENIED', refused: 'SOURCE_UNREADABLE' },
      env: server.env,
    });
    // The registry itself writes what is read here.
    const registry = await startRegistry({
      s3: { endpoint: server.url, bucket: 'registry', prefix: 'some/where', ...server },
    });
    await regtarDone(['push', fixturePath, registry.host, '--untagged']);
    await registry.stop();
    await bucket.request({ method: 'PUT', key: 'docker.tar', body: readFileSync(fixturePath) });
    local = tagsOf((await regtarDone(['list', fixturePath])).stdout);
  }, 60_000);
  afterAll(async () => {
    await bucket.close();
    await server.stop();
    folder.remove();
  });

  it('is listed like the backup that was pushed, by endpoint of address, option or environment', async () => {
    const { env, url } = server;
    const inEnvironment = { ...env, AWS_ENDPOINT_URL_S3: url };
    expect(tagsOf((await regtarDone(['list', at('some/where')], { env })).stdout)).toBe(local);
    const named = ['list', 's3://registry/some/where/', '--s3-endpoint', url];
    expect(tagsOf((await regtarDone(named, { env })).stdout)).toBe(local);
    const tar = await regtarDone(['list', 's3://registry/docker.tar'], { env: inEnvironment });
    expect(tagsOf(tar.stdout)).toBe(local);
  });

  it('is exported like a folder', async () => {
    const { env } = server;
    await regtarDone(['export', at('some/where'), folder.file('far'), '--report', folder.file('report.json')], { env });
    await regtarDone(['export', fixturePath, folder.file('near')]);
    const { files } = await readLayout(folder.file('near'));
    expect((await readLayout(folder.file('far'))).files).toEqual(expect.arrayContaining([...files]));
    const report = readFileSync(folder.file('report.json'), 'utf8');
    expect(report).toContain('"s3://registry/some/where"');
    expect(report).not.toContain(server.url);
  });

  it('is verified, links included', async () => {
    const { stdout, code } = await regtar(['verify', at('some/where'), '--json'], { env: server.env });
    expect([code, (JSON.parse(stdout) as { problems: unknown[] }).problems]).toEqual([0, []]);
  });

  it('takes keys of a profile, and names what is wrong with them', async () => {
    mkdirSync(folder.file('home', '.aws'), { recursive: true });
    writeFileSync(
      folder.file('home', '.aws', 'credentials'),
      `[other]\naws_access_key_id=x\n[team]\naws_access_key_id = ${server.accessKey}\naws_secret_access_key = ${server.secretKey}\n`,
    );
    writeFileSync(
      folder.file('home', '.aws', 'config'),
      `[profile team]\nregion = us-east-1\nendpoint_url = ${server.url}\n`,
    );
    const env = { HOME: folder.file('home'), AWS_PROFILE: 'team' };
    expect(tagsOf((await regtarDone(['list', 's3://registry/some/where'], { env })).stdout)).toBe(local);
    const half = await regtar(['list', at('x')], { env: { HOME: folder.file('home'), AWS_PROFILE: 'other' } });
    expect(half.stderr).toMatch(/CREDENTIALS_INVALID: .*profile other has only one of/);
    const none = await regtar(['list', at('some/where'), '--retry-times', '0']);
    expect(none.stderr).toMatch(/SOURCE_DENIED: .*\n.*no credentials were found/);
    const wrong = { ...server.env, AWS_SECRET_ACCESS_KEY: 'wrong-but-long-enough' };
    const { stderr } = await regtar(['list', at('some/where')], { env: wrong });
    expect(stderr).toMatch(/SOURCE_DENIED: .*SignatureDoesNotMatch/);
    expect(stderr).not.toContain('wrong-but-long-enough');
  });

  it.each([
    ['registry', 'nothing/here', 'SOURCE_NOT_REGISTRY'],
    ['not-there', 'some/where', 'SOURCE_NOT_FOUND'],
  ])('s3://%s/%s is %s', async (name, key, code) => {
    await expect(open(`s3://${name}/${key}?endpoint=${server.url}`)).rejects.toMatchObject({ code });
  });

  it('names the region of a bucket that lies in another one', async () => {
    const proxy = await startFaultProxy(server.url);
    const body =
      '<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong</Message>' +
      '<Region>eu-central-1</Region></Error>';
    proxy.add({ path: /list-type/, fault: { kind: 'answer', status: 400, body } });
    await expect(open(at('some/where', proxy.url))).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      hint: 'the bucket is in another region: AWS_REGION=eu-central-1',
    });
    await proxy.stop();
  });

  it('asks for each page, each manifest and each config once, and for no link whose ETag says what it holds', async () => {
    const proxy = await startFaultProxy(server.url);
    const { backup, catalog } = await open(at('some/where', proxy.url));
    const paths = proxy.requests.filter(({ method }) => method === 'GET').map(({ path }) => path);
    const listings = paths.filter((path) => path.includes('list-type=2'));
    // The tree is looked for once; blobs and repositories fit into a page each.
    expect(listings.length).toBeLessThanOrEqual(4);
    const objects = paths.filter((path) => !path.includes('list-type=2'));
    expect(new Set(objects).size).toBe(objects.length);
    expect(objects.filter((path) => path.endsWith('/link'))).toEqual([]);
    expect([...catalog.repositories()].length).toBeGreaterThan(3);
    await backup.close();
    await proxy.stop();
  });

  const broken = {
    kind: 'answer',
    status: 503,
    headers: { 'Content-Type': 'application/xml' },
    body: slowDown,
  } as const;
  it.each<[string, FaultRule[]]>([
    ['bodies cut', [{ path: /data$/, nth: (n) => n % 5 === 0, fault: { kind: 'truncate', bytes: 100 } }]],
    ['SlowDown', [{ nth: (n) => n % 4 === 0, fault: broken }]],
    ['500', [{ nth: (n) => n % 6 === 0, fault: { kind: 'answer', status: 500 } }]],
    ['resets', [{ nth: (n) => n % 7 === 0, fault: { kind: 'reset', when: 'before-body' } }]],
  ])('is read whole through %s', async (_title, rules) => {
    const proxy = await startFaultProxy(server.url, rules);
    try {
      expect(await readAll(at('some/where', proxy.url))).toEqual(await readAll(at('some/where')));
      expect(proxy.requests.some(({ fault }) => fault !== undefined)).toBe(true);
    } finally {
      await proxy.stop();
    }
  });

  it('says that credentials ended in the middle, and that an object vanished', async () => {
    const proxy = await startFaultProxy(server.url);
    const { backup, catalog, store } = await open(at('some/where', proxy.url));
    const [digest] = [...catalog.blobs()].filter((blob) => (store.stat(blob)?.size ?? 0) > 100);
    proxy.add({ path: /data$/, fault: { kind: 'answer', status: 400, body: expired } });
    await expect(collectBody(store.open(digest!), Infinity)).rejects.toMatchObject({
      code: 'SOURCE_DENIED',
      hint: expect.stringMatching(/get new ones/) as string,
    });
    proxy.heal();
    proxy.add({ path: /data$/, fault: { kind: 'answer', status: 404 } });
    await expect(collectBody(store.open(digest!), Infinity)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    await backup.close();
    await proxy.stop();
  });

  it('has a clock, LastModified of its tags, by which tags are chosen', async () => {
    const times = { old: '2023-03-01T12:00:00Z', newer: '2024-06-01T12:00:00Z', newest: '2025-09-01T12:00:00Z' };
    const storage = buildStorage((s) => Object.keys(times).forEach((tag) => s.image('team/app', tag)));
    const place = join(server.folder, 'registry/times');
    await storage.writeTo(place);
    for (const [tag, time] of Object.entries(times)) {
      const link = join(place, 'docker/registry/v2', storagePaths.currentLink('team/app', tag));
      utimesSync(link, new Date(time), new Date(time));
    }
    const chosen = async (...args: string[]): Promise<string> =>
      (await regtarDone(['list', at('times'), ...args], { env: server.env })).stdout;
    expect(await chosen('--since', '2024-01-01')).toBe('team/app:newer\nteam/app:newest\n');
    expect(await chosen('--until', '2024-12-31')).toBe('team/app:newer\nteam/app:old\n');
    expect(await chosen('--newest', '1')).toBe('team/app:newest\n');
    expect(await chosen('--newest', '1', '--until', '2024-12-31')).toBe('team/app:newer\n');
  });

  it('is pushed through, with blobs that are verified', async () => {
    const registry = await startRegistry();
    await regtarDone(['push', at('some/where'), registry.host], { env: server.env, cwd: folder.path });
    const { stdout } = await regtarDone(['list', registry.storage]);
    expect(tagsOf(stdout)).toBe(local);
    await registry.stop();
  });
});

/** A registry without referrers is given a fallback tag by whoever pushes one. */
function tagsOf(stdout: string): string {
  return stdout.replaceAll(/^.*:sha256-[0-9a-f]{64}\n/gm, '');
}
