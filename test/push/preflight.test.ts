import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startHarborDouble, type HarborDouble } from '../harbor/double/start.ts';
import { startRegistry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { failures, push, statuses, type Account, type PushResult } from './support/regtar.ts';

const folder = temporaryFolder();
const source = folder.file('backup');
const store = buildStorage((s) => ({
  one: s.image('one', 'v1', { layers: ['layer of one'] }),
  web: s.image('team/web', ['v1', 'v2'], { layers: ['layer of web', 'x'.repeat(200_000)] }),
  api: s.image('other/api', 'v1', { layers: ['layer of api'] }),
}));
await store.writeTo(source);
const later = buildStorage((s) => s.image('team/web', 'v1', { layers: ['another layer'] }));
await later.writeTo(folder.file('later'));

let harbor: HarborDouble;

beforeEach(async () => {
  harbor = await startHarborDouble({ loginLockMilliseconds: 50 });
});
afterEach(() => harbor.stop());
afterAll(() => folder.remove());

const all = ['--project', 'library'];
const toHarbor = (account: Account | undefined, ...args: string[]): Promise<PushResult> =>
  push(source, harbor.host, { ...(account && { account }), args });

/** Requests that would change something; asking for a token is none. */
const writes = (): string[] =>
  harbor.requests
    .filter(({ method }) => !['GET', 'HEAD'].includes(method))
    .map(({ method, path }) => `${method} ${path}`);
const uploads = (): string[] => writes().filter((request) => request.includes('/v2/'));

describe('what Harbor would refuse is named before the first byte', () => {
  it('a wrong password, once', async () => {
    const { code, stderr } = await toHarbor({ ...harbor.admin, password: 'not-it' });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/AUTH_FAILED: wrong password for user "admin"/)]);
    expect(writes()).toEqual([]);
    expect(harbor.requests.filter(({ auth }) => auth !== 'none')).toHaveLength(1);
  });

  it('no account at all', async () => {
    const { code, stderr } = await toHarbor(undefined);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /AUTH_FAILED: .* is a Harbor, which takes pushes from known accounts only\nhint: pass --username/,
      ),
    ]);
  });

  it('a repository of one component; the others go on', async () => {
    const result = await toHarbor(harbor.admin);
    expect(result.code).toBe(3);
    expect(failures(result)).toEqual({ 'one:v1': 'PROJECT_NEEDED' });
    expect(result.stderr).toMatch(/PROJECT_NEEDED: one has no project.*\nhint: say which: --project library/);
    expect(harbor.repositories()).toEqual(['other/api', 'team/web']);
  });

  it('configs that Harbor cannot read, and what is wrong with them; no byte of theirs is sent', async () => {
    const configured = buildStorage((s) => {
      const image = (name: string, config: string, configType: string): string => {
        const blob = { mediaType: configType, digest: s.blob(config, name), size: Buffer.byteLength(config) };
        const layer = { mediaType: 'text/plain', digest: s.blob(`layer of ${name}`, name), size: name.length + 9 };
        const mediaType = 'application/vnd.oci.image.manifest.v1+json';
        s.manifest(name, 'v1', JSON.stringify({ schemaVersion: 2, mediaType, config: blob, layers: [layer] }));
        return name;
      };
      image('cfg/text', 'hello', 'application/vnd.oci.image.config.v1+json');
      image('cfg/label', '{"config":{"Labels":{"a":1}}}', 'application/vnd.oci.image.config.v1+json');
      image('cfg/chart', '[]', 'application/vnd.cncf.helm.config.v1+json');
      image('cfg/free', 'hello', 'application/vnd.example.config.v1+json');
      s.index('cfg/multi', 'v1', [{ platform: 'linux/amd64' }, { config: { author: 5 }, platform: 'linux/arm64' }]);
    });
    await configured.writeTo(folder.file('configured'));
    const result = await push(folder.file('configured'), harbor.host, { account: harbor.admin });
    expect(failures(result)).toEqual(
      Object.fromEntries(['text', 'label', 'chart', 'multi'].map((name) => [`cfg/${name}:v1`, 'MANIFEST_UNSUPPORTED'])),
    );
    expect(result.stderr).toMatch(/cannot read cfg\/text:v1: its config sha256:[0-9a-f]{64} is not JSON\n/);
    expect(result.stderr).toMatch(
      /cannot read cfg\/label:v1: its config sha256:[0-9a-f]{64} has a field of the wrong type: config\.Labels\.a/,
    );
    expect(result.stderr).toMatch(/hint: Harbor refuses it every time: leave it out with --exclude/);
    expect([result.code, uploads().filter((request) => !request.includes('/cfg/free/'))]).toEqual([3, []]);
    expect(harbor.repositories()).toEqual(['cfg/free']);
  });

  it('names that Harbor has no projects and repositories for', async () => {
    const result = await toHarbor(
      harbor.admin,
      ...all,
      '--map',
      'team/**=a--b/**',
      '--map',
      `other/**=other/${'x'.repeat(120)}/${'y'.repeat(115)}/**`,
    );
    expect(failures(result)).toEqual({
      'team/web:v1': 'PROJECT_INVALID',
      'team/web:v2': 'PROJECT_INVALID',
      'other/api:v1': 'REPOSITORY_INVALID',
    });
    expect(harbor.repositories()).toEqual(['library/one']);
  });

  it('two repositories that would become one', async () => {
    const { code, stderr } = await toHarbor(harbor.admin, ...all, '--map', 'team/web=library/one');
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/OUTPUT_COLLISION: .*one:v1 and .*team\/web:v1|OUTPUT_COLLISION: .*would both become/),
    ]);
    expect(writes()).toEqual([]);
  });

  it('a missing project that shall not be created', async () => {
    harbor.createProject('team');
    const result = await toHarbor(harbor.admin, ...all, '--no-create-projects');
    expect([result.code, failures(result)]).toEqual([3, { 'other/api:v1': 'PROJECT_MISSING' }]);
    expect(writes().filter((request) => request.includes('/api/'))).toEqual([]);
  });

  it.each([
    [
      'a user where only administrators create projects',
      (): Account => {
        harbor.settings.projectCreation = 'adminonly';
        return harbor.addUser('alice', 'Alice12345', { library: 'developer' });
      },
      /only administrators may create/,
    ],
    [
      'a robot of one project',
      (): Account => harbor.addPusher('pusher', 'library'),
      /a project robot may not create projects/,
    ],
  ])('%s and a missing project', async (_, account, hint) => {
    const result = await toHarbor(account(), ...all);
    expect([result.code, failures(result)]).toEqual([
      3,
      { 'other/api:v1': 'PROJECT_FORBIDDEN', 'team/web:v1': 'PROJECT_FORBIDDEN', 'team/web:v2': 'PROJECT_FORBIDDEN' },
    ]);
    expect(result.stderr).toMatch(hint);
    expect(writes().filter((request) => request.includes('/api/'))).toEqual([]);
    expect(harbor.repositories()).toEqual(['library/one']);
  });

  it('a robot of the system that may not create after all: in Harbor’s own words', async () => {
    harbor.settings.projectCreation = 'adminonly';
    const result = await toHarbor(harbor.addPusher('pusher', '*'), ...all, '--include', 'team/web');
    expect([result.code, failures(result)]).toEqual([
      1,
      { 'team/web:v1': 'PROJECT_FORBIDDEN', 'team/web:v2': 'PROJECT_FORBIDDEN' },
    ]);
    expect(result.stderr).toContain('Only system admin can create project');
    expect(uploads()).toEqual([]);
  });

  it('a guest, and a stranger', async () => {
    harbor.createProject('team');
    harbor.createProject('other');
    const guest = harbor.addUser('gus', 'Guest12345', { team: 'guest', library: 'developer' });
    const result = await toHarbor(guest, ...all);
    expect([result.code, failures(result)]).toEqual([
      3,
      { 'other/api:v1': 'PROJECT_FORBIDDEN', 'team/web:v1': 'PROJECT_FORBIDDEN', 'team/web:v2': 'PROJECT_FORBIDDEN' },
    ]);
    expect(harbor.repositories()).toEqual(['library/one']);
  });

  it('a robot of another project is named, and told what a robot lacks', async () => {
    harbor.createProject('team');
    const result = await toHarbor(harbor.addPusher('pusher', 'library'), ...all, '--include', 'team/web');
    expect(failures(result)).toEqual({ 'team/web:v1': 'PROJECT_FORBIDDEN', 'team/web:v2': 'PROJECT_FORBIDDEN' });
    expect(result.stderr).toContain('user "robot$library+pusher" may not push into project team');
    expect(result.stderr).toContain('hint: push as a robot that has pull and push in this project');
  });

  it.each([
    ['the administrator', (): Account => harbor.admin],
    ['a robot', (): Account => harbor.addPusher('pusher', '*')],
  ])('a proxy cache, to %s', async (_, account) => {
    harbor.addProxyProject('other');
    const result = await toHarbor(account(), ...all);
    expect([result.code, failures(result)]).toEqual([3, { 'other/api:v1': 'PROJECT_PROXY' }]);
  });

  it('a project without room, however much of it is there already; the other projects go on', async () => {
    harbor.createProject('team');
    harbor.setQuota('team', 150_000);
    const result = await toHarbor(harbor.admin, ...all);
    expect([result.code, failures(result)]).toEqual([
      3,
      { 'team/web:v1': 'QUOTA_EXCEEDED', 'team/web:v2': 'QUOTA_EXCEEDED' },
    ]);
    expect(uploads().filter((request) => request.includes('/v2/team/'))).toEqual([]);
    // Room for what an interrupted push has left to do is room enough.
    harbor.setQuota('team', -1);
    await toHarbor(harbor.admin, ...all, '--include', 'team/web:v1');
    harbor.setQuota('team', harbor.quotaUsed('team') + 10);
    expect((await toHarbor(harbor.admin, ...all)).code).toBe(0);
  });

  it('a quota of new projects that is too small for what goes into them', async () => {
    const result = await toHarbor(harbor.admin, ...all, '--storage-limit', '100k');
    expect([result.code, failures(result)]).toEqual([
      3,
      { 'team/web:v1': 'QUOTA_EXCEEDED', 'team/web:v2': 'QUOTA_EXCEEDED' },
    ]);
  });

  it('read-only mode, unless everything is there', async () => {
    harbor.setReadOnly(true);
    const result = await toHarbor(harbor.admin, ...all);
    expect([result.code, new Set(Object.values(failures(result)))]).toEqual([1, new Set(['READ_ONLY'])]);
    expect(writes()).toEqual([]);
    harbor.setReadOnly(false);
    await toHarbor(harbor.admin, ...all);
    harbor.setReadOnly(true);
    expect((await toHarbor(harbor.admin, ...all)).code).toBe(0);
  });

  it('an immutable tag that would change; an equal one is present', async () => {
    await toHarbor(harbor.admin, ...all);
    harbor.addImmutableRule('team', 'v1');
    const same = await toHarbor(harbor.admin, ...all);
    expect([same.code, statuses(same)]).toEqual([0, { present: 4 }]);
    harbor.requests.length = 0;
    const changed = await push(folder.file('later'), harbor.host, { account: harbor.admin });
    expect([changed.code, failures(changed)]).toEqual([1, { 'team/web:v1': 'TAG_IMMUTABLE' }]);
    expect(writes()).toEqual([]);
    const skipped = await push(folder.file('later'), harbor.host, {
      account: harbor.admin,
      args: ['--on-existing-tag', 'skip'],
    });
    expect([skipped.code, statuses(skipped)]).toEqual([0, { skipped: 1 }]);
  });

  it('a tag that exists, where that is an error', async () => {
    await toHarbor(harbor.admin, ...all);
    harbor.requests.length = 0;
    const result = await push(folder.file('later'), harbor.host, {
      account: harbor.admin,
      args: ['--on-existing-tag', 'error'],
    });
    expect([result.code, failures(result)]).toEqual([1, { 'team/web:v1': 'TAG_EXISTS' }]);
    expect(writes()).toEqual([]);
    const overwritten = await push(folder.file('later'), harbor.host, { account: harbor.admin });
    expect([overwritten.code, harbor.tags('team/web').get('v1')]).toEqual([0, later.built.digest]);
  });

  it('an index without all its platforms; one that is written anew arrives', async () => {
    const multi = buildStorage((s) =>
      s.index('team/multi', 'v1', [
        { platform: 'linux/amd64' },
        { platform: 'linux/arm64' },
        { platform: 'linux/s390x' },
      ]),
    );
    await multi.writeTo(folder.file('multi'));
    const chosen = ['--platform', 'linux/amd64', '--platform', 'linux/arm64'];
    const sparse = await push(folder.file('multi'), harbor.host, {
      account: harbor.admin,
      args: [...chosen, '--sparse'],
    });
    expect([sparse.code, sparse.stderr]).toEqual([
      2,
      expect.stringMatching(/USAGE: .* refuses an index that lacks a platform.*\nhint: leave it out/),
    ]);
    expect(writes()).toEqual([]);
    const anew = await push(folder.file('multi'), harbor.host, { account: harbor.admin, args: chosen });
    expect([anew.code, harbor.tags('team/multi').size]).toEqual([0, 1]);
  });

  it('signed schema1 by Harbor’s version', async () => {
    const old = buildStorage((s) => s.schema1('library/old', 'v1'));
    await old.writeTo(folder.file('schema1'));
    const result = await push(folder.file('schema1'), harbor.host, { account: harbor.admin });
    expect([result.report.images[0]?.status, failures(result)]).toEqual(['skipped', { 'library/old:v1': 'SCHEMA1' }]);
    expect(uploads()).toEqual([]);
  });
});

