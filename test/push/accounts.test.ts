import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { startHarborDouble, type Credentials, type HarborDouble } from '../harbor/double/start.ts';
import { startTokenService } from '../remote/token-service.ts';
import { createAuthority } from '../support/certificates.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { startRegistry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { readBack } from './support/compare.ts';
import { failures, push, statuses, type PushResult } from './support/regtar.ts';

const folder = temporaryFolder();
const source = folder.file('backup');
const store = buildStorage((s) => [
  s.image('team/web', 'v1', { layers: ['layer of web'] }),
  s.image('other/api', 'v1', { layers: ['layer of api'] }),
]);
const full = folder.file('full');
const many = buildStorage((s) => {
  for (let count = 0; count < 24; count++) s.image(`team/app${count}`, 'v1', { layers: [`${count}`.repeat(3000)] });
  s.image('other/api', 'v1', { layers: ['layer of api'] });
});

let harbor: HarborDouble;

beforeAll(async () => {
  await store.writeTo(source);
  await many.writeTo(full);
});
beforeEach(async () => {
  harbor = await startHarborDouble({ loginLockMilliseconds: 50 });
  harbor.createProject('team');
  harbor.createProject('other');
});
afterEach(() => harbor.stop());
afterAll(() => folder.remove());

/** An authfile with one key for each path below the host; an empty path is the host itself. */
function authfile(accounts: Readonly<Record<string, Credentials>>, host = harbor.host): string {
  const auths = Object.entries(accounts).map(([path, { username, password }]) => [
    path === '' ? host : `${host}/${path}`,
    { auth: Buffer.from(`${username}:${password}`).toString('base64') },
  ]);
  const file = folder.file('auth.json');
  writeFileSync(file, JSON.stringify({ auths: Object.fromEntries(auths) as unknown }));
  return file;
}

const pushAs = (accounts: Readonly<Record<string, Credentials>>, path = '', ...args: string[]): Promise<PushResult> =>
  push(source, `${harbor.host}${path}`, { args: ['--authfile', authfile(accounts), ...args] });

const uploads = (): string[] =>
  harbor.requests
    .filter(({ method, path }) => !['GET', 'HEAD'].includes(method) && path.startsWith('/v2/'))
    .map(({ method, path }) => `${method} ${path}`);

describe('robots of projects in an authfile', () => {
  it('push each into its own, without any account for the host', async () => {
    const result = await pushAs({
      team: harbor.addPusher('pusher', 'team'),
      other: harbor.addPusher('pusher', 'other'),
    });
    expect([result.code, statuses(result)]).toEqual([0, { copied: 2 }]);
    expect(harbor.requests.filter(({ auth, status }) => auth !== 'none' && status === 401)).toEqual([]);
  });

  it('a project without one is named before anything is sent; the others go on', async () => {
    const result = await pushAs({ team: harbor.addPusher('pusher', 'team') });
    expect([result.code, failures(result)]).toEqual([3, { 'other/api:v1': 'AUTH_FAILED' }]);
    expect(result.stderr).toContain('no credential for other/api');
    expect(harbor.repositories()).toEqual(['team/web']);
  });

  it('one with a wrong password fails its project alone', async () => {
    const result = await pushAs({
      team: harbor.addPusher('pusher', 'team'),
      other: { username: 'robot$other+pusher', password: 'not-it' },
    });
    expect([result.code, failures(result)]).toEqual([3, { 'other/api:v1': 'AUTH_FAILED' }]);
    expect(result.stderr).toContain('robot$other+pusher');
  });

  it('two in one project are judged each by itself', async () => {
    const both = buildStorage((s) => [s.image('team/web', 'v1'), s.image('team/api', 'v1')]);
    await both.writeTo(folder.file('both'));
    const accounts = {
      'team/web': harbor.addPusher('pusher', 'team'),
      'team/api': { username: 'robot$team+other', password: 'not-it' },
    };
    const result = await push(folder.file('both'), harbor.host, { args: ['--authfile', authfile(accounts)] });
    expect([result.code, failures(result)]).toEqual([3, { 'team/api:v1': 'AUTH_FAILED' }]);
    expect(harbor.repositories()).toEqual(['team/web']);
  });

  it('stand beside an account for the host, which has the rest', async () => {
    const result = await pushAs({ '': harbor.admin, team: harbor.addPusher('pusher', 'team') });
    expect([result.code, statuses(result)]).toEqual([0, { copied: 2 }]);
  });

  it('are found for TARGET with a project', async () => {
    const result = await pushAs({ team: harbor.addPusher('pusher', 'team') }, '/team');
    expect([result.code, statuses(result)]).toEqual([0, { copied: 2 }]);
    expect(harbor.repositories()).toEqual(['team/other/api', 'team/team/web']);
  });
});

