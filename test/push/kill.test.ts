import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { forEachParallel } from '../../src/io/parallel.ts';
import { startHarborDouble } from '../harbor/double/start.ts';
import { startFaultProxy, type FaultProxy, type ProxiedRequest } from '../support/fault-proxy.ts';
import { generateBackup, type GeneratedBackup } from '../support/generate-backup.ts';
import { describeWith } from '../support/peers.ts';
import { startNginx } from '../support/start-nginx.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { readBack } from './support/compare.ts';
import { push, statuses } from './support/regtar.ts';
import { startPush } from './support/start-push.ts';

const folder = temporaryFolder();
let backup: GeneratedBackup;
/** Large enough for a journal, nearly all of it a hole. */
let large: GeneratedBackup;
const largeBytes = 140_000_000;
let registry: Registry;
let undisturbed: ReadonlyMap<string, string>;
/** Requests of a push that nobody disturbs. */
let requests = 0;

beforeAll(async () => {
  backup = generateBackup(
    {
      name: 'kill',
      images: 10,
      repositories: 4,
      bytes: 3_000_000,
      baseImages: 1,
      multiArchRatio: 0.2,
      largestLayer: 700_000,
      seed: 11,
    },
    folder.path,
  );
  large = generateBackup(
    {
      name: 'large',
      images: 2,
      repositories: 1,
      bytes: 200_000,
      baseImages: 1,
      multiArchRatio: 0,
      holeBytes: largeBytes,
    },
    folder.path,
  );
  registry = await startRegistry();
  const proxy = await proxyTo(registry.url);
  expect((await push(backup.file, `${proxy.host}/undisturbed`)).code).toBe(0);
  requests = proxy.requests.length;
  undisturbed = await readBack(registry, 'undisturbed/');
  expect(undisturbed.size).toBe(backup.images);
  await proxy.stop();
});
afterAll(async () => {
  await registry.stop();
  folder.remove();
});

const proxyTo = (url: string): Promise<FaultProxy> => startFaultProxy(url);

async function until(condition: () => boolean, seconds = 30): Promise<void> {
  for (const end = performance.now() + seconds * 1000; !condition(); await sleep(2))
    if (performance.now() > end) throw new Error('it never came to that');
}

/** Blobs that a registry has confirmed, by repository and digest, with their bytes. */
function confirmed(seen: readonly ProxiedRequest[]): Map<string, number> {
  const blobs = new Map<string, number>();
  for (const { method, path, status, bytes } of seen) {
    const [, repository, digest] = /^\/v2\/(.+)\/blobs\/uploads\/.*[?&]digest=([^&]+)/.exec(path) ?? [];
    if (method === 'PUT' && status === 201 && repository !== undefined && digest !== undefined)
      blobs.set(`${repository}@${digest}`, bytes);
  }
  return blobs;
}

const sent = (seen: readonly ProxiedRequest[]): number =>
  seen
    .filter(({ method, path }) => (method === 'PUT' || method === 'PATCH') && path.includes('/blobs/'))
    .reduce((sum, { bytes }) => sum + bytes, 0);

describe('killed and run again', () => {
  it('twenty times, each at another moment, it ends as if nobody had killed it and sends nothing twice', async () => {
    const seed = Date.now() % 1_000_000;
    const moments = Array.from(
      { length: 20 },
      (_, number) => 4 + Math.floor(((number + fraction(seed + number)) / 20) * (requests - 4)),
    );
    let killed = 0;
    await forEachParallel(
      moments.map((moment, number) => ({ moment, number })),
      3,
      async ({ moment, number }) => {
        const proxy = await proxyTo(registry.url);
        const target = `${proxy.host}/kill${number}`;
        const first = startPush(backup.file, target, ['--state', folder.file(`state${number}.json`)]);
        const watch = until(() => proxy.requests.length >= moment).then(() => first.kill('SIGKILL'));
        const { code } = await first.ended;
        await watch;
        if (code === 137) killed++;
        // What the registry was doing when the client died it may do to its end.
        await sleep(50);
        const before = confirmed(proxy.requests);
        const asked = proxy.requests.length;
        const again = await push(backup.file, target, { args: ['--state', folder.file(`state${number}.json`)] });
        expect([again.code, again.report.images.length], `moment ${moment} of ${requests}, seed ${seed}`).toEqual([
          0,
          backup.images,
        ]);
        expect(await readBack(registry, `kill${number}/`)).toEqual(undisturbed);
        const twice = [...confirmed(proxy.requests.slice(asked)).keys()].filter((blob) => before.has(blob));
        expect(twice, `moment ${moment} of ${requests}, seed ${seed}`).toEqual([]);
        await proxy.stop();
      },
    );
    // The last moments may come after its end.
    expect(killed).toBeGreaterThanOrEqual(17);
  });
});

