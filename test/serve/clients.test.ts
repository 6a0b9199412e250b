import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { digestOf as digestOfBytes } from '../../src/oci/digest.ts';
import type { ContainerClient, ClientFile } from '../../src/report/clients/setup.ts';
import { regtarJson } from '../e2e/support/regtar.ts';
import { createPodman, type Podman } from '../support/create-podman.ts';
import { expected, fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { listRegistry, readRegistryImage } from '../support/read-registry.ts';
import { run } from '../support/run.ts';
import { startContainerd, type Containerd } from '../support/start-containerd.ts';
import { startDockerd, type Dockerd } from '../support/start-dockerd.ts';
import { startRegistry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startServe, type Served } from './support/start-serve.ts';

const folder = temporaryFolder();
/** 500 images in 50 repositories, as a site has them; layers are small and unpack. */
const many = buildStorage((s) =>
  Array.from({ length: 500 }, (_, at) => s.image(`team/app-${at % 50}`, `v${Math.floor(at / 50)}`, { format: 'oci' })),
);
const manyTags = many.built.map(({ repository, digest }, at) => ({
  repository,
  tag: `v${Math.floor(at / 50)}`,
  digest,
}));
/** For engines, which take their time. */
const sample = manyTags.filter((_, at) => at % 167 === 0);
let served: Served;
let servedMany: Served;
beforeAll(async () => {
  writeFileSync(folder.file('many.tar'), many.tar());
  [served, servedMany] = await Promise.all([startServe([fixturePath]), startServe([folder.file('many.tar')])]);
});
afterAll(async () => {
  await Promise.all([served.process.stop(), servedMany.process.stop()]);
  folder.remove();
});

const hostPlatform = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`;

function digestOf(repository: string, tag: string): string {
  const found = expected.tags.find((each) => each.repository === repository && each.tag === tag);
  if (found === undefined) throw new Error(`no ${repository}:${tag}`);
  return found.digest;
}

function printed(repository: string, tag: string): string {
  const found = expected.runnable.find(
    (each) => each.repository === repository && each.tag === tag && each.platform.startsWith(hostPlatform),
  );
  return `${found?.prints ?? 'nothing that runs here'}\n`;
}

/** What `--print-config` prints for this server as a mirror of docker.io. */
async function clientFiles(client: ContainerClient): Promise<readonly ClientFile[]> {
  const { files } = await regtarJson<{ files: ClientFile[] }>([
    ...['serve', '--listen', served.host, '--ns', 'docker.io', '--print-config', client],
  ]);
  return files;
}

it('shows what the registry showed that the backup is of, and every image of it whole', async () => {
  expect(await listRegistry(served)).toEqual(
    expected.tags.map(({ repository, tag, digest, mediaType, size }) => ({ repository, tag, digest, mediaType, size })),
  );
  for (const { repository, digest } of expected.revisions) await readRegistryImage(served, repository, digest);
});

describeWith('skopeo', 'skopeo', () => {
  const skopeo = async (...args: string[]): Promise<string> =>
    (await run('skopeo', ['--insecure-policy', ...args])).stdout;

  it('copies a multi-arch image out of it, digest unchanged', async () => {
    const out = folder.file('multi');
    await skopeo(
      ...['copy', '-q', '--all', '--preserve-digests', '--src-tls-verify=false'],
      ...[`docker://${served.host}/tools/multi:1.0`, `dir:${out}`],
    );
    const { stdout } = await run('sha256sum', [`${out}/manifest.json`]);
    expect(`sha256:${stdout.slice(0, 64)}`).toBe(digestOf('tools/multi', '1.0'));
  });

  it('syncs a repository with all its tags', async () => {
    const out = folder.file('sync');
    mkdirSync(out);
    await skopeo(
      ...['sync', '--all', '--src-tls-verify=false', '--src', 'docker', '--dest', 'dir'],
      ...[`${served.host}/library/twice`, out],
    );
    for (const { repository, tag, digest } of expected.tags.filter(
      ({ repository: name }) => name === 'library/twice',
    )) {
      const { stdout } = await run('sha256sum', [`${out}/${basename(repository)}:${tag}/manifest.json`]);
      expect(`sha256:${stdout.slice(0, 64)}`, tag).toBe(digest);
    }
  });

  it('syncs 500 images, digests unchanged', async () => {
    const out = folder.file('sync-many');
    const list = folder.file('sync-many.yaml');
    mkdirSync(out);
    const images = Object.fromEntries(manyTags.map(({ repository }) => [repository, []]));
    writeFileSync(list, JSON.stringify({ [servedMany.host]: { 'tls-verify': false, images } }));
    await skopeo('sync', '--all', '--scoped', '--src', 'yaml', '--dest', 'dir', list, out);
    const digests = manyTags.map(({ repository, tag }) =>
      digestOfBytes(readFileSync(join(out, servedMany.host, `${repository}:${tag}`, 'manifest.json'))),
    );
    expect(digests).toEqual(manyTags.map(({ digest }) => digest));
  });

  it('inspects an image and lists its tags', async () => {
    const image = await skopeo('inspect', '--tls-verify=false', `docker://${served.host}/tools/hello:1.0`);
    expect(JSON.parse(image)).toMatchObject({ Digest: digestOf('tools/hello', '1.0') });
  });
});

