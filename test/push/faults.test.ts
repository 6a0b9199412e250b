import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { startHarborDouble, type HarborDouble, type HarborDoubleOptions } from '../harbor/double/start.ts';
import {
  answers,
  startFaultProxy,
  tooManyRequests,
  type Fault,
  type FaultProxy,
  type FaultRule,
} from '../support/fault-proxy.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { readBack, without, type Images } from './support/compare.ts';
import { failures, push, statuses, type PushResult } from './support/regtar.ts';

const folder = temporaryFolder();
const source = folder.file('backup');
/** Larger than what travels in one buffer. */
const streamed = 'streamed '.repeat(80_000);
const store = buildStorage((s) => ({
  'team/app:v1': s.image('team/app', ['v1', 'latest'], { layers: ['shared layer', streamed] }).digest,
  'team/multi:v1': s.index('team/multi', 'v1', [
    { platform: 'linux/amd64', layers: ['for amd64'] },
    { platform: 'linux/arm64', layers: ['for arm64'] },
  ]).digest,
  'other/web:v1': s.image('other/web', 'v1', { format: 'oci', layers: ['shared layer', 'own layer'] }).digest,
  'tools/small:v1': s.image('tools/small', 'v1', { layers: ['small layer'] }).digest,
}));
const all: Images = new Map([...Object.entries(store.built), ['team/app:latest', store.built['team/app:v1']]]);

let registry: Registry;
let proxy: FaultProxy;
/** Everything below lands in one registry, each test beneath a name of its own. */
let prefix = '';
let tests = 0;
/** Requests of a push that nothing disturbs. */
let undisturbed = 0;

beforeAll(async () => {
  await store.writeTo(source);
  registry = await startRegistry();
});
afterAll(async () => {
  await registry.stop();
  folder.remove();
});
beforeEach(async () => {
  prefix = `test${tests++}/`;
  proxy = await startFaultProxy(registry.url);
});
afterEach(() => proxy.stop());

const pushThrough = (...args: string[]): Promise<PushResult> =>
  push(source, `${proxy.host}/${prefix}`, { args: ['--stall-timeout', '0.5', ...args] });
const arrived = (): Promise<Map<string, string>> => readBack(registry, prefix);

it('without a fault everything arrives', async () => {
  const result = await pushThrough();
  expect([result.code, statuses(result)]).toEqual([0, { copied: all.size }]);
  expect(await arrived()).toEqual(all);
  undisturbed = proxy.requests.length;
});

/** One request in six, whatever it asks, over and over; but nothing thrice: a 500 is tried again twice only. */
function oneInSix(): Exclude<FaultRule['nth'], number | readonly number[] | undefined> {
  const hits = new Map<string, number>();
  return (n, { method, path }) => {
    if (n % 6 !== 4) return false;
    const before = hits.get(`${method} ${path}`) ?? 0;
    hits.set(`${method} ${path}`, before + 1);
    return before < 2;
  };
}

/** Each hits `oneInSix`. */
const passing: readonly (readonly [string, () => Fault])[] = [
  ['resets before the body', () => ({ kind: 'reset', when: 'before-body' })],
  ['resets in the body', () => ({ kind: 'reset', when: 'in-body', bytes: 5 })],
  ['resets after the body', () => ({ kind: 'reset', when: 'after-body' })],
  ['resets in the answer', () => ({ kind: 'reset', when: 'in-answer' })],
  ['408', () => answers.requestTimeout],
  ['429 with seconds', () => tooManyRequests(1)],
  ['429 with a date', () => tooManyRequests(new Date(Date.now() + 1000))],
  ['500', () => answers.internalError],
  ['502 with a page', () => answers.badGatewayPage],
  ['502 without a body', () => answers.badGatewayEmpty],
  ['503', () => answers.unavailable],
  ['silence in the request', () => ({ kind: 'stall', when: 'request', bytes: 3 })],
  ['silence instead of an answer', () => ({ kind: 'stall', when: 'answer' })],
  ['answers that are cut', () => ({ kind: 'truncate', bytes: 1 })],
  ['answers that come in drops', () => ({ kind: 'trickle', bytes: 20, milliseconds: 10 })],
  ['requests that arrive twice', () => ({ kind: 'duplicate' })],
  ['relative Locations', () => ({ kind: 'location', origin: 'relative' })],
  ['Locations with another name of the registry', () => ({ kind: 'location', origin: registry.url })],
];

