import { get } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPodman, type Podman } from './create-podman.ts';
import { expected, serveFixture } from './fixture.ts';
import { describeWith } from './peers.ts';
import { readDockerArchive } from './read-docker-archive.ts';
import { readDirImage, readLayoutArchive } from './read-layout.ts';
import { run } from './run.ts';
import { startContainerd, type Containerd } from './start-containerd.ts';
import { startDockerd, type Dockerd } from './start-dockerd.ts';
import type { Registry } from './start-registry.ts';
import { temporaryFolder } from './temporary-folder.ts';

describeWith(['docker-registry', 'skopeo'], 'engines and readers, on what skopeo makes of the fixture', () => {
  const folder = temporaryFolder();
  const archive = folder.file('hello.tar');
  const layout = folder.file('web.tar');
  let registry: Registry;

  beforeAll(async () => {
    registry = await serveFixture();
    await copy(`tools/hello:1.1`, `docker-archive:${archive}:tools/hello:1.1`);
    await copy('team/app/web:2.0', `oci-archive:${layout}:2.0`, '--all');
    await copy('tools/multi:1.0', `dir:${folder.file('dir')}`, '--all');
  });
  afterAll(async () => {
    await registry.stop();
    folder.remove();
  });

  const copy = (from: string, to: string, ...flags: string[]): Promise<unknown> =>
    run('skopeo', [
      '--insecure-policy',
      'copy',
      '-q',
      '--src-tls-verify=false',
      ...flags,
      `docker://${registry.host}/${from}`,
      to,
    ]);
  const digestOf = (repository: string, tag: string): string | undefined =>
    expected.tags.find((each) => each.repository === repository && each.tag === tag)?.digest;

  it('read a docker-archive, an OCI archive and a dir folder', async () => {
    expect((await readDockerArchive(archive)).images.map((image) => image.repoTags)).toEqual([
      ['docker.io/tools/hello:1.1'],
    ]);
    expect((await readLayoutArchive(layout)).entries.map((entry) => entry.digest)).toEqual([
      digestOf('team/app/web', '2.0'),
    ]);
    const multi = await readDirImage(folder.file('dir'));
    expect([multi.digest, multi.manifests.size]).toEqual([digestOf('tools/multi', '1.0'), 3]);
  });

  describeWith('dockerd', 'dockerd', () => {
    let engine: Dockerd;
    beforeAll(async () => void (engine = await startDockerd()));
    afterAll(() => engine.stop());

    it('loads and runs an image', async () => {
      await engine.docker(['load', '-i', archive]);
      expect((await engine.docker(['run', '--rm', '--network', 'none', 'tools/hello:1.1'])).stdout).toBe(
        'tools/hello 1.1\n',
      );
    });

    it('pulls from a registry on loopback', async () => {
      await engine.docker(['pull', '-q', `${registry.host}/team/app/web:2.0`]);
      expect(
        (await engine.docker(['run', '--rm', '--network', 'none', `${registry.host}/team/app/web:2.0`])).stdout,
      ).toBe(`web 2.0 ${hostArchitecture}\n`);
    });
  });

  describeWith(['podman', 'runc'], 'podman', () => {
    let engine: Podman;
    beforeAll(() => void (engine = createPodman()));
    afterAll(() => engine.stop());

    it('loads and runs an image', async () => {
      await engine.podman(['load', '-i', archive]);
      expect((await engine.podman(['run', '--rm', 'docker.io/tools/hello:1.1'])).stdout).toBe('tools/hello 1.1\n');
    });

    it('runs an image whose layer is zstd', async () => {
      expect(
        (await engine.podman(['run', '--rm', '-q', '--tls-verify=false', `${registry.host}/base/extra:zstd`])).stdout,
      ).toBe('base/extra zstd\n');
    });

    it('serves the API that docker speaks', async () => {
      const socket = await engine.serve();
      expect(await ping(socket)).toBe(200);
    });
  });

  describeWith(['containerd', 'ctr', 'runc'], 'containerd', () => {
    let engine: Containerd;
    beforeAll(async () => void (engine = await startContainerd()));
    afterAll(() => engine.stop());

    it('imports and runs a docker-archive', async () => {
      await engine.importArchive(archive);
      expect((await engine.runImage('docker.io/tools/hello:1.1')).stdout).toBe('tools/hello 1.1\n');
    });

    it('imports a multi-arch OCI archive and runs its own platform', async () => {
      await engine.importArchive(layout, ['--index-name', 'example.com/web:2.0', '--all-platforms']);
      expect((await engine.runImage('example.com/web:2.0')).stdout).toBe(`web 2.0 ${hostArchitecture}\n`);
    });
  });
});

const hostArchitecture = process.arch === 'x64' ? 'amd64' : process.arch;

function ping(socketPath: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path: '/_ping' }, (response) => resolve(response.resume().statusCode)).once('error', reject);
  });
}