describe('a large blob', () => {
  const journal = (): string => `${large.file}.push-state.json`;
  const chunk = 32 * 1024 * 1024;

  /** Kills it when two pieces are confirmed and the third has begun, after `bytes` of it. */
  async function killedInTheThird(proxy: FaultProxy, name: string, bytes: number): Promise<void> {
    proxy.add({ method: 'PATCH', nth: 3, fault: { kind: 'stall', when: 'request', bytes } });
    const first = startPush(large.file, `${proxy.host}/${name}`);
    await until(() => proxy.requests.some(({ fault }) => fault === 'stall'));
    expect(readFileSync(journal(), 'utf8')).toContain(`"offset": ${2 * chunk}`);
    await sleep(100);
    first.kill('SIGKILL');
    await first.ended;
    await sleep(50);
  }

  it('goes on inside its upload session after a kill', async () => {
    const proxy = await proxyTo(registry.url);
    onTestFinished(() => proxy.stop());
    await killedInTheThird(proxy, 'resumed', 0);
    expect(statSync(journal()).mode & 0o077).toBe(0);
    const asked = proxy.requests.length;
    const again = await push(large.file, `${proxy.host}/resumed`);
    expect(again.code).toBe(0);
    expect(await readBack(registry, 'resumed/')).toHaveProperty('size', 2);
    expect(sent(proxy.requests.slice(asked))).toBeLessThanOrEqual(largeBytes - 2 * chunk + 300_000);
    expect(existsSync(journal())).toBe(false);
  });

  it('is sent again where the registry cannot go on from the middle of a piece', async () => {
    const proxy = await proxyTo(registry.url);
    onTestFinished(() => proxy.stop());
    // Distribution takes bytes of a piece that breaks, gives no Location for them, and drops the upload that is asked for with an older one.
    await killedInTheThird(proxy, 'broken', 5_000_000);
    expect((await push(large.file, `${proxy.host}/broken`)).code).toBe(0);
    expect(await readBack(registry, 'broken/')).toHaveProperty('size', 2);
    expect(existsSync(journal())).toBe(false);
  });

  it('is sent again when the journal is lost', async () => {
    const proxy = await proxyTo(registry.url);
    onTestFinished(() => proxy.stop());
    await killedInTheThird(proxy, 'forgotten', 0);
    rmSync(journal());
    expect((await push(large.file, `${proxy.host}/forgotten`)).code).toBe(0);
    expect(await readBack(registry, 'forgotten/')).toHaveProperty('size', 2);
  });

  it('outlives a restart of the registry', async () => {
    const own = temporaryFolder();
    onTestFinished(() => own.remove());
    let server = await startRegistry({ storage: own.path });
    const proxy = await proxyTo(server.url);
    onTestFinished(() => proxy.stop());
    const running = startPush(large.file, `${proxy.host}/restart`, ['--retry-delay', '0.3']);
    await until(() => proxy.requests.filter(({ method, status }) => method === 'PATCH' && status === 202).length >= 2);
    await server.stop();
    await sleep(500);
    server = await startRegistry({ storage: own.path, port: server.port });
    onTestFinished(() => server.stop());
    expect(await running.ended).toMatchObject({ code: 0 });
    expect(await readBack(server, 'restart/')).toHaveProperty('size', 2);
    // Begun again at most once.
    expect(sent(proxy.requests)).toBeLessThan(2 * largeBytes);
  });

  it('outlives its token: a fresh one goes on in the same session', async () => {
    const harbor = await startHarborDouble({ tokenLifeSeconds: 3, tokenLeewaySeconds: 0 });
    onTestFinished(() => harbor.stop());
    const proxy = await proxyTo(harbor.url);
    onTestFinished(() => proxy.stop());
    proxy.add({ method: 'PATCH', nth: [2, 3], fault: { kind: 'stall', when: 'answer', milliseconds: 3100 } });
    const result = await push(large.file, `${proxy.host}/token`, { account: harbor.admin });
    expect([result.code, statuses(result)]).toEqual([0, { copied: 2 }]);
    expect(await readBack({ url: harbor.url, ...harbor.admin }, 'token/')).toHaveProperty('size', 2);
    expect(sent(proxy.requests)).toBeLessThan(largeBytes + chunk);
    expect(proxy.count({ path: /^\/service\/token/ })).toBeGreaterThanOrEqual(3);
  });
});

