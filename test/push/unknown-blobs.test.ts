import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { regtar } from '../e2e/support/regtar.ts';
import { expected, fixturePath } from '../support/fixture.ts';
import { startFaultProxy, type FaultRule, type ProxiedRequest } from '../support/fault-proxy.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { readBack } from './support/compare.ts';
import { failures, push, statuses, type PushResult } from './support/regtar.ts';

const folder = temporaryFolder();
const ofFixture = expected.tags.map(({ repository, tag, digest }) => [`${repository}:${tag}`, digest]);
let registry: Registry;
beforeAll(async () => void (registry = await startRegistry()));
afterAll(async () => {
  await registry.stop();
  folder.remove();
});

async function pushThrough(
  prefix: string,
  rules: readonly FaultRule[],
): Promise<PushResult & { readonly requests: readonly ProxiedRequest[] }> {
  const proxy = await startFaultProxy(registry.url, rules);
  onTestFinished(() => proxy.stop());
  return { ...(await push(fixturePath, `${proxy.host}/${prefix}`, { args: ['--verify'] })), requests: proxy.requests };
}

const unknown = (digest: string): string =>
  JSON.stringify({ errors: [{ code: 'MANIFEST_BLOB_UNKNOWN', message: 'blob unknown to registry', detail: digest }] });

it('a manifest that is refused for blobs which are there is sent again', async () => {
  const result = await pushThrough('passing', [
    {
      method: 'PUT',
      path: /manifests/,
      // Four: fewer than the attempts of a manifest that meets all of them.
      nth: (n) => n < 12 && n % 3 === 1,
      fault: { kind: 'answer', status: 400, body: unknown(`sha256:${'0'.repeat(64)}`) },
    },
  ]);
  expect([result.code, failures(result)]).toEqual([0, {}]);
  expect([...(await readBack(registry, 'passing/'))]).toEqual(expect.arrayContaining(ofFixture));
});

it('a manifest that is always refused fails its image, and says what the registry said', async () => {
  const result = await pushThrough('lasting', [
    {
      method: 'PUT',
      path: /manifests\/edge/,
      fault: { kind: 'answer', status: 400, body: unknown(`sha256:${'0'.repeat(64)}`) },
    },
  ]);
  expect([result.code, Object.keys(failures(result))]).toEqual([3, ['tools/hello:edge']]);
  expect(result.stderr).toContain('blob unknown to registry');
});

it('a mount that was answered falsely is found, and the blob is sent', async () => {
  for (const headers of [{}, { 'Docker-Content-Digest': `sha256:${'1'.repeat(64)}` }]) {
    const prefix = `mounted-${Object.keys(headers).length}`;
    const result = await pushThrough(prefix, [
      {
        method: 'POST',
        path: /\?mount=/,
        fault: { kind: 'answer', status: 201, headers: { Location: '/v2/x', ...headers } },
      },
    ]);
    expect([result.code, failures(result)]).toEqual([0, {}]);
    expect([...(await readBack(registry, `${prefix}/`))]).toEqual(expect.arrayContaining(ofFixture));
  }
});

it('--verify reads manifests, not what is said of them, and asks once for what images share', async () => {
  const result = await pushThrough('changed', [
    {
      method: 'GET',
      path: /manifests\/edge/,
      fault: {
        kind: 'answer',
        status: 200,
        headers: { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' },
        body: '{}',
      },
    },
  ]);
  expect([result.code, failures(result)]).toEqual([3, { 'tools/hello:edge': 'TARGET_DIFFERS' }]);
  const asked = result.requests.filter(({ method, path }) => method === 'HEAD' && path.includes('/blobs/'));
  expect(asked.length).toBeGreaterThan(20);
  expect(new Set(asked.map(({ path }) => path)).size).toBe(asked.length);
});

it('an image that stays behind is not success, and neither is a report of nothing', async () => {
  const backup = buildStorage((storage) => {
    storage.schema1('old', 'v1');
    storage.image('new', 'v1');
  });
  const file = folder.file('old.tar');
  writeFileSync(file, backup.tar());
  const report = folder.file('report.json');
  const both = await push(file, `${registry.host}/left`);
  expect([both.code, statuses(both)]).toEqual([3, { copied: 1, skipped: 1 }]);
  const none = await push(file, `${registry.host}/left`, { args: ['--include', 'old', '--report', report] });
  expect(none.code).toBe(1);
  expect(JSON.parse(readFileSync(report, 'utf8'))).toMatchObject({ images: [{ status: 'skipped' }] });
  const check = await regtar(['check', registry.host, '--report', report]);
  expect([check.code, check.stdout]).toEqual([4, expect.stringContaining('no image of the report had arrived')]);
});