describe('the dry run', () => {
  it('has the whole plan, and its request count is about what the push takes', async () => {
    harbor.createProject('team');
    const dry = await toHarbor(harbor.admin, ...all, '--dry-run');
    expect(dry.code).toBe(0);
    expect(dry.report.projectsToCreate).toEqual(['other']);
    expect(dry.report.images.map(({ state }) => state)).toEqual(['new', 'new', 'new', 'new']);
    expect(dry.report.estimate?.images).toEqual({ new: 4, changed: 0, present: 0, skipped: 0, refused: 0 });
    expect(dry.report.estimate?.upload.bytes).toBeGreaterThan(200_000);
    expect(writes()).toEqual([]);
    harbor.requests.length = 0;
    const pushed = await toHarbor(harbor.admin, ...all);
    const estimated = dry.report.estimate?.requests ?? 0;
    const sent = harbor.requests.filter(
      ({ path, method }) =>
        (path.startsWith('/v2/') && path !== '/v2/' && method !== 'HEAD') ||
        (path.endsWith('/projects') && method === 'POST'),
    ).length;
    expect(Math.abs(sent - estimated)).toBeLessThanOrEqual(3);
    expect(pushed.report.blobs.bytes).toBeLessThanOrEqual((dry.report.estimate?.upload.bytes ?? 0) + 5000);
    const after = await toHarbor(harbor.admin, ...all, '--dry-run');
    expect(after.report.estimate).toMatchObject({ images: { present: 4 }, upload: { bytes: 0 }, requests: 0 });
  });

  it('names every obstacle and ends as the push would', async () => {
    harbor.addProxyProject('other');
    const { code, report } = await toHarbor(harbor.admin, '--dry-run');
    expect([code, report.estimate?.images.refused]).toEqual([3, 2]);
  });
});

