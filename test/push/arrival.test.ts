import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startHarborDouble, type HarborDouble } from '../harbor/double/start.ts';
import { expected, fixturePath } from '../support/fixture.ts';
import { generateBackup, type GeneratedBackup } from '../support/generate-backup.ts';
import { readRegistryImage } from '../support/read-registry.ts';
import { run } from '../support/run.ts';
import { startRegistry, type Registry, type RegistryOptions } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { readBack } from './support/compare.ts';
import { program, push, quietEnvironment, statuses } from './support/regtar.ts';

const folder = temporaryFolder();
let backup: GeneratedBackup;
/** `repository:tag` → digest, as the product's own `list` has no part in it. */
let generated: ReadonlyMap<string, string>;
const ofFixture = new Map(expected.tags.map(({ repository, tag, digest }) => [`${repository}:${tag}`, digest]));

beforeAll(async () => {
  backup = generateBackup(
    { name: 'arrival', images: 60, repositories: 12, bytes: 12_000_000, baseImages: 3, multiArchRatio: 0.15 },
    folder.path,
  );
  await run('mkdir', [folder.file('unpacked')]);
  await run('tar', ['-xf', backup.file, '-C', folder.file('unpacked')]);
  const { stdout } = await run('sh', [
    '-c',
    'cd "$0/docker/registry/v2/repositories" && grep -r "" --include=link . | grep /current/',
    folder.file('unpacked'),
  ]);
  generated = new Map(
    [...stdout.matchAll(/^\.\/(.+)\/_manifests\/tags\/([^/]+)\/current\/link:(.+)$/gm)].map(
      ([, repository = '', tag = '', digest = '']) => [`${repository}:${tag}`, digest],
    ),
  );
});

afterAll(() => folder.remove());

async function plainRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const registry = await startRegistry({ accessLog: true, ...options });
  onTestFinished(() => registry.stop());
  return registry;
}

async function harborDouble(): Promise<HarborDouble> {
  const harbor = await startHarborDouble();
  onTestFinished(() => harbor.stop());
  return harbor;
}