describe('a push that meets again and again', () => {
  it.each(passing)('%s arrives complete, with few requests more', async (_name, fault) => {
    // Waiting a second each time would make the test as slow as it makes the push.
    const nth =
      fault().kind === 'answer' && 'headers' in fault() && JSON.stringify(fault()).includes('Retry-After')
        ? [4, 20]
        : oneInSix();
    proxy.add({ nth, fault: fault() });
    const result = await pushThrough();
    expect([result.code, statuses(result), result.stderr]).toEqual([
      0,
      { copied: all.size },
      expect.not.stringMatching(/regtar:|Warning/),
    ]);
    expect(await arrived()).toEqual(all);
    const spoiled = proxy.requests.filter(({ fault: done }) => done !== undefined).length;
    expect(spoiled).toBeGreaterThan(1);
    // The request again, and at most a question how far it came and a new beginning.
    expect(proxy.requests.length).toBeLessThanOrEqual(undisturbed + 3 * spoiled);
  });
});

it('a registry that forgets its pieces when one breaks gets a large blob in one request again', async () => {
  const large = buildStorage((s) => s.image('large/app', 'v1', { layers: [streamed] }));
  await large.writeTo(folder.file('large'));
  const reset: Fault = { kind: 'reset', when: 'in-body', bytes: 5 };
  const layer = new RegExp(large.built.blobs[1]?.digest.slice('sha256:'.length) ?? 'no layer');
  // The third break in a row leads to pieces, of which every second breaks for ever.
  proxy.add(
    { method: 'PUT', path: layer, nth: [1, 2, 3], fault: reset },
    { method: 'PATCH', nth: (n) => n % 2 === 0, fault: reset },
  );
  const result = await push(folder.file('large'), `${proxy.host}/${prefix}`);
  expect([result.code, statuses(result)]).toEqual([0, { copied: 1 }]);
  expect([proxy.count({ method: 'PUT', path: layer }), proxy.count({ method: 'PATCH' })]).toEqual([4, 2]);
  expect(await arrived()).toEqual(new Map([['large/app:v1', large.built.digest]]));
});