describe('projects', () => {
  it('are created private, or public, for an administrator, a user and a robot of the system', async () => {
    for (const [account, isPublic] of [
      [harbor.admin, false],
      [harbor.addUser('bob', 'Bobby12345'), true],
      [harbor.addPusher('ci', '*'), false],
    ] as const) {
      const name = `made-by-${account.username.replace(/[^a-z]/g, '')}`;
      const { code, stderr } = await toHarbor(account, '--prefix', name, ...(isPublic ? ['--public-projects'] : []));
      expect([code, stderr]).toEqual([0, expect.stringContaining(`created project ${name}`)]);
      const list = (await (await fetch(`${harbor.url}/api/v2.0/projects`)).json()) as { name: string }[];
      expect(list.some((project) => project.name === name)).toBe(isPublic);
    }
  });

  it('a failed first push leaves none that nothing goes into', async () => {
    await toHarbor(harbor.admin, '--fail-fast');
    expect(writes()).toEqual([]);
  });
});

describe('Harbor is known by its answers', () => {
  it('--no-harbor asks its API nothing', async () => {
    const result = await toHarbor(harbor.admin, '--no-harbor', ...all, '--include', 'one');
    expect(result.code).toBe(0);
    expect(harbor.requests.filter(({ path }) => path.startsWith('/api/'))).toEqual([]);
  });

  it('a registry that is none is asked once', async () => {
    const registry = await startRegistry({ accessLog: true });
    try {
      expect((await push(source, registry.host)).code).toBe(0);
      expect(registry.requests().filter(({ path }) => path.startsWith('/api/'))).toHaveLength(1);
    } finally {
      await registry.stop();
    }
  });

  it('cookies are never sent back, and one token serves a project', async () => {
    harbor.requests.length = 0;
    const result = await toHarbor(harbor.admin, ...all);
    expect(result.code).toBe(0);
    expect(harbor.requests.filter(({ path }) => path.startsWith('/service/token')).length).toBeLessThanOrEqual(
      1 + 2 * 3,
    );
  });
});