describe('everything arrives with its digest', () => {
  it('the fixture in docker-registry: indexes, nested indexes, artifacts, signatures, several tags on one digest', async () => {
    const registry = await plainRegistry();
    const result = await push(fixturePath, registry.host, { args: ['--verify'] });
    expect(result.stderr).not.toMatch(/regtar:|Warning/);
    // Sixteen tags, and a referrer of one of them that has none.
    expect([result.code, statuses(result)]).toEqual([0, { copied: expected.tags.length + 1 }]);
    const found = await readBack(registry);
    // A registry without the referrers API gets the fallback tag for referrers that have none in the backup.
    for (const name of found.keys()) if (!ofFixture.has(name)) found.delete(name);
    expect(found).toEqual(ofFixture);
  });

  it('the fixture with all untagged revisions in Harbor', async () => {
    const harbor = await harborDouble();
    const result = await push(fixturePath, harbor.host, {
      account: harbor.admin,
      args: ['--untagged', '--keep-fallback-tags', '--project', 'library', '--verify'],
    });
    expect(result.stderr).not.toMatch(/regtar:|Warning/);
    expect(result.code).toBe(0);
    const access = { url: harbor.url, ...harbor.admin };
    const renamed = (repository: string): string => (repository.includes('/') ? repository : `library/${repository}`);
    for (const { repository, digest } of expected.revisions)
      expect((await readRegistryImage(access, renamed(repository), digest)).digest).toBe(digest);
    for (const { repository, tag, digest } of expected.tags)
      expect(harbor.tags(renamed(repository)).get(tag), `${repository}:${tag}`).toBe(digest);
  });

  it('a generated backup in docker-registry and in Harbor; a second run sends nothing and asks once a tag', async () => {
    const registry = await plainRegistry();
    const harbor = await harborDouble();
    const first = await push(backup.file, registry.host);
    expect([first.code, statuses(first)]).toEqual([0, { copied: generated.size }]);
    expect(await readBack(registry)).toEqual(generated);
    const intoHarbor = await push(backup.file, `${harbor.host}/moved`, { account: harbor.admin });
    expect([intoHarbor.code, statuses(intoHarbor)]).toEqual([0, { copied: generated.size }]);
    expect(await readBack({ url: harbor.url, ...harbor.admin }, 'moved/')).toEqual(generated);

    const before = registry.requests().length;
    const again = await push(backup.file, registry.host);
    expect([again.code, statuses(again), again.report.blobs.copied]).toEqual([0, { present: generated.size }, 0]);
    const heads = registry.requests().slice(before);
    expect(heads.filter(({ method }) => method === 'HEAD')).toHaveLength(generated.size);
    // Beside them: the greeting, the question whether it is Harbor, and the list of repositories.
    expect(heads.length).toBeLessThanOrEqual(generated.size + 5);

    harbor.requests.length = 0;
    const againIntoHarbor = await push(backup.file, `${harbor.host}/moved`, { account: harbor.admin });
    expect([againIntoHarbor.code, statuses(againIntoHarbor)]).toEqual([0, { present: generated.size }]);
    expect(harbor.requests.filter(({ path }) => path.startsWith('/v2/moved'))).toHaveLength(generated.size);
    expect(harbor.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method))).toEqual([]);
  });

  it('sends a fresh single-layer image in five requests', async () => {
    const registry = await plainRegistry();
    const harbor = await harborDouble();
    const store = buildStorage((s) =>
      Array.from({ length: 10 }, (_, number) => s.image(`apps/app${number}`, 'v1', { layers: [`layer ${number}`] })),
    );
    await store.writeTo(folder.file('single'));
    expect((await push(folder.file('single'), registry.host)).code).toBe(0);
    expect(registry.requests().filter(({ path }) => path.startsWith('/v2/apps/'))).toHaveLength(50);
    expect((await push(folder.file('single'), harbor.host, { account: harbor.admin })).code).toBe(0);
    expect(harbor.requests.filter(({ path }) => path.startsWith('/v2/apps/'))).toHaveLength(50);
    // Before and after the project was created, and one to prove the password.
    expect(harbor.requests.filter(({ path }) => path.startsWith('/service/token')).length).toBeLessThanOrEqual(3);
  });

  it('sends a blob once that many repositories of several projects need', async () => {
    const harbor = await harborDouble();
    const store = buildStorage((s) =>
      Array.from({ length: 12 }, (_, number) =>
        s.image(`p${number % 3}/app${number}`, 'v1', { layers: ['shared layer', `own ${number}`] }),
      ),
    );
    await store.writeTo(folder.file('shared'));
    const result = await push(folder.file('shared'), harbor.host, { account: harbor.admin });
    expect([result.code, result.report.blobs.mounted]).toEqual([0, 11]);
    expect(harbor.repositories()).toHaveLength(12);
  });

  it('keeps referrers where the registry does not: the fallback index names all of them', async () => {
    const registry = await plainRegistry();
    const store = buildStorage((s) => {
      const app = s.image('team/app', 'v1', { format: 'oci' });
      return {
        app,
        first: s.artifact('team/app', undefined, { artifactType: 'application/spdx+json', subject: app, body: 'one' }),
        second: s.artifact('team/app', undefined, {
          artifactType: 'application/vnd.example',
          subject: app,
          body: 'two',
        }),
      };
    });
    await store.writeTo(folder.file('referrers'));
    expect((await push(folder.file('referrers'), registry.host)).code).toBe(0);
    const fallback = await fetch(`${registry.url}/v2/team/app/manifests/${store.built.app.digest.replace(':', '-')}`, {
      headers: { accept: 'application/vnd.oci.image.index.v1+json' },
    });
    const index = (await fallback.json()) as { manifests: { digest: string }[] };
    expect(index.manifests.map(({ digest }) => digest).sort()).toEqual(
      [store.built.first.digest, store.built.second.digest].sort(),
    );
  });

  it('warns of no leak with sixteen jobs', async () => {
    const registry = await plainRegistry();
    const result = await push(backup.file, registry.host, { args: ['--jobs', '16'] });
    expect([result.code, result.stderr]).toEqual([0, expect.not.stringContaining('Warning')]);
  });
});

it('what skopeo and the program have pushed is one and the same', async () => {
  const harbor = await harborDouble();
  await push(fixturePath, harbor.host, { account: harbor.admin, args: ['--include', 'tools/multi'] });
  const inspected = await run('skopeo', [
    'inspect',
    '--raw',
    '--tls-verify=false',
    '--creds',
    `${harbor.admin.username}:${harbor.admin.password}`,
    `docker://${harbor.host}/tools/multi:1.0`,
  ]);
  expect(`sha256:${(await run('sha256sum', [], { input: inspected.bytes })).stdout.slice(0, 64)}`).toBe(
    ofFixture.get('tools/multi:1.0'),
  );
});

it('says the plan as a table and changes nothing', async () => {
  const harbor = await harborDouble();
  const { stdout, code } = await run(
    process.execPath,
    [
      program,
      'push',
      '--dry-run',
      '--username',
      harbor.admin.username,
      '--password-stdin',
      '--project',
      'library',
      fixturePath,
      harbor.host,
    ],
    { env: quietEnvironment, input: harbor.admin.password },
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /projects to create: (?:base|charts|team|tools|, )+\nimages: 17 new, 0 changed, 0 present, 0 refused\nto upload: \d+ blobs, .*; to mount: \d+ blobs, .*; about \d+ requests/,
  );
  expect(harbor.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method))).toEqual([]);
});