const only = (action: string, project: string): Credentials =>
  harbor.addRobot({
    name: action,
    level: 'project',
    duration: -1,
    permissions: [{ kind: 'project', namespace: project, access: [{ resource: 'repository', action }] }],
  });

describe('rights are known before the first byte', () => {
  it.each([
    ['may not push', (): Credentials => only('pull', 'team')],
    ['may not pull', (): Credentials => only('push', 'team')],
    [
      'may not push',
      (): Credentials => {
        harbor.createProject('public', { public: true });
        return harbor.addPusher('stranger', 'other');
      },
    ],
  ])('a robot that %s', async (words, account) => {
    const robot = account();
    const args = [
      '--include',
      'team/web',
      ...(robot.username.includes('other+') ? ['--map', 'team/**=public/**'] : []),
    ];
    const result = await push(source, harbor.host, { account: robot, args });
    expect([result.code, failures(result)]).toEqual([1, { 'team/web:v1': 'PROJECT_FORBIDDEN' }]);
    expect(result.stderr).toContain(words);
    expect(uploads()).toEqual([]);
  });

  it('a limit that is not respected is told', async () => {
    const alice = harbor.addUser('alice', 'Alice12345');
    const args = ['--storage-limit', '10G', '--map', '**=new/**'];
    const result = await push(source, harbor.host, { account: alice, args });
    expect(result.code).toBe(0);
    expect(result.stderr).toMatch(/storage limit is not used for new: .* administrators only/);
    const asAdmin = await push(source, harbor.host, {
      account: harbor.admin,
      args: ['--storage-limit', '10G', '--map', '**=newer/**'],
    });
    expect(asAdmin.stderr).not.toContain('storage limit');
  });
});

describe('a project without room', () => {
  it('that is yet to be created has the quota of new projects', async () => {
    harbor.settings.storagePerProject = 10;
    const result = await push(source, harbor.host, { account: harbor.admin, args: ['--map', '**=new/**'] });
    expect([result.code, new Set(Object.values(failures(result)))]).toEqual([1, new Set(['QUOTA_EXCEEDED'])]);
    expect(harbor.requests.filter(({ method }) => method === 'POST')).toEqual([]);
  });

  it('stops with one reason for all of its images, and the other projects go on', async () => {
    // A robot may not read quotas, so only the first refusal tells.
    harbor.setQuota('team', 20_000);
    const result = await push(full, harbor.host, { account: harbor.addPusher('pusher', '*'), args: ['-j', '2'] });
    expect(result.code).toBe(3);
    expect(new Set(Object.values(failures(result)))).toEqual(new Set(['QUOTA_EXCEEDED']));
    expect(Object.keys(failures(result)).every((name) => name.startsWith('team/'))).toBe(true);
    expect(result.stderr.match(/^regtar: /gm)).toHaveLength(1);
    expect(result.stderr).toMatch(
      /^regtar: QUOTA_EXCEEDED: project team of \S+ is full: .*\nhint: .*\n\d+ images: .* more .*\n/m,
    );
    expect(harbor.repositories()).toContain('other/api');
    // What is known to be full is not tried image by image.
    const refused = harbor.requests.filter(({ status, path }) => status === 403 && path.startsWith('/v2/'));
    expect(refused.length).toBeLessThan(5);
  });
});