describe('what does not pass', () => {
  const retries = ['--retry-times', '2'];

  it.each([
    ['503', answers.unavailable, 'TARGET_UNAVAILABLE', 3],
    ['a reset', { kind: 'reset', when: 'before-body' } as const, 'TARGET_UNREACHABLE', 3],
    ['silence', { kind: 'stall', when: 'request', bytes: 3 } as const, 'TARGET_TIMEOUT', 3],
    ['500', answers.internalError, 'TARGET_UNAVAILABLE', 3],
    ['an hour to wait', tooManyRequests(3600), 'TARGET_UNAVAILABLE', 1],
    [
      '403',
      { kind: 'answer', status: 403, body: '{"errors":[{"code":"DENIED","message":"no pushes on Fridays"}]}' } as const,
      'AUTH_DENIED',
      1,
    ],
  ])(
    '%s on one manifest fails that image by name within its limits; the others arrive',
    async (_name, fault, code, attempts) => {
      proxy.add({ method: 'PUT', path: /tools\/small\/manifests/, fault });
      const begun = performance.now();
      const result = await pushThrough(...retries);
      expect([result.code, failures(result)]).toEqual([3, { 'tools/small:v1': code }]);
      expect(result.stderr).toMatch(new RegExp(`regtar: ${code}: `));
      expect(await arrived()).toEqual(without(all, failures(result)));
      expect(proxy.count({ method: 'PUT', path: /tools\/small\/manifests/ })).toBe(attempts);
      expect(performance.now() - begun).toBeLessThan(20_000);
      // What the fault has left behind is not an obstacle.
      proxy.heal();
      expect((await pushThrough()).code).toBe(0);
      expect(await arrived()).toEqual(all);
    },
  );

  it('a blob that fails for good fails every image that needs it, and no tag of them appears', async () => {
    proxy.add({ method: ['PUT', 'PATCH'], path: /(?:team\/app|other\/web)\/blobs/, fault: answers.badGatewayEmpty });
    const result = await pushThrough(...retries);
    expect([result.code, failures(result)]).toEqual([
      3,
      {
        'team/app:v1': 'TARGET_UNAVAILABLE',
        'team/app:latest': 'TARGET_UNAVAILABLE',
        'other/web:v1': 'TARGET_UNAVAILABLE',
      },
    ]);
    expect(await arrived()).toEqual(without(all, failures(result)));
  });

  it('a Location on a strange host gets the bytes but no password, and no tag appears', async () => {
    const seen: (string | undefined)[] = [];
    const stranger = createServer((request, response) => {
      seen.push(request.headers.authorization);
      request.resume().on('end', () => response.writeHead(201).end());
    });
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      stranger.close();
      stranger.closeAllConnections();
    });
    const account = { username: 'pusher', password: 'secret-of-the-pusher' };
    const guarded = await startRegistry({ htpasswd: account });
    onTestFinished(() => guarded.stop());
    const front = await startFaultProxy(guarded.url, [
      {
        method: 'POST',
        fault: { kind: 'location', origin: `http://127.0.0.1:${(stranger.address() as AddressInfo).port}` },
      },
    ]);
    onTestFinished(() => front.stop());
    const result = await push(source, front.host, { account, args: retries });
    expect([result.code, new Set(Object.values(failures(result)))]).toEqual([1, new Set(['CHILD_MISSING'])]);
    expect(seen.length).toBeGreaterThan(0);
    expect(new Set(seen)).toEqual(new Set([undefined]));
    expect(await readBack({ url: guarded.url, ...account })).toEqual(new Map());
  });

  it('a registry that goes away ends the run soon, with one reason and no storm', async () => {
    const many = buildStorage((s) =>
      Array.from({ length: 60 }, (_, number) => s.image(`many/app${number}`, 'v1', { layers: [`layer ${number}`] })),
    );
    await many.writeTo(folder.file('many'));
    proxy.add({ method: ['PUT', 'POST'], nth: (n) => n > 20, fault: answers.badGatewayPage });
    const result = await push(folder.file('many'), `${proxy.host}/${prefix}`, { args: [...retries, '--jobs', '4'] });
    expect(result.code).toBe(3);
    const failed = Object.keys(failures(result)).length;
    expect(failed).toBeGreaterThan(40);
    expect(proxy.requests.filter(({ fault }) => fault !== undefined).length).toBeLessThan(80);
    expect((await arrived()).size).toBe(60 - failed);
    expect(result.stderr).toMatch(/not tried any more: .*502/);
    // One reason for all of them, the names of those that were tried, and a few of the others.
    expect(result.stderr.match(/^regtar: /gm)).toHaveLength(2);
    expect(result.stderr.split('\n').length).toBeLessThan(30);
    const untried = result.report.images.filter((image) => image.untried === true).length;
    expect(untried).toBeGreaterThan(40);
    expect(Object.keys(failures(result)).filter((name) => result.stderr.includes(`  ${name}\n`))).toHaveLength(
      failed - untried,
    );
  });
});

it.each([
  [
    'nothing listens',
    async (): Promise<string> => {
      const host = proxy.host;
      await proxy.stop();
      return host;
    },
    /^regtar: TARGET_UNREACHABLE: no answer from http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED.*\nhint: nothing listens there: check host and port, and that the registry runs\n$/,
  ],
  [
    'every request fails',
    (): Promise<string> => {
      proxy.add({ fault: answers.badGatewayPage });
      return Promise.resolve(proxy.host);
    },
    /^regtar: TARGET_UNAVAILABLE: 127\.0\.0\.1:\d+ does not work: GET \/v2\/ was answered with 502\nhint: .*\n$/,
  ],
])('where %s, it is told in two lines', async (_name, prepare, words) => {
  const { code, stderr, stdout } = await push(source, await prepare());
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(words);
});

