import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { bodyOf } from '../../src/io/body.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { mountBlob } from '../../src/remote/blobs.ts';
import { openRegistry, type Registry } from '../../src/remote/registry.ts';
import { Secret } from '../../src/net/secret.ts';
import { uploadBlob } from '../../src/remote/upload.ts';
import { startHarborDouble, type HarborDouble } from '../harbor/double/start.ts';
import { errorOf } from './expect-error.ts';

let harbor: HarborDouble;
const opened: Registry[] = [];

beforeAll(async () => {
  harbor = await startHarborDouble({ loginLockMilliseconds: 50 });
  harbor.createProject('pa');
  harbor.createProject('pb');
});
afterAll(() => harbor.stop());
beforeEach(() => void (harbor.requests.length = 0));
afterEach(async () => {
  await Promise.all(opened.splice(0).map((registry) => registry.close()));
});

async function open(username = harbor.admin.username, password = harbor.admin.password): Promise<Registry> {
  const registry = await openRegistry({
    host: harbor.host,
    retry: { times: 2, delaySeconds: 0.02 },
    credentials: () => Promise.resolve(credential),
  });
  const credential = { kind: 'basic', username, password: new Secret(password), origin: '--username' } as const;
  opened.push(registry);
  return registry;
}

async function push(registry: Registry, repository: string, size = 1000): Promise<Digest> {
  const bytes = randomBytes(size);
  await uploadBlob(registry, repository, { digest: digestOf(bytes), size }, (from = 0) => bodyOf(bytes.subarray(from)));
  return digestOf(bytes);
}

it('a login is proven, although wrong passwords pass as anonymous elsewhere', async () => {
  expect(await (await open()).login()).toMatchObject({ username: 'admin' });
  expect(await errorOf((await open('admin', 'wrong')).login())).toMatchObject({ code: 'AUTH_FAILED' });
});

it('blobs are pushed and mounted across projects with one token that grows, and no cookie', async () => {
  const registry = await open();
  const digest = await push(registry, 'pa/app');
  expect(await mountBlob(registry, 'pb/app', digest, 'pa/app')).toBe('mounted');
  expect(harbor.requests.filter(({ path }) => path.startsWith('/service/token')).length).toBe(2);
  expect(harbor.requests.every(({ status }) => status < 400 || status === 401)).toBe(true);
});

it('a mount from a project that is not there is refused, and an upload goes on', async () => {
  const registry = await open();
  expect(await mountBlob(registry, 'pa/app', digestOf(randomBytes(3)), 'missing/app')).toBe('refused');
  await push(registry, 'pa/app');
});

it('missing projects, quotas and read-only mode have their own names', async () => {
  const registry = await open();
  expect(await errorOf(push(registry, 'missing/app'))).toMatchObject({ code: 'PROJECT_MISSING' });
  harbor.setQuota('pb', 10);
  expect(await errorOf(push(registry, 'pb/app'))).toMatchObject({ code: 'QUOTA_EXCEEDED' });
  harbor.setQuota('pb', -1);
  harbor.setReadOnly(true);
  expect(await errorOf(push(registry, 'pa/app'))).toMatchObject({ code: 'READ_ONLY' });
  harbor.setReadOnly(false);
});

it('a project that is created later is pushed to after its token is forgotten', async () => {
  const registry = await open();
  expect(await errorOf(push(registry, 'late/app'))).toMatchObject({ code: 'PROJECT_MISSING' });
  harbor.createProject('late');
  registry.forgetTokens();
  await push(registry, 'late/app');
});

it('a token that ends is replaced while an upload goes on', async () => {
  Object.assign(harbor.settings, { tokenLifeSeconds: 2, tokenLeewaySeconds: 0 });
  const registry = await open();
  const bytes = randomBytes(900_000);
  const digest = digestOf(bytes);
  await uploadBlob(registry, 'pa/slow', { digest, size: bytes.length }, (from = 0) => bodyOf(bytes.subarray(from)), {
    chunkBytes: 300_000,
    journal: { save: () => new Promise((resolve) => setTimeout(resolve, 2100)), forget: () => undefined },
  });
  Object.assign(harbor.settings, { tokenLifeSeconds: 1800, tokenLeewaySeconds: 60 });
  expect(harbor.requests.filter(({ method }) => method === 'POST').length).toBe(1);
});
