import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPodman, type Podman } from '../support/create-podman.ts';
import { expected, fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { startContainerd, type Containerd } from '../support/start-containerd.ts';
import { startDockerd, type Dockerd } from '../support/start-dockerd.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { bareEnvironment, program, regtarDone } from './support/regtar.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Full names, as k3s and containerd want them. */
const prefix = 'harbor.example.com/p';
const host = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`;
const images = ['base:1', 'library/twice:v1.10', 'team/app/web:2.0', 'tools/hello:1.1', 'tools/multi:1.0'];
const selection = [...images.flatMap((name) => ['--include', name]), '--prefix', prefix, '--no-referrers'];
const names = images.map((name) => `${prefix}/${name}`);

/** What an image's program prints on this machine. */
function printed(name: string): string {
  const found = expected.runnable.find(
    ({ repository, tag, platform }) =>
      `${prefix}/${repository}:${tag}` === name && (platform === host || platform.startsWith(`${host}/`)),
  );
  if (found === undefined) throw new Error(`${name} does not run here`);
  return `${found.prints}\n`;
}

const dockerArchive = folder.file('docker-archive.tar');
const ociArchive = folder.file('oci.tar');
beforeAll(async () => {
  await regtarDone(['export', fixturePath, dockerArchive, '--format', 'docker-archive', ...selection]);
  await regtarDone(['export', fixturePath, ociArchive, '--format', 'oci', ...selection]);
});

describeWith('dockerd', 'dockerd', () => {
  let engine: Dockerd;
  beforeAll(async () => void (engine = await startDockerd()));
  afterAll(() => engine.stop());
  const listed = async (): Promise<string[]> =>
    (await engine.docker(['images', '--format', '{{.Repository}}:{{.Tag}}'])).stdout
      .trim()
      .split('\n')
      .filter((name) => name !== '')
      .sort();

  it('loads a docker-archive of many images by their names, and they run', async () => {
    await engine.docker(['load', '-i', dockerArchive]);
    expect(await listed()).toEqual(names);
    for (const name of names)
      expect((await engine.docker(['run', '--rm', '--network', 'none', name])).stdout).toBe(printed(name));
    await engine.docker(['rmi', '-f', ...names]);
  });

  it('loads what is piped into it', async () => {
    const words = [
      process.execPath,
      program,
      'export',
      fixturePath,
      '-',
      '--format',
      'docker-archive',
      '--include',
      'tools/hello:1.*',
      '--prefix',
      prefix,
    ].map((word) => `'${word}'`);
    await run('bash', ['-o', 'pipefail', '-c', `${words.join(' ')} | docker load`], {
      env: { ...bareEnvironment, DOCKER_HOST: engine.host },
    });
    expect(await listed()).toEqual([`${prefix}/tools/hello:1.0`, `${prefix}/tools/hello:1.1`]);
    expect((await engine.docker(['run', '--rm', '--network', 'none', `${prefix}/tools/hello:1.0`])).stdout).toBe(
      printed(`${prefix}/tools/hello:1.0`),
    );
  });
});

describeWith(['podman', 'runc'], 'podman', () => {
  let engine: Podman;
  beforeAll(() => void (engine = createPodman()));
  afterAll(() => engine.stop());

  it('loads a docker-archive of many images by their names, and they run', async () => {
    await engine.podman(['load', '-q', '-i', dockerArchive]);
    const { stdout } = await engine.podman(['images', '--format', '{{.Repository}}:{{.Tag}}']);
    expect(stdout.trim().split('\n').sort()).toEqual(names);
    for (const name of names) expect((await engine.podman(['run', '--rm', name])).stdout).toBe(printed(name));
    await engine.podman(['rmi', '-f', ...names]);
  });

  it('loads an OCI archive of one image', async () => {
    const one = folder.file('one.tar');
    await regtarDone(['export', fixturePath, one, '--include', 'base:1', '--prefix', prefix, '--no-referrers']);
    await engine.podman(['load', '-q', '-i', one]);
    expect((await engine.podman(['run', '--rm', `${prefix}/base:1`])).stdout).toBe(printed(`${prefix}/base:1`));
  });
});

describeWith(['containerd', 'ctr', 'runc'], 'containerd', () => {
  let engine: Containerd;
  beforeAll(async () => void (engine = await startContainerd()));
  afterAll(() => engine.stop());

  it('imports a docker-archive of many images by their names, and they run', async () => {
    await engine.importArchive(dockerArchive);
    for (const name of names) expect((await engine.runImage(name)).stdout).toBe(printed(name));
    const { stdout } = await engine.ctr(['images', 'list', '-q']);
    expect(stdout.trim().split('\n').sort()).toEqual(names);
    await engine.ctr(['images', 'remove', '--sync', ...names]);
  });

  it('imports an OCI archive of many images with all their platforms, digests unchanged', async () => {
    await engine.importArchive(ociArchive, ['--all-platforms']);
    const { stdout } = await engine.ctr(['images', 'list']);
    for (const { repository, tag, digest } of expected.tags) {
      const name = `${prefix}/${repository}:${tag}`;
      if (names.includes(name))
        expect(stdout.split('\n').find((line) => line.startsWith(`${name} `))).toContain(digest);
    }
    for (const name of names) expect((await engine.runImage(name)).stdout).toBe(printed(name));
  });

  it('imports images without a prefix under the names that docker and Kubernetes ask for', async () => {
    const short = folder.file('short.tar');
    const both = ['--include', 'base:1', '--include', 'tools/hello:1.1', '--no-referrers'];
    await regtarDone(['export', fixturePath, short, '--format', 'docker-archive', ...both]);
    await engine.importArchive(short);
    const { stdout } = await engine.ctr(['images', 'list', '-q']);
    const found = stdout
      .trim()
      .split('\n')
      .filter((name) => !names.includes(name));
    expect(found.sort()).toEqual(['docker.io/library/base:1', 'docker.io/tools/hello:1.1']);
  });
});

describeWith('skopeo', 'skopeo', () => {
  it('copies each image out of a docker-archive by its name', async () => {
    for (const name of names)
      await run('skopeo', [
        '--insecure-policy',
        'copy',
        '-q',
        `docker-archive:${dockerArchive}:${name}`,
        `dir:${folder.file(`copied-${name.replaceAll(/\W/g, '-')}`)}`,
      ]);
  });

  it('finds OCI images in an OCI archive by their names', async () => {
    const { stdout } = await run('skopeo', [
      '--insecure-policy',
      'inspect',
      '--format',
      '{{.Digest}}',
      `oci-archive:${ociArchive}:${prefix}/base:1`,
    ]);
    expect(stdout.trim()).toBe(
      expected.tags.find(({ repository, tag }) => `${repository}:${tag}` === 'base:1')?.digest,
    );
  });
});