describeWith('nginx', 'a large blob from a web server', () => {
  it('goes on inside its upload session, which a journal in the working directory remembers', async () => {
    const nginx = await startNginx({ root: dirname(large.file) });
    onTestFinished(() => nginx.stop());
    const proxy = await proxyTo(registry.url);
    onTestFinished(() => proxy.stop());
    const chunk = 32 * 1024 * 1024;
    const working = temporaryFolder();
    onTestFinished(() => working.remove());
    for (const [name, args, journal] of [
      ['far', [], working.file(`${basename(large.file)}.push-state.json`)],
      ['far-named', ['--state', working.file('named.json')], working.file('named.json')],
    ] as const) {
      proxy.heal();
      proxy.add({ method: 'PATCH', nth: 3, fault: { kind: 'stall', when: 'request', bytes: 0 } });
      const before = proxy.requests.length;
      const source = `${nginx.url}/files/${basename(large.file)}?signature=secret`;
      const first = startPush(source, `${proxy.host}/${name}`, args, working.path);
      await until(() => proxy.requests.slice(before).some(({ fault }) => fault === 'stall'));
      const kept = readFileSync(journal, 'utf8');
      expect([kept.includes(`"offset": ${2 * chunk}`), kept.includes('secret')]).toEqual([true, false]);
      await sleep(100);
      first.kill('SIGKILL');
      await first.ended;
      await sleep(50);
      const asked = proxy.requests.length;
      const again = await push(source, `${proxy.host}/${name}`, { args, run: { cwd: working.path } });
      expect(again.code).toBe(0);
      expect(await readBack(registry, `${name}/`)).toHaveProperty('size', 2);
      expect(sent(proxy.requests.slice(asked))).toBeLessThanOrEqual(largeBytes - 2 * chunk + 300_000);
      expect(existsSync(journal)).toBe(false);
    }
  });
});

describe('Ctrl-C', () => {
  it('ends with 130 at once although the registry is silent; the next run finishes', async () => {
    const proxy = await proxyTo(registry.url);
    onTestFinished(() => proxy.stop());
    proxy.add({ method: 'PUT', nth: (n) => n > 10, fault: { kind: 'stall', when: 'answer' } });
    const first = startPush(backup.file, `${proxy.host}/interrupted`);
    await until(() => proxy.requests.some(({ fault }) => fault === 'stall'));
    const begun = performance.now();
    first.kill('SIGINT');
    const { code, stderr } = await first.ended;
    expect([code, stderr]).toEqual([
      130,
      expect.stringMatching(
        /regtar: INTERRUPTED: .*\nhint: what was finished stays valid; run the same command again to continue\n$/,
      ),
    ]);
    expect(performance.now() - begun).toBeLessThan(3000);
    proxy.heal();
    expect((await push(backup.file, `${proxy.host}/interrupted`)).code).toBe(0);
    expect(await readBack(registry, 'interrupted/')).toEqual(undisturbed);
  });

  it('twice ends whatever is under way', async () => {
    const proxy = await proxyTo(registry.url);
    onTestFinished(() => proxy.stop());
    proxy.add({ fault: { kind: 'stall', when: 'answer' } });
    const running = startPush(backup.file, proxy.host);
    await until(() => proxy.requests.length > 0);
    running.kill('SIGINT');
    running.kill('SIGINT');
    expect(await running.ended).toMatchObject({ code: 130 });
  });
});

/** A number between 0 and 1 that a failed run's seed gives again. */
function fraction(seed: number): number {
  const value = Math.sin(seed) * 10_000;
  return value - Math.floor(value);
}
