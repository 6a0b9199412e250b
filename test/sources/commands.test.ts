import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { regtar, regtarDone, regtarJson } from '../e2e/support/regtar.ts';
import { startServe } from '../serve/support/start-serve.ts';
import { describeWith } from '../support/peers.ts';
import { createPodman, type Podman } from '../support/create-podman.ts';
import { listRegistry, type RegistryTag } from '../support/read-registry.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const { tar } = buildStorage((s) => {
  const app = s.image('team/app', ['v1', 'latest'], { layers: ['base', 'app'] });
  s.signature(app);
  s.artifact('team/app', 'sbom', { subject: app });
  s.index('multi', '1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
  s.artifact('charts/web', '1.0', {});
});
const backup = folder.file('backup.tar');

/** Everything that holds all of it, and what holds one platform of what runs. */
const sources = [
  { name: 'layout', args: [], whole: true },
  { name: 'layouts', args: ['--per-repository'], whole: true },
  { name: 'tree', args: ['--format', 'dir'], whole: true },
  { name: 'images.tar', args: ['--format', 'docker-archive', '--platform', 'linux/amd64'], whole: false },
] as const;

describeWith(['docker-registry', 'podman'], 'every command takes every format', () => {
  let registry: Registry;
  let podman: Podman;
  let socket: string;
  let expected: readonly Pick<RegistryTag, 'repository' | 'tag' | 'digest'>[];
  const arrived = async (prefix: string): Promise<typeof expected> =>
    (await listRegistry(registry, `${prefix}/`)).map(({ repository, tag, digest }) => ({
      repository: repository.slice(prefix.length + 1),
      tag,
      digest,
    }));

  beforeAll(async () => {
    writeFileSync(backup, tar());
    podman = createPodman();
    [registry, socket] = await Promise.all([startRegistry(), podman.serve()]);
    await regtarDone(['push', backup, `${registry.host}/tar`, '--plain-http', '-q']);
    expected = await arrived('tar');
  });
  afterAll(async () => {
    await Promise.all([registry.stop(), podman.stop()]);
    folder.remove();
  });

  it.each(sources)('$name', async ({ name, args, whole }) => {
    const source = folder.file(name);
    const report = folder.file(`${name}.json`);
    await regtar(['export', backup, source, ...args, '--report', report, '-q']);
    expect((await regtar(['check', source, '--report', report])).code).toBe(0);

    const pushed = await regtar(['push', source, `${registry.host}/${name}`, '--plain-http', '-q']);
    expect([pushed.code, pushed.stderr]).toEqual([0, '']);
    const found = await arrived(name);
    if (whole) expect(found).toEqual(expected);
    else
      expect(found.map(({ repository, tag }) => `${repository}:${tag}`)).toEqual([
        'multi:1',
        'team/app:latest',
        'team/app:v1',
      ]);

    const { travel } = await regtarJson<{ travel: { blobs: number } }>(['diff', backup, source]);
    // One platform of an index is a manifest that the backup has, too.
    expect(travel.blobs).toBe(0);
    const seen = await regtarJson<{ tags: number; format: string }>(['inspect', source]);
    // A registry without the referrers API gets a tag for what speaks of an image.
    const own = found.filter(({ tag }) => !/^sha256-[0-9a-f]{64}$/.test(tag));
    expect(seen.tags).toBe(own.length);
    expect((await regtar(['inspect', source, 'team/app:v1'])).stdout).toContain('linux/amd64');

    await regtarDone([
      'load',
      source,
      '--socket',
      `unix://${socket}`,
      '--include',
      'team/app:v1',
      '--prefix',
      'localhost',
      '-q',
    ]);
    expect((await podman.podman(['images', '-q', 'localhost/team/app:v1'])).stdout).toMatch(/[0-9a-f]{12}/);
    await podman.podman(['rmi', '-f', 'localhost/team/app:v1']);

    const server = await startServe([source, '--plain-http']);
    const served = (await listRegistry(server)).map(({ repository, tag, digest }) => ({
      repository,
      tag,
      digest,
    }));
    await server.process.stop();
    expect(served).toEqual(own);
  });

  it('two SOURCEs of different formats are one store; a tag that both have is told', async () => {
    const more = buildStorage((s) => ({
      web: s.image('web', '1'),
      other: s.image('team/app', 'v1', { layers: ['other'] }),
    }));
    writeFileSync(folder.file('more.tar'), more.tar());
    const list = await regtar(['list', folder.file('layout'), '--source', folder.file('more.tar')]);
    expect(list.stdout.split('\n')).toContain('web:1');
    expect(list.stdout.split('\n')).toContain('multi:1');
    const { problems } = await regtarJson<{ problems: { code: string; tag?: string }[] }>([
      'inspect',
      folder.file('layout'),
      '--source',
      folder.file('more.tar'),
    ]);
    expect(problems.filter(({ code }) => code === 'TAG_CONFLICT').map(({ tag }) => tag)).toEqual(['v1']);
  });

  it('is not changed by being read', () => {
    expect(readFileSync(backup).equals(tar())).toBe(true);
  });
});