describe('in front of Harbor', () => {
  async function harborDouble(options: HarborDoubleOptions = {}): Promise<HarborDouble> {
    const harbor = await startHarborDouble(options);
    onTestFinished(() => harbor.stop());
    return harbor;
  }
  async function inFrontOf(harbor: HarborDouble): Promise<FaultProxy> {
    const front = await startFaultProxy(harbor.url);
    onTestFinished(() => front.stop());
    return front;
  }

  it('a token service that fails now and then is waited for', async () => {
    const harbor = await harborDouble();
    const front = await inFrontOf(harbor);
    front.add({ path: /^\/service\/token/, nth: (n) => n % 2 === 1, fault: answers.badGatewayPage });
    const result = await push(source, front.host, { account: harbor.admin });
    expect([result.code, statuses(result), result.stderr]).toEqual([
      0,
      { copied: all.size },
      expect.not.stringMatching('regtar:'),
    ]);
    expect(await readBack({ url: harbor.url, ...harbor.admin })).toEqual(all);
  });

  it('a token service that is down ends the push by its name', async () => {
    const harbor = await harborDouble();
    const front = await inFrontOf(harbor);
    front.add({ path: /^\/service\/token/, fault: answers.unavailable });
    const result = await push(source, front.host, { account: harbor.admin, args: ['--retry-times', '2'] });
    expect([result.code, result.stderr]).toEqual([
      1,
      expect.stringMatching(/^regtar: AUTH_TOKEN: .*\/service\/token.*503.*\nhint: .*\n$/),
    ]);
    expect(front.count({ path: /^\/service\/token/ })).toBeLessThanOrEqual(3);
    expect(harbor.repositories()).toEqual([]);
  });

  it('a token service that goes down during the push fails what is left by its name', async () => {
    const harbor = await harborDouble({ tokenLifeSeconds: 3, tokenLeewaySeconds: 0 });
    const front = await inFrontOf(harbor);
    const isManifest = { method: 'PUT', path: /manifests/ };
    front.add({ ...isManifest, nth: 1, fault: { kind: 'stall', when: 'answer', milliseconds: 3200 } });
    const breaks = setInterval(() => {
      if (front.count(isManifest) === 0) return;
      clearInterval(breaks);
      front.add({ path: /^\/service\/token/, fault: answers.unavailable });
    }, 5);
    onTestFinished(() => clearInterval(breaks));
    const result = await push(source, front.host, {
      account: harbor.admin,
      args: ['--retry-times', '1', '--jobs', '1'],
    });
    expect([result.code, new Set(Object.values(failures(result)))]).toEqual([3, new Set(['AUTH_TOKEN'])]);
    expect(await readBack({ url: harbor.url, ...harbor.admin })).toEqual(without(all, failures(result)));
  });

  it('a proxy that limits bodies gets chunks', async () => {
    const harbor = await harborDouble({ clientMaxBodySize: 300_000 });
    const result = await push(source, harbor.host, { account: harbor.admin });
    expect([result.code, statuses(result), result.stderr]).toEqual([
      0,
      { copied: all.size },
      expect.not.stringMatching('regtar:'),
    ]);
    expect(await readBack({ url: harbor.url, ...harbor.admin })).toEqual(all);
    expect(
      harbor.requests.filter(({ method, status }) => method === 'PATCH' && status === 202).length,
    ).toBeGreaterThanOrEqual(2);
    // The front may close the connection before its answer is read; then it is asked again.
    expect(harbor.requests.filter(({ status }) => status === 413).length).toBeLessThanOrEqual(6);
    const told = await push(source, harbor.host, {
      account: harbor.admin,
      args: ['--chunk-size', '250k', '--prefix', 'again'],
    });
    expect(told.code).toBe(0);
    expect(harbor.requests.filter(({ path, status }) => path.includes('/again/') && status === 413)).toEqual([]);
  });

  it.each(['bad-gateway', 'reset', 'answer'] as const)(
    'a quota that is used up meanwhile is told although it looks like trouble of the network (%s)',
    async (earlyRefusal) => {
      const harbor = await harborDouble({ earlyRefusal });
      harbor.createProject('big', { storageLimit: 8_000_000 });
      const big = buildStorage((s) => s.image('big/app', 'v1', { layers: ['x'.repeat(6_000_000)] }));
      await big.writeTo(folder.file(`big-${earlyRefusal}`));
      const front = await inFrontOf(harbor);
      // Somebody else fills the project between our look at it and our bytes.
      front.add({ method: 'POST', path: /\/v2\/big\//, fault: { kind: 'trickle', bytes: 1, milliseconds: 1 } });
      const fill = setInterval(() => {
        if (front.count({ method: 'POST', path: /\/v2\/big\// }) > 0) harbor.setQuota('big', 100_000);
      }, 1);
      onTestFinished(() => clearInterval(fill));
      const result = await push(folder.file(`big-${earlyRefusal}`), front.host, { account: harbor.admin });
      expect([result.code, failures(result)]).toEqual([1, { 'big/app:v1': 'QUOTA_EXCEEDED' }]);
      expect(front.count({ method: 'PUT', path: /big.*size|digest/ })).toBeLessThanOrEqual(3);
      expect(harbor.tags('big/app').size).toBe(0);
    },
  );
});
