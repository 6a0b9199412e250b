import { cpSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { CheckReport } from '../../src/check/contract.ts';
import { regtar, regtarDone, regtarJson } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** One image with layers of its own, one multi-arch, one that shares its base. */
const { built, tar } = buildStorage((s) => ({
  app: s.image('team/app', ['v1', 'latest'], { layers: ['base', 'app'] }),
  multi: s.index('team/multi', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]),
  web: s.image('web', 'v1', { layers: ['base', 'web'] }),
}));
const backup = folder.file('backup.tar');
beforeAll(() => writeFileSync(backup, tar()));

const hexOf = (digest: string): string => digest.slice(digest.indexOf(':') + 1);
const flip = (path: string): void => {
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  writeFileSync(path, bytes);
};
const kinds = ({ differences }: CheckReport): string[] =>
  differences.map(({ repository, tag, kind }) => `${repository}:${tag ?? ''} ${kind}`);
const check = (target: string, report: string, code: number, ...args: string[]): Promise<CheckReport> =>
  regtarJson<CheckReport>(['check', target, '--report', report, ...args], code);

describe('what was exported is as its report says', () => {
  it.each([
    { name: 'layout', args: [] },
    { name: 'layout.tar', args: [] },
    { name: 'layouts', args: ['--per-repository'] },
    { name: 'prefixed', args: ['--prefix', 'harbor.example.com/library'] },
    { name: 'tree', args: ['--format', 'dir'] },
    { name: 'safe', args: ['--format', 'dir', '--path-style', 'safe'] },
    { name: 'images.tar', args: ['--format', 'docker-archive', '--platform', 'linux/amd64'] },
    { name: 'storage', args: ['--format', 'registry'] },
    { name: 'storage.tar', args: ['--format', 'registry'] },
  ])('$name $args', async ({ name, args }) => {
    const file = folder.file(`${name}.json`);
    const { code } = await regtar(['export', fixturePath, folder.file(name), ...args, '--report', file]);
    const report = JSON.parse(readFileSync(file, 'utf8')) as { images: { status: string }[] };
    const result = await check(folder.file(name), file, 0, '--deep');
    expect(code).toBe(0);
    expect(result.differences).toEqual([]);
    expect(result.images.checked).toBe(report.images.filter(({ status }) => status === 'copied').length);
    expect(result.images.same).toBe(result.images.checked);
    expect(result.blobs.checked).toBeGreaterThan(10);
  });
});

it('what was exported may be compressed: it is read once, in whatever format it is', async () => {
  for (const args of [
    ['--format', 'oci'],
    ['--format', 'docker-archive', '--platform', 'linux/amd64'],
  ]) {
    const [out, report] = [folder.file(`packed-${args[1] ?? ''}.tar`), folder.file('packed.json')];
    await regtar(['export', fixturePath, out, ...args, '--report', report]);
    writeFileSync(`${out}.gz`, gzipSync(readFileSync(out)));
    const result = await check(`${out}.gz`, report, 0, '--deep');
    expect(result.differences).toEqual([]);
    expect(result.images.same).toBeGreaterThan(10);
  }
});