describe('credentials by path on a registry that is not a Harbor', () => {
  it('that are wrong or absent fail their own images alone, before the first byte', async () => {
    const account = { username: 'pusher', password: 'secret' };
    const registry = await startRegistry({ htpasswd: account, accessLog: true });
    onTestFinished(() => registry.stop());
    const three = buildStorage((s) => [
      s.image('team/web', 'v1'),
      s.image('other/api', 'v1'),
      s.image('third/x', 'v1'),
    ]);
    await three.writeTo(folder.file('three'));
    const auths = [
      ['team', account],
      ['other', { ...account, password: 'not-it' }],
    ] as const;
    const keys = auths.map(([path, { username, password }]) => [
      `${registry.host}/${path}`,
      { auth: Buffer.from(`${username}:${password}`).toString('base64') },
    ]);
    writeFileSync(folder.file('three.json'), JSON.stringify({ auths: Object.fromEntries(keys) as unknown }));
    const args = ['--authfile', folder.file('three.json')];
    const result = await push(folder.file('three'), registry.host, { args });
    expect([result.code, failures(result)]).toEqual([
      3,
      { 'other/api:v1': 'AUTH_FAILED', 'third/x:v1': 'AUTH_FAILED' },
    ]);
    expect(result.stderr).toContain('there is no credential for third/x');
    expect(await readBack({ url: registry.url, ...account })).toEqual(
      new Map([['team/web:v1', three.built[0]?.digest]]),
    );
    expect(registry.requests().filter(({ path }) => /\/v2\/(?:other|third)\//.test(path))).toEqual([]);
  });
});

describe('an account that a token service knows no more in the middle of a push', () => {
  it.each([
    ['one of two', 'fails what is left of its path, and the other path goes on', 'AUTH_DENIED'],
    ['the only one', 'ends the run', 'AUTH_FAILED'],
  ])('%s %s', async (which, _, code) => {
    const isOne = which === 'one of two';
    const authority = await createAuthority(folder.path);
    const users: Record<string, string> = { team: 'of-the-team', other: 'of-others' };
    const service = await startTokenService({
      issuer: 'issuer',
      service: 'registry',
      signer: await authority.issue('signer'),
      users,
      lifeSeconds: 2,
    });
    onTestFinished(() => service.stop());
    const tokenService = {
      realm: service.realm,
      service: 'registry',
      issuer: 'issuer',
      rootcertbundle: authority.certificate,
    };
    const registry = await startRegistry({ tokenService });
    onTestFinished(() => registry.stop());
    const proxy = await startFaultProxy(registry.url);
    onTestFinished(() => proxy.stop());
    // Until this answer comes the account is gone, and every token that it had has ended.
    proxy.add({
      method: 'PUT',
      path: /team\/.*manifests/,
      nth: 3,
      fault: { kind: 'stall', when: 'answer', milliseconds: 2500 },
    });
    const account = (name: string): Credentials => ({ username: name, password: users[name] ?? '' });
    const [team, other] = [account('team'), account('other')];
    const file = authfile(isOne ? { team, other } : { '': team }, proxy.host);
    const pushing = push(full, proxy.host, { args: ['--authfile', file, '-j', '1'] });
    await expect.poll(() => proxy.requests.some(({ fault }) => fault === 'stall'), { timeout: 60_000 }).toBe(true);
    delete users['team'];
    const result = await pushing;
    const failed = failures(result);
    expect([result.code, new Set(Object.values(failed))]).toEqual([3, new Set([code])]);
    expect(statuses(result)['copied']).toBeGreaterThan(2);
    expect(result.stderr).toContain('"team"');
    expect(result.stderr).not.toContain(team.password);
    if (!isOne) return;
    expect(Object.keys(failed).every((name) => name.startsWith('team/'))).toBe(true);
    expect(result.report.images.find(({ repository }) => repository === 'other/api')?.status).toBe('copied');
  });
});

it('a robot that is disabled midway is not logged in again for each image of its project', async () => {
  harbor.settings.tokenLifeSeconds = 2;
  harbor.settings.tokenLeewaySeconds = 0;
  const file = authfile({ team: harbor.addPusher('pusher', 'team'), other: harbor.addPusher('pusher', 'other') });
  const proxy = await startFaultProxy(harbor.url);
  onTestFinished(() => proxy.stop());
  // Until this answer comes the robot is disabled, and every token that it had has ended.
  const fault = { kind: 'stall', when: 'answer', milliseconds: 2500 } as const;
  proxy.add({ method: 'PUT', path: /team\/.*manifests/, nth: 3, fault });
  const text = readFileSync(file, 'utf8').replaceAll(harbor.host, proxy.host);
  writeFileSync(file, text);
  const pushing = push(full, proxy.host, { args: ['--authfile', file, '-j', '1'] });
  await expect.poll(() => proxy.requests.some(({ fault: met }) => met === 'stall'), { timeout: 60_000 }).toBe(true);
  harbor.disableRobot('robot$team+pusher');
  const before = harbor.requests.length;
  const result = await pushing;
  const failed = failures(result);
  expect([result.code, new Set(Object.values(failed))]).toEqual([3, new Set(['AUTH_DENIED'])]);
  expect(Object.keys(failed).every((name) => name.startsWith('team/'))).toBe(true);
  expect(Object.keys(failed).length).toBeGreaterThan(15);
  expect(result.report.images.find(({ repository }) => repository === 'other/api')?.status).toBe('copied');
  const asked = harbor.requests.slice(before).filter(({ path }) => path.includes('repository%3Ateam'));
  expect(asked.length).toBeLessThan(10);
});