describeWith(['podman', 'runc'], 'podman', () => {
  let engine: Podman;
  beforeAll(() => void (engine = createPodman()));
  afterAll(() => engine.stop());

  it('pulls by the old name with the file that is printed for it, and the image runs', async () => {
    const [file] = await clientFiles('podman');
    writeFileSync(folder.file('registries.conf'), file?.text ?? '');
    const name = 'docker.io/tools/hello:1.0';
    await engine.podman(['pull', '-q', name], { env: { CONTAINERS_REGISTRIES_CONF: folder.file('registries.conf') } });
    const { stdout } = await engine.podman(['images', '--format', '{{.Digest}}', name]);
    expect(stdout.trim()).toBe(digestOf('tools/hello', '1.0'));
    expect((await engine.podman(['run', '--rm', name])).stdout).toBe(printed('tools/hello', '1.0'));
  });

  it('pulls some of 500', async () => {
    for (const { repository, tag, digest } of sample) {
      const name = `${servedMany.host}/${repository}:${tag}`;
      await engine.podman(['pull', '-q', '--tls-verify=false', name]);
      expect((await engine.podman(['images', '--format', '{{.Digest}}', name])).stdout.trim()).toBe(digest);
    }
  });
});

describeWith('dockerd', 'dockerd', () => {
  let engine: Dockerd;
  beforeAll(async () => void (engine = await startDockerd({ settings: (await clientFiles('docker'))[0]?.text ?? '' })));
  afterAll(() => engine.stop());

  it('pulls by address and by the old name with the file that is printed for it, and the image runs', async () => {
    for (const name of [`${served.host}/tools/multi:1.0`, 'tools/hello:1.0']) {
      await engine.docker(['pull', '-q', name]);
      const [repository = '', tag = ''] = name.replace(`${served.host}/`, '').split(':');
      const { stdout } = await engine.docker(['inspect', '--format', '{{index .RepoDigests 0}}', name]);
      expect(stdout.trim()).toContain(digestOf(repository, tag));
      expect((await engine.docker(['run', '--rm', '--network', 'none', name])).stdout).toBe(printed(repository, tag));
    }
  });
});

describeWith(['containerd', 'ctr', 'runc'], 'containerd', () => {
  let engine: Containerd;
  beforeAll(async () => void (engine = await startContainerd()));
  afterAll(() => engine.stop());

  it('pulls by address and by the old name with the files that are printed for it, and the image runs', async () => {
    const root = folder.file('certs.d');
    for (const { path, text } of await clientFiles('containerd')) {
      const place = path.replace('/etc/containerd/certs.d', root);
      mkdirSync(dirname(place), { recursive: true });
      writeFileSync(place, text);
    }
    for (const name of [`${served.host}/tools/multi:1.0`, 'docker.io/tools/hello:1.0']) {
      await engine.ctr(['images', 'pull', '--hosts-dir', root, '--snapshotter', 'native', name]);
      const [repository = '', tag = ''] = name.slice(name.indexOf('/') + 1).split(':');
      const { stdout } = await engine.ctr(['images', 'list', `name==${name}`]);
      expect(stdout).toContain(digestOf(repository, tag));
      expect((await engine.runImage(name)).stdout).toBe(printed(repository, tag));
    }
  });

  it('pulls some of 500', async () => {
    for (const { repository, tag, digest } of sample) {
      const name = `${servedMany.host}/${repository}:${tag}`;
      await engine.ctr(['images', 'pull', '--plain-http', '--snapshotter', 'native', name]);
      expect((await engine.ctr(['images', 'list', `name==${name}`])).stdout).toContain(digest);
    }
  });
});

describeWith('docker-registry', 'docker-registry', () => {
  it('pulls every image through, digests unchanged', async () => {
    const proxy = await startRegistry({ proxyOf: served.url });
    onTestFinished(() => proxy.stop());
    for (const { repository, tag, digest } of expected.tags) {
      const image = await readRegistryImage(proxy, repository, tag);
      expect(image.digest, `${repository}:${tag}`).toBe(digest);
    }
  });
});