describe('planted differences in what was exported', () => {
  const plant = async (
    format: 'oci' | 'dir',
    change: (out: string) => void,
  ): Promise<{ out: string; report: string }> => {
    const place = temporaryFolder();
    onTestFinished(() => place.remove());
    const out = place.file('out');
    const report = place.file('report.html');
    await regtarDone(['export', backup, out, '--format', format, '--report', report]);
    change(out);
    return { out, report };
  };
  const layer = hexOf(built.app.blobs[2]?.digest ?? '');
  const base = hexOf(built.app.blobs[1]?.digest ?? '');
  const child = built.multi.children[1]?.digest ?? '';

  it('a lost blob makes incomplete whoever needs it, and nobody else', async () => {
    const { out, report } = await plant('oci', (path) => rmSync(join(path, 'blobs/sha256', layer)));
    expect(kinds(await check(out, report, 4))).toEqual(['team/app:latest incomplete', 'team/app:v1 incomplete']);
  });

  it('a lost base makes incomplete all that share it', async () => {
    const { out, report } = await plant('oci', (path) => rmSync(join(path, 'blobs/sha256', base)));
    expect(kinds(await check(out, report, 4))).toEqual([
      'team/app:latest incomplete',
      'team/app:v1 incomplete',
      'web:v1 incomplete',
    ]);
  });

  it('a blob that was cut is seen by its size, one with a wrong byte only by reading it', async () => {
    const cut = await plant('oci', (path) => truncateSync(join(path, 'blobs/sha256', layer), 3));
    expect(kinds(await check(cut.out, cut.report, 4))).toEqual(['team/app:latest damaged', 'team/app:v1 damaged']);
    const wrong = await plant('oci', (path) => flip(join(path, 'blobs/sha256', layer)));
    expect(kinds(await check(wrong.out, wrong.report, 0))).toEqual([]);
    expect(kinds(await check(wrong.out, wrong.report, 4, '--deep'))).toEqual([
      'team/app:latest damaged',
      'team/app:v1 damaged',
    ]);
  });

  it('a manifest with other bytes, and a child that is gone', async () => {
    const changed = await plant('oci', (path) =>
      writeFileSync(
        join(path, 'blobs/sha256', hexOf(built.app.digest)),
        Buffer.concat([built.app.bytes, Buffer.from(' ')]),
      ),
    );
    expect(kinds(await check(changed.out, changed.report, 4))).toEqual([
      'team/app:latest damaged',
      'team/app:v1 damaged',
    ]);
    const lost = await plant('oci', (path) => rmSync(join(path, 'blobs/sha256', hexOf(child))));
    expect(kinds(await check(lost.out, lost.report, 4))).toEqual(['team/multi:v1 incomplete']);
  });

  it('a name that is gone, and one that means something else', async () => {
    const edit = (
      path: string,
      change: (manifests: { annotations: Record<string, string>; digest: string }[]) => unknown[],
    ): void => {
      const index = JSON.parse(readFileSync(join(path, 'index.json'), 'utf8')) as {
        manifests: { annotations: Record<string, string>; digest: string }[];
      };
      writeFileSync(join(path, 'index.json'), JSON.stringify({ ...index, manifests: change(index.manifests) }));
    };
    const named =
      (name: string) =>
      (entry: { annotations: Record<string, string> }): boolean =>
        entry.annotations['org.opencontainers.image.ref.name'] === name;
    const { out, report } = await plant('oci', (path) =>
      edit(path, (manifests) =>
        manifests
          .filter((each) => !named('web:v1')(each))
          .map((each) => (named('team/app:latest')(each) ? { ...each, digest: built.web.digest } : each)),
      ),
    );
    const result = await check(out, report, 4);
    expect(kinds(result)).toEqual(['team/app:latest other', 'web:v1 missing']);
    expect(result.differences[0]).toMatchObject({ digest: built.app.digest, found: built.web.digest });
  });

  it('in a tree of dir images: a folder without its version, a moved manifest, a lost and a wrong blob', async () => {
    const { out, report } = await plant('dir', (path) => {
      rmSync(join(path, 'web:v1/version'));
      cpSync(join(path, 'web:v1/manifest.json'), join(path, 'team/app:latest/manifest.json'));
      rmSync(join(path, 'team/app:v1', layer));
      flip(join(path, 'team/multi:v1', `${hexOf(child)}.manifest.json`));
    });
    expect(kinds(await check(out, report, 4))).toEqual([
      'team/app:latest other',
      'team/app:v1 incomplete',
      'team/multi:v1 damaged',
      'web:v1 missing',
    ]);
  });

  it('tells people in words, image by image', async () => {
    const { out, report } = await plant('oci', (path) => rmSync(join(path, 'blobs/sha256', layer)));
    const { code, stdout } = await regtar(['check', out, '--report', report]);
    expect(code).toBe(4);
    expect(stdout).toContain('not as the report says');
    expect(stdout).toMatch(new RegExp(`team/app:v1 +incomplete +its blob sha256:${layer} is not there`));
    expect(stdout).toMatch(/4 images: 2 as they should be, 2 incomplete; \d+ blobs looked for, not read/);
  });
});

