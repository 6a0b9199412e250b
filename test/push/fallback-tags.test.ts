import { afterAll, beforeAll, expect, it } from 'vitest';
import { startHarborDouble, type HarborDouble } from '../harbor/double/start.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { push } from './support/regtar.ts';

const folder = temporaryFolder();
const source = folder.file('backup');
const { built, writeTo } = buildStorage((s) => {
  const app = s.image('team/app', 'v1', { layers: ['app'] });
  const sbom = s.artifact('team/app', undefined, { subject: app, artifactType: 'example/sbom', body: 'what is in it' });
  // What a client leaves in a registry without the referrers API.
  const fallback = s.index('team/app', app.digest.replace(':', '-'), [sbom]);
  return { app, sbom, fallback, signature: s.signature(app) };
});

let harbor: HarborDouble;
beforeAll(async () => {
  await writeTo(source);
  harbor = await startHarborDouble();
});
afterAll(async () => {
  await harbor.stop();
  folder.remove();
});

/** Manifests that were put, by what they were called. */
const put = (): string[] =>
  harbor.requests
    .filter(({ method, path }) => method === 'PUT' && path.includes('/manifests/'))
    .map(({ path }) => path.slice(path.lastIndexOf('/') + 1).replace(/\?.*$/, ''));
const fallbackTag = built.app.digest.replace(':', '-');

it('a fallback tag stays behind where the target lists referrers itself; what it lists and .sig tags travel', async () => {
  const result = await push(source, harbor.host, { account: harbor.admin });
  expect([result.code, result.stderr]).toEqual([0, expect.stringContaining('lists referrers itself')]);
  expect(put()).not.toContain(fallbackTag);
  expect(put()).not.toContain(built.fallback.digest);
  expect(put()).toEqual(expect.arrayContaining(['v1', built.sbom.digest, `${fallbackTag}.sig`]));
});

it('--keep-fallback-tags sends it all the same', async () => {
  const result = await push(source, harbor.host, { account: harbor.admin, args: ['--keep-fallback-tags'] });
  expect(result.code).toBe(0);
  expect(put()).toContain(fallbackTag);
});
