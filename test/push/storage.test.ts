import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { mergeReports } from '../../src/report/merge-reports.ts';
import { readReport } from '../../src/report/read-report.ts';
import { collectGarbage } from '../support/collect-garbage.ts';
import { expected, fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { startRegistry, type Registry, type RegistryOptions } from '../support/start-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { readBack } from './support/compare.ts';
import { startPush } from './support/start-push.ts';
import { failures, push, statuses } from './support/regtar.ts';

const folder = temporaryFolder();
const ofFixture = new Map(expected.tags.map(({ repository, tag, digest }) => [`${repository}:${tag}`, digest]));
const v2 = 'docker/registry/v2';
let unpacked: string;
let turn = 0;

beforeAll(async () => {
  unpacked = folder.file('unpacked');
  mkdirSync(unpacked);
  await run('tar', ['-xf', fixturePath, '-C', unpacked]);
});
afterAll(() => folder.remove());

async function freshRegistry(options: RegistryOptions = {}, onEnd = onTestFinished): Promise<Registry> {
  const storage = options.storage ?? folder.file(`storage-${turn++}`);
  mkdirSync(storage, { recursive: true });
  const registry = await startRegistry({ accessLog: true, ...options, storage });
  onEnd(() => registry.stop());
  return registry;
}

/** The fixture without the fallback tag that a registry without the referrers API gets. */
async function images(registry: Registry, prefix = ''): Promise<Map<string, string>> {
  const found = await readBack(registry, prefix);
  for (const name of found.keys()) if (!ofFixture.has(name)) found.delete(name);
  return found;
}

function filesBelow(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .sort();
}

function blobFile(storage: string, digest: string): string {
  const hex = digest.slice('sha256:'.length);
  return join(storage, v2, 'blobs/sha256', hex.slice(0, 2), hex, 'data');
}

/** A layer of an image of the fixture that no other image has. */
function ownBlob(): string {
  const digest = ofFixture.get('tools/hello:edge') ?? '';
  const manifest = JSON.parse(readFileSync(blobFile(unpacked, digest), 'utf8')) as { config: { digest: string } };
  return manifest.config.digest;
}

const uploads = (registry: Registry): unknown[] =>
  registry.requests().filter(({ path }) => path.includes('/blobs/uploads/'));

describe.each(['docker-registry', 'distribution'] as const)('into the storage of %s', (software) => {
  describeWith(software, 'placing', () => {
    it('places blobs, sends manifests only, and everything is served', async () => {
      const registry = await freshRegistry({ software });
      const result = await push(fixturePath, registry.host, { args: ['--storage', registry.storage, '--verify'] });
      expect(result.stderr).not.toMatch(/regtar:|Warning/);
      expect([result.code, statuses(result)]).toEqual([0, { copied: expected.tags.length + 1 }]);
      expect(result.report.blobs.placed).toBeGreaterThan(30);
      expect(uploads(registry)).toEqual([]);
      expect(await images(registry)).toEqual(ofFixture);
      expect(readdirSync(registry.storage)).toEqual(['docker']);
      const stdout = await collectGarbage(software, registry.storage);
      expect(stdout).toContain('0 blobs and 0 manifests eligible for deletion');
      // A registry that starts anew remembers nothing but its storage.
      await registry.stop();
      const again = await freshRegistry({ software, storage: registry.storage });
      expect(await images(again)).toEqual(ofFixture);
      const second = await push(fixturePath, again.host, { args: ['--storage', registry.storage] });
      expect([second.code, statuses(second), second.report.blobs.placed]).toEqual([
        0,
        { present: expected.tags.length + 1 },
        undefined,
      ]);
    });

    it('takes a moved storage over where it lies, under new names and without a byte', async () => {
      const storage = folder.file(`moved-${turn++}`);
      cpSync(unpacked, storage, { recursive: true });
      const before = filesBelow(join(storage, v2, 'blobs'));
      const registry = await freshRegistry({ software, storage });
      const result = await push(storage, `${registry.host}/moved`, { args: ['--in-place', '--storage', storage] });
      expect(result.stderr).not.toMatch(/regtar:/);
      expect([result.code, result.report.blobs.placed]).toEqual([0, undefined]);
      expect(uploads(registry)).toEqual([]);
      expect(await images(registry, 'moved/')).toEqual(ofFixture);
      // A registry without the referrers API gets a list of referrers, which is a manifest.
      expect(filesBelow(join(storage, v2, 'blobs')).filter((file) => !before.includes(file)).length).toBeLessThan(2);
    });

    it('without the storage at hand, in place names what the registry does not know', async () => {
      const storage = folder.file(`moved-${turn++}`);
      cpSync(unpacked, storage, { recursive: true });
      for (const repository of ofFixture.keys())
        rmSync(join(storage, v2, 'repositories', repository.split(':')[0] ?? '', '_manifests'), {
          recursive: true,
          force: true,
        });
      const registry = await freshRegistry({ software, storage });
      const same = await push(fixturePath, registry.host, { args: ['--in-place'] });
      expect([same.code, failures(same)]).toEqual([0, {}]);
      expect(await images(registry)).toEqual(ofFixture);
      const other = await push(fixturePath, `${registry.host}/other`, {
        args: ['--in-place', '--include', 'tools/hello'],
      });
      expect(other.code).toBe(1);
      expect(new Set(Object.values(failures(other)))).toEqual(new Set(['TARGET_BLOB_MISSING']));
      expect(other.stderr).toMatch(/sha256:[0-9a-f]{64}/);
      expect(uploads(registry)).toEqual([]);
    });

    it('a folder of another registry: takes back what it made, and says where to look', async () => {
      const registry = await freshRegistry({ software });
      const other = folder.file(`other-${turn++}`);
      cpSync(unpacked, other, { recursive: true });
      for (const each of filesBelow(join(other, v2, 'blobs')).slice(0, 20)) rmSync(join(other, v2, 'blobs', each));
      const before = filesBelow(other);
      const result = await push(fixturePath, `${registry.host}/new`, { args: ['--storage', other] });
      expect(result.code).toBe(2);
      expect(result.stderr).toMatch(/STORAGE_NOT_TARGET: .*is not the storage that .* serves/);
      expect(result.stderr).toContain('rootdirectory');
      expect(filesBelow(other)).toEqual(before);
      expect(uploads(registry)).toEqual([]);
    });

    it('what the backup lacks is mounted from where the target has it; what nobody has is named first', async () => {
      const registry = await freshRegistry({ software });
      const delta = folder.file(`delta-${turn++}.tar`);
      const digests = folder.file(`digests-${turn++}`);
      await regtar(
        'export',
        fixturePath,
        folder.file(`base-${turn}.tar`),
        '--format',
        'registry',
        '--include',
        'base',
        '--save-digests',
        digests,
      );
      await regtar('export', fixturePath, delta, '--format', 'registry', '--base', digests);
      const plan = await push(delta, `${registry.host}/p`, { args: ['--dry-run'] });
      expect(plan.code).toBe(3);
      expect(plan.report.estimate?.lacking?.nowhere.blobs).toBeGreaterThan(0);
      const alone = await push(delta, `${registry.host}/p`);
      expect(alone.code).toBe(3);
      expect(new Set(Object.values(failures(alone)))).toEqual(new Set(['BLOB_MISSING']));
      expect((await push(fixturePath, `${registry.host}/p`, { args: ['--include', 'base'] })).code).toBe(0);
      const whole = await push(delta, `${registry.host}/p`, { args: ['--verify'] });
      expect([whole.code, failures(whole)]).toEqual([0, {}]);
      expect(await images(registry, 'p/')).toEqual(ofFixture);
      const planned = await push(delta, `${registry.host}/q`, { args: ['--dry-run', '--storage', registry.storage] });
      expect(planned.report.estimate?.lacking?.nowhere.blobs).toBe(0);
      const placed = await push(delta, `${registry.host}/q`, { args: ['--storage', registry.storage] });
      expect([placed.code, failures(placed)]).toEqual([0, {}]);
      expect(await images(registry, 'q/')).toEqual(ofFixture);
    });

    it('a blob of another size fails its images before their manifests; --repair replaces it', async () => {
      const registry = await freshRegistry({ software });
      expect((await push(fixturePath, registry.host, { args: ['--storage', registry.storage] })).code).toBe(0);
      const digest = ownBlob();
      const file = blobFile(registry.storage, digest);
      const bytes = readFileSync(file);
      truncateSync(file, bytes.length - 1);
      const other = await push(fixturePath, `${registry.host}/x`, { args: ['--storage', registry.storage] });
      expect(other.code).toBe(3);
      expect(new Set(Object.values(failures(other)))).toEqual(new Set(['TARGET_BLOB_DAMAGED']));
      expect(existsSync(join(registry.storage, v2, 'repositories/x/tools/hello/_manifests/tags/edge'))).toBe(false);
      const named = await push(fixturePath, registry.host, { args: ['--repair'] });
      expect(failures(named)).toEqual(failures(other));
      expect(named.stderr).toContain('--storage');
      expect(readFileSync(file).length).toBe(bytes.length - 1);
      const repaired = await push(fixturePath, registry.host, { args: ['--repair', '--storage', registry.storage] });
      expect([repaired.code, failures(repaired)]).toEqual([0, {}]);
      expect(readFileSync(file)).toEqual(bytes);
      // The right size and another byte.
      writeFileSync(file, Buffer.from(bytes.map((byte, index) => (index === 0 ? byte ^ 1 : byte))));
      const trusting = await push(fixturePath, `${registry.host}/y`, { args: ['--storage', registry.storage] });
      expect(trusting.code).toBe(0);
      const looking = await push(fixturePath, `${registry.host}/z`, {
        args: ['--storage', registry.storage, '--verify-storage'],
      });
      expect(new Set(Object.values(failures(looking)))).toEqual(new Set(['TARGET_BLOB_DAMAGED']));
      // A lost file comes back through the API, too.
      rmSync(file);
      const brought = await push(fixturePath, registry.host, { args: ['--repair'] });
      expect([brought.code, failures(brought)]).toEqual([0, {}]);
      expect(readFileSync(file)).toEqual(bytes);
      expect(await images(registry)).toEqual(ofFixture);
    });
  });
});

describeWith('docker-registry', 'a storage', () => {
  it('is filled by hard links, where owner and mode fit', async () => {
    const registry = await freshRegistry();
    const source = folder.file(`source-${turn++}`);
    cpSync(unpacked, source, { recursive: true });
    const odd = blobFile(source, ownBlob());
    await run('chmod', ['600', odd]);
    const result = await push(source, registry.host, { args: ['--storage', registry.storage, '--link'] });
    expect([result.code, failures(result)]).toEqual([0, {}]);
    const linked = filesBelow(join(registry.storage, v2, 'blobs')).filter(
      (file) => statSync(join(registry.storage, v2, 'blobs', file)).nlink > 1,
    );
    expect(linked.length).toBe((result.report.blobs.placed ?? 0) - 1);
    expect(statSync(odd).nlink).toBe(1);
    expect(statSync(blobFile(registry.storage, ownBlob())).mode & 0o777).toBe(0o644);
    expect(await images(registry)).toEqual(ofFixture);
  });

  it.runIf(process.getuid?.() === 0)('keeps its owner and modes, whoever writes', async () => {
    const registry = await freshRegistry();
    expect((await push(fixturePath, registry.host, { args: ['--include', 'base'] })).code).toBe(0);
    await run('sh', ['-c', 'chown -R 12345:23456 "$0" && chmod -R u=rwX,g=rX,o= "$0"', registry.storage]);
    const result = await push(fixturePath, registry.host, { args: ['--storage', registry.storage] });
    expect(result.code).toBe(0);
    const { stdout } = await run('find', [
      join(registry.storage, v2, 'blobs'),
      join(registry.storage, v2, 'repositories/tools/hello/_layers'),
      '-printf',
      '%U:%G %m %y\n',
    ]);
    const kinds = new Set(stdout.trim().split('\n'));
    // The registry itself, which is root here, has written the manifests.
    for (const kind of ['0:0 644 f', '0:0 755 d']) kinds.delete(kind);
    expect([...kinds].sort()).toEqual(['12345:23456 640 f', '12345:23456 750 d']);
  });

  it('that SOURCE is, is refused, unless it is only read', async () => {
    const storage = folder.file(`own-${turn++}`);
    cpSync(unpacked, storage, { recursive: true });
    const registry = await freshRegistry({ storage });
    const result = await push(storage, `${registry.host}/x`, { args: ['--storage', storage] });
    expect([result.code, result.stderr]).toEqual([2, expect.stringMatching(/OUTPUT_IS_SOURCE/)]);
  });

  it('of zot, or the wrong level of the right one, is refused by what it looks like', async () => {
    const registry = await freshRegistry();
    const zot = folder.file(`zot-${turn++}`);
    mkdirSync(join(zot, 'library/app'), { recursive: true });
    writeFileSync(join(zot, 'library/app/oci-layout'), '{}');
    const results = await Promise.all(
      [zot, join(unpacked, v2), folder.file('nowhere')].map((path) =>
        push(fixturePath, registry.host, { args: ['--storage', path] }),
      ),
    );
    expect(results.map(({ code }) => code)).toEqual([2, 2, 2]);
    expect(results[0]?.stderr).toMatch(/STORAGE_FOREIGN: .*zot|STORAGE_FOREIGN[\s\S]*zot/);
    expect(results[1]?.stderr).toContain('above `docker/registry/v2`');
    expect(results[2]?.stderr).toContain('does not exist');
    expect(registry.requests().filter(({ method }) => method === 'PUT')).toEqual([]);
  });

  it('of a registry that takes no pushes is left as it is', async () => {
    const registry = await freshRegistry({ readonly: true });
    const result = await push(fixturePath, registry.host, { args: ['--storage', registry.storage] });
    expect(result.stderr).toMatch(/READ_ONLY/);
    expect(filesBelow(registry.storage)).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)(
    'on a disk that is too small is refused, and a disk that fills up breaks nothing',
    async () => {
      const mounted = folder.file(`small-${turn++}`);
      mkdirSync(mounted);
      const { code } = await run('mount', ['-t', 'tmpfs', '-o', 'size=256k,nr_inodes=120', 'tmpfs', mounted], {
        allowFailure: true,
      });
      if (code !== 0) return;
      try {
        const registry = await startRegistry({ storage: mounted });
        try {
          const result = await push(fixturePath, registry.host, { args: ['--storage', mounted] });
          expect(result.code).not.toBe(0);
          expect(result.stderr).toMatch(/full/);
          for (const [name] of await images(registry)) expect(ofFixture.has(name)).toBe(true);
          expect(filesBelow(mounted).filter((file) => file.startsWith('.regtar'))).toEqual([]);
          await run('mount', ['-o', 'remount,size=8m,nr_inodes=4000', mounted]);
          const again = await push(fixturePath, registry.host, { args: ['--storage', mounted] });
          expect([again.code, failures(again)]).toEqual([0, {}]);
          expect(await images(registry)).toEqual(ofFixture);
        } finally {
          await registry.stop();
        }
      } finally {
        await run('umount', [mounted]);
      }
    },
  );

  it('gets no tag of an image whose blob is corrupt in the backup', async () => {
    const source = folder.file(`corrupt-${turn++}`);
    cpSync(unpacked, source, { recursive: true });
    const file = blobFile(source, ownBlob());
    const bytes = readFileSync(file);
    writeFileSync(file, Buffer.from(bytes.map((byte, index) => (index === 0 ? byte ^ 1 : byte))));
    const registry = await freshRegistry();
    for (const args of [[], ['--link']]) {
      const result = await push(source, registry.host, { args: ['--storage', registry.storage, ...args] });
      expect(result.code).toBe(3);
      expect(new Set(Object.values(failures(result)))).toEqual(new Set(['BLOB_CORRUPT']));
      expect(existsSync(blobFile(registry.storage, ownBlob()))).toBe(false);
      const found = await images(registry);
      for (const name of Object.keys(failures(result))) expect(found.has(name)).toBe(false);
    }
  });

  it('lists what was placed in vain, because its image failed', async () => {
    const manifestOf = (digest: string): { readonly config: Layer; readonly layers: readonly Layer[] } =>
      JSON.parse(readFileSync(blobFile(unpacked, digest), 'utf8')) as never;
    const { config, layers } = manifestOf(ofFixture.get('tools/hello:edge') ?? '');
    const listed: (readonly string[])[] = [];
    for (const { digest } of [config, ...layers.slice(-1)]) {
      const source = folder.file(`in-vain-${turn++}`);
      cpSync(unpacked, source, { recursive: true });
      const bytes = readFileSync(blobFile(source, digest));
      writeFileSync(blobFile(source, digest), Buffer.from(bytes.map((byte) => byte ^ 1)));
      const registry = await freshRegistry();
      const reports = [folder.file(`in-vain-${turn}.json`), folder.file(`in-vain-${turn}.html`)];
      const result = await push(source, registry.host, {
        // One after the other: what lies first is placed before the other one turns out to be damaged.
        args: [
          ...['--storage', registry.storage, '--include', 'tools/hello:edge', '--jobs', '1'],
          ...reports.flatMap((path) => ['--report', path]),
        ],
      });
      expect(failures(result)).toEqual({ 'tools/hello:edge': 'BLOB_CORRUPT' });
      const { unnamedBlobs = [] } = result.report;
      listed.push(unnamedBlobs);
      const there = filesBelow(join(registry.storage, v2, 'blobs')).map((file) => `sha256:${file.split('/')[2] ?? ''}`);
      expect(there).toEqual([...unnamedBlobs].sort());
      if (unnamedBlobs.length > 0) expect(result.stderr).toContain('unnamedBlobs');
      for (const path of reports) {
        const file = readFileSync(path, 'utf8');
        const report = readReport(file, path);
        expect(report.unnamedBlobs ?? []).toEqual(unnamedBlobs);
        expect(mergeReports([report]).unnamedBlobs ?? []).toEqual(unnamedBlobs);
        if (path.endsWith('.html')) expect(file.includes('Placed in vain')).toBe(unnamedBlobs.length > 0);
      }
    }
    expect(listed.flat().length).toBeGreaterThan(0);
  });

  it('is whole after two runs at once', async () => {
    const registry = await freshRegistry();
    const results = await Promise.all(
      [1, 2].map(() => push(fixturePath, registry.host, { args: ['--storage', registry.storage] })),
    );
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    expect(await images(registry)).toEqual(ofFixture);
    expect(readdirSync(registry.storage)).toEqual(['docker']);
  });

  it('that is mounted read-only is named before anything is sent', async (context) => {
    const registry = await freshRegistry();
    const mounted = folder.file(`read-only-${turn++}`);
    mkdirSync(mounted);
    const mount = (...args: string[]): Promise<{ readonly code: number }> => run('mount', args, { allowFailure: true });
    if ((await mount('--bind', registry.storage, mounted)).code !== 0) return context.skip();
    try {
      expect((await mount('-o', 'remount,bind,ro', mounted)).code).toBe(0);
      const result = await push(fixturePath, registry.host, { args: ['--storage', mounted] });
      expect([result.code, result.stderr]).toEqual([
        1,
        expect.stringMatching(/OUTPUT_UNWRITABLE: .* cannot be written: the file system is read-only/),
      ]);
      expect(registry.requests().filter(({ method }) => method === 'PUT' || method === 'POST')).toEqual([]);
      expect(filesBelow(registry.storage)).toEqual([]);
    } finally {
      await run('umount', [mounted]);
    }
  });

  it('keeps what other runs have unfinished, whatever the clock says, and loses what killed ones left', async () => {
    const registry = await freshRegistry();
    const space =
      `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ` + readlinkSync('/proc/self/ns/pid');
    const { pid: dead = 0 } = spawnSync('true');
    const twoDaysAgo = Date.now() / 1000 - 2 * 24 * 3600;
    const runs = {
      alive: { host: hostname(), pid: process.pid, space, age: twoDaysAgo },
      dead: { host: hostname(), pid: dead, space, age: undefined },
      container: { host: hostname(), pid: dead, space: 'another', age: undefined },
      elsewhere: { host: 'elsewhere', pid: dead, space, age: undefined },
      forgotten: { host: 'elsewhere', pid: dead, space, age: twoDaysAgo },
    };
    for (const [name, { age, ...holder }] of Object.entries(runs)) {
      const path = join(registry.storage, `.regtar-tmp-${name}`);
      mkdirSync(path);
      writeFileSync(join(path, 'holder'), JSON.stringify(holder));
      if (age !== undefined) utimesSync(path, age, age);
    }
    const result = await push(fixturePath, registry.host, {
      args: ['--storage', registry.storage, '--include', 'tools/hello:edge'],
    });
    expect(result.code).toBe(0);
    const left = readdirSync(registry.storage).filter((name) => name.startsWith('.regtar-tmp-'));
    expect(left.sort()).toEqual(['.regtar-tmp-alive', '.regtar-tmp-container', '.regtar-tmp-elsewhere']);
  });

  it('gets a layer link anew that a power cut has emptied', async () => {
    const registry = await freshRegistry();
    const args = ['--storage', registry.storage, '--include', 'tools/hello:edge'];
    expect((await push(fixturePath, registry.host, { args })).code).toBe(0);
    rmSync(join(registry.storage, v2, 'repositories/tools/hello/_manifests'), { recursive: true });
    const links = join(registry.storage, v2, 'repositories/tools/hello/_layers/sha256');
    const digests = readdirSync(links);
    for (const hex of digests) truncateSync(join(links, hex, 'link'), 0);
    const again = await push(fixturePath, registry.host, { args: ['--in-place', ...args] });
    expect([again.code, failures(again)]).toEqual([0, {}]);
    for (const hex of digests) expect(readFileSync(join(links, hex, 'link'), 'utf8')).toBe(`sha256:${hex}`);
    expect((await images(registry)).get('tools/hello:edge')).toBe(ofFixture.get('tools/hello:edge'));
  });

  it('gets what refers to an image after the image', async () => {
    const registry = await freshRegistry();
    const pushed = await push(fixturePath, registry.host, { args: ['--storage', registry.storage] });
    expect(pushed.code).toBe(0);
    const put = registry
      .requests()
      .filter(({ method, status }) => method === 'PUT' && status === 201)
      .map(({ path }) => path);
    const pairs = pushed.report.images.flatMap(({ repository, tag, digest = '' }) => {
      const { subject } = JSON.parse(readFileSync(blobFile(unpacked, digest), 'utf8')) as {
        readonly subject?: { readonly digest: string };
      };
      return subject === undefined ? [] : [{ repository, name: tag ?? digest, subject: subject.digest }];
    });
    expect(pairs.length).toBeGreaterThan(0);
    for (const { repository, name, subject } of pairs) {
      const names = expected.tags.filter((each) => each.repository === repository && each.digest === subject);
      const places = [subject, ...names.map(({ tag }) => tag)].map((each) =>
        put.indexOf(`/v2/${repository}/manifests/${each}`),
      );
      const first = Math.min(...places.filter((place) => place >= 0));
      expect(put.indexOf(`/v2/${repository}/manifests/${name}`), name).toBeGreaterThan(first);
    }
  });

  it('gets back manifests that are short or gone there', async () => {
    const registry = await freshRegistry();
    expect((await push(fixturePath, registry.host, { args: ['--storage', registry.storage] })).code).toBe(0);
    const [short, gone] = ['tools/hello:edge', 'tools/hello:1.0'].map((name) =>
      blobFile(registry.storage, ofFixture.get(name) ?? ''),
    );
    const bytes = [short, gone].map((file = '') => readFileSync(file));
    truncateSync(short ?? '', 10);
    rmSync(gone ?? '');
    const repaired = await push(fixturePath, registry.host, { args: ['--repair', '--storage', registry.storage] });
    expect([repaired.code, failures(repaired)]).toEqual([0, {}]);
    expect([short, gone].map((file = '') => readFileSync(file))).toEqual(bytes);
    expect(await images(registry)).toEqual(ofFixture);
  });

  // Concurrent: the first one waits, for as long as a file may take to show.
  it.concurrent(
    'that is another folder, whose blobs the target happens to have: one manifest is sent, and no more',
    async ({ expect, onTestFinished }) => {
      const registry = await freshRegistry({}, onTestFinished);
      expect((await push(fixturePath, `${registry.host}/new`)).code).toBe(0);
      // Nothing of the tags is left, all blobs are.
      const empty = folder.file(`empty-${turn++}`);
      mkdirSync(empty);
      rmSync(join(registry.storage, v2, 'repositories/new/tools/hello/_manifests/tags'), { recursive: true });
      const before = registry.requests().filter(({ method }) => method === 'PUT').length;
      const result = await push(fixturePath, `${registry.host}/new`, {
        args: ['--storage', empty, '--include', 'tools/hello'],
      });
      expect(result.stderr).toMatch(/STORAGE_NOT_TARGET: .*has not appeared/);
      expect(filesBelow(empty)).toEqual([]);
      const sent =
        registry.requests().filter(({ method, status }) => method === 'PUT' && status === 201).length - before;
      expect(sent).toBeLessThanOrEqual(1);
    },
  );

  it.concurrent(
    'never shows half a blob when the push is killed at any of twenty moments, and the next run finishes',
    async ({ expect, onTestFinished }) => {
      const undisturbed = await freshRegistry({}, onTestFinished);
      const began = performance.now();
      await startPush(fixturePath, undisturbed.host, ['--storage', undisturbed.storage]).ended;
      const whole = performance.now() - began;
      for (let round = 0; round < 2; round++) {
        const registry = await freshRegistry({}, onTestFinished);
        for (let kill = 0; kill < 10; kill++) {
          const started = startPush(fixturePath, registry.host, ['--storage', registry.storage]);
          // Before that it only starts.
          setTimeout(() => started.kill('SIGKILL'), whole * (0.3 + 0.7 * Math.random()));
          await started.ended;
          // A manifest of a request that was under way is still written by the registry, in place; what a killed push
          // left would stay as it is.
          await expect.poll(() => brokenBlobs(registry.storage), { timeout: 10_000 }).toEqual([]);
        }
        const result = await push(fixturePath, registry.host, { args: ['--storage', registry.storage] });
        expect([result.code, failures(result)]).toEqual([0, {}]);
        expect(await images(registry)).toEqual(ofFixture);
        expect(readdirSync(registry.storage)).toEqual(['docker']);
      }
    },
  );
});

interface Layer {
  readonly digest: string;
}

/** Blobs whose bytes are not what their names say. The registry's own are among them, such as lists of referrers. */
function brokenBlobs(storage: string): readonly string[] {
  const names = filesBelow(join(storage, v2, 'blobs')).filter((each) => each.endsWith('/data'));
  const digestIn = (name: string): string => digestOf(readFileSync(join(storage, v2, 'blobs', name)));
  return names.filter((name) => digestIn(name) !== `sha256:${name.split('/').at(-2) ?? ''}`);
}

async function regtar(...args: string[]): Promise<void> {
  const { program, quietEnvironment } = await import('./support/regtar.ts');
  await run(process.execPath, [program, ...args], { env: quietEnvironment });
}