describe('what a check takes for granted', () => {
  it('blobs of the base stay behind in a delta, and are not a difference', async () => {
    const old = buildStorage((s) => void s.image('web', 'v0', { layers: ['base'] }));
    writeFileSync(folder.file('old.tar'), old.tar());
    await regtarDone([
      'export',
      backup,
      folder.file('delta'),
      '--base',
      folder.file('old.tar'),
      '--report',
      folder.file('delta.json'),
    ]);
    expect(existsSync(folder.file('delta', 'blobs/sha256', hexOf(built.app.blobs[1]?.digest ?? '')))).toBe(false);
    expect(kinds(await check(folder.file('delta'), folder.file('delta.json'), 0, '--deep'))).toEqual([]);
  });

  it('images that had not arrived are counted and not asked for', async () => {
    const broken = buildStorage((s) => {
      s.image('whole', 'v1');
      s.loseBlob(s.image('broken', 'v1', { layers: ['lost'] }).blobs[1]?.digest ?? ('' as never));
    });
    writeFileSync(folder.file('broken.tar'), broken.tar());
    await regtar(['export', folder.file('broken.tar'), folder.file('some'), '--report', folder.file('some.json')]);
    expect((await check(folder.file('some'), folder.file('some.json'), 0)).images).toMatchObject({
      checked: 1,
      same: 1,
      notExpected: 1,
    });
  });

  it.each([
    ['a report that is none', ['check', fixturePath, '--report', fixturePath], 'REPORT_INVALID'],
    ['no report', ['check', fixturePath], 'USAGE'],
    ['a target that is nowhere', ['check', './nowhere', '--report', 'x.json'], 'USAGE'],
  ])('%s is wrong use', async (_title, args, message) => {
    const { code, stderr } = await regtar(args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it('names in a report never become paths outside the target', async () => {
    await regtarDone([
      'export',
      backup,
      folder.file('inside'),
      '--format',
      'dir',
      '--report',
      folder.file('inside.json'),
    ]);
    const report = readFileSync(folder.file('inside.json'), 'utf8');
    writeFileSync(folder.file('escape.json'), report.replaceAll('"tag":"latest"', '"tag":"../../../etc"'));
    expect(await regtar(['check', folder.file('inside'), '--report', folder.file('escape.json')])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('REPORT_INVALID') as string,
    });
    writeFileSync(folder.file('escape.json'), report.replaceAll('"repository":"web"', '"repository":"../web"'));
    expect(await regtar(['check', folder.file('inside'), '--report', folder.file('escape.json')])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('MAP_INVALID') as string,
    });
  });
});

describeWith('docker-registry', 'a registry against the report of the push', () => {
  let registry: Registry;
  let report: string;
  const account = { username: 'ops', password: 'S3cret' };
  const login = ['--username', account.username, '--password-stdin'];
  const ask = async (target: string, ...args: string[]): Promise<{ code: number; result: CheckReport }> => {
    const { code, stdout, stderr } = await regtar(['check', target, '--report', report, '--json', ...login, ...args], {
      input: account.password,
    });
    if (stdout === '') throw new Error(stderr);
    return { code, result: JSON.parse(stdout) as CheckReport };
  };
  beforeAll(async () => {
    registry = await startRegistry({ htpasswd: account });
    report = folder.file('push.json');
    await regtarDone(['push', backup, `${registry.host}/moved`, ...login, '--report', report], {
      input: account.password,
    });
  });
  afterAll(() => registry.stop());
  const storage = (...path: string[]): string => join(registry.storage, 'docker/registry/v2', ...path);
  const data = (digest: string): string => storage('blobs/sha256', hexOf(digest).slice(0, 2), hexOf(digest), 'data');

  it('finds everything, with and without the path that it was pushed beneath, and whatever else is there', async () => {
    await run('cp', [
      '-r',
      storage('repositories/moved/web/_manifests/tags/v1'),
      storage('repositories/moved/web/_manifests/tags/extra'),
    ]);
    for (const target of [registry.host, `${registry.host}/moved`]) {
      const { code, result } = await ask(target, '--deep');
      expect([code, kinds(result), result.images.same]).toEqual([0, [], 4]);
      expect(result.blobs.bytes).toBeGreaterThan(0);
    }
  });

  it('beneath another path everything is missing', async () => {
    expect(kinds((await ask(`${registry.host}/elsewhere`)).result)).toEqual([
      'elsewhere/team/app:latest missing',
      'elsewhere/team/app:v1 missing',
      'elsewhere/team/multi:v1 missing',
      'elsewhere/web:v1 missing',
    ]);
  });

  it('takes the report of an export too, with the names that the push gave', async () => {
    await regtarDone(['export', backup, folder.file('carried'), '--report', folder.file('carried.json')]);
    await regtarDone(['push', backup, registry.host, ...login, '--project', 'lib', '--map', 'team/*=crew/*'], {
      input: account.password,
    });
    const { code, stdout } = await regtar(
      [
        'check',
        registry.host,
        '--report',
        folder.file('carried.json'),
        '--json',
        ...login,
        '--project',
        'lib',
        '--map',
        'team/*=crew/*',
      ],
      { input: account.password },
    );
    expect([code, (JSON.parse(stdout) as CheckReport).images.same]).toEqual([0, 4]);
  });

  it('finds a deleted tag, a moved one, a lost layer, and with --deep a wrong byte', async () => {
    rmSync(storage('repositories/moved/web/_manifests/tags/v1'), { recursive: true });
    await regtarDone(
      ['push', backup, `${registry.host}/moved`, ...login, '--include', 'web:v1', '--map', 'web=team/app'],
      { input: account.password },
    );
    flip(data(built.multi.children[0]?.blobs[1]?.digest ?? ''));
    expect(kinds((await ask(registry.host)).result)).toEqual(['moved/team/app:v1 other', 'moved/web:v1 missing']);
    const { code, result } = await ask(registry.host, '--deep');
    expect([code, kinds(result)]).toEqual([
      4,
      ['moved/team/app:v1 other', 'moved/team/multi:v1 damaged', 'moved/web:v1 missing'],
    ]);
    rmSync(data(built.app.blobs[2]?.digest ?? ''));
    expect(kinds((await ask(registry.host)).result)).toEqual([
      'moved/team/app:latest incomplete',
      'moved/team/app:v1 other',
      'moved/web:v1 missing',
    ]);
  });

  it('a wrong password is not a difference', async () => {
    const { code, stderr } = await regtar(['check', registry.host, '--report', report, ...login], { input: 'wrong' });
    expect([code, stderr]).toEqual([1, expect.stringContaining('AUTH_FAILED')]);
  });
});
