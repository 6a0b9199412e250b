import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { layoutImages } from '../e2e/support/read-outputs.ts';
import { expected, unpackFixture } from '../support/fixture.ts';
import { createPodman, type Podman } from '../support/create-podman.ts';
import { describeWith } from '../support/peers.ts';
import { readDockerArchive, type ReadDockerArchive } from '../support/read-docker-archive.ts';
import { readLayout } from '../support/read-layout.ts';
import { run, type RunResult } from '../support/run.ts';
import { startContainerd, type Containerd } from '../support/start-containerd.ts';
import { startDockerd, type Dockerd } from '../support/start-dockerd.ts';
import type { TemporaryFolder } from '../support/temporary-folder.ts';

const project = join(import.meta.dirname, '../..');
const archive = join(project, 'build/image/regtar-image.tar');
const layout = join(project, 'build/image/oci');
const blobOf = (digest: string): string => join(layout, 'blobs/sha256', digest.replace('sha256:', ''));
const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { version: string };
const name = `regtar:${version}`;
let storage: TemporaryFolder;
let image: ReadDockerArchive['images'][number];

beforeAll(async () => {
  await run(process.execPath, [join(project, 'scripts/build-image.js'), '--if-changed']);
  const [only] = (await readDockerArchive(archive)).images;
  if (only === undefined) throw new Error(`${archive} is empty`);
  image = only;
  storage = await unpackFixture();
  await run('chmod', ['-R', 'a+rX', storage.path]);
});
afterAll(() => storage.remove());

/** As a Kubernetes Job would hold it: nobody's root, nothing to write to, the registry's volume read-only. */
const confined = (): string[] => [
  '--network',
  'none',
  '--read-only',
  '--cap-drop',
  'ALL',
  '--security-opt',
  'no-new-privileges',
  '--user',
  '65532:65532',
  '--volume',
  `${storage.path}:/backup:ro`,
];

/** Both find the volume as the working directory. */
async function showsTheBackup(container: (...args: string[]) => Promise<RunResult>): Promise<void> {
  expect((await container('--network', 'none', name, '--version')).stdout).toBe(`${version}\n`);
  expect(JSON.parse((await container(...confined(), name, 'inspect', '.', '--json')).stdout)).toMatchObject({
    tags: expected.tags.length,
    blobs: expected.blobs.length,
    problems: [],
  });
}

it('layout and archive hold the same image, which nobody runs as root', async () => {
  const [inLayout] = Object.values(layoutImages(await readLayout(layout)));
  expect(image.repoTags).toEqual([name]);
  expect([image.configDigest, ...image.layers.map(({ digest }) => digest)]).toEqual([
    ...(inLayout?.blobs.keys() ?? []),
  ]);
  expect(JSON.parse(readFileSync(blobOf(image.configDigest), 'utf8'))).toMatchObject({
    config: { User: '65532:65532' },
  });
});

it('the layer is sorted, of one time and owned by root, so that the same files give the same digest', async () => {
  const tar = gunzipSync(readFileSync(blobOf(image.layers[0]?.digest ?? '')));
  const { stdout } = await run('tar', ['-tvf', '-', '--numeric-owner', '--full-time', '--utc'], { input: tar });
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ +/));
  expect(new Set(rows.map(([, owner, , day, time]) => [owner, day, time].join(' ')))).toEqual(
    new Set(['0/0 1970-01-01 00:00:00']),
  );
  const paths = rows.map((row) => `/${row[5] ?? ''}`.replace(/\/$/, ''));
  expect(paths).toEqual([...paths].sort());
  expect(paths).toEqual(
    expect.arrayContaining([
      '/usr/bin/regtar',
      '/etc/passwd',
      '/usr/share/doc/regtar/LICENSES.txt',
      '/usr/share/doc/regtar/regtar.cdx.json',
    ]),
  );
});

describeWith('dockerd', 'in docker', () => {
  let dockerd: Dockerd;
  beforeAll(async () => {
    dockerd = await startDockerd();
    await dockerd.docker(['load', '--input', archive]);
  });
  afterAll(async () => dockerd.stop());
  const container = async (...args: string[]): Promise<RunResult> =>
    dockerd.docker(['run', '--rm', ...args], { allowFailure: true });

  it('shows a backup without root, network, or anything to write to', async () => showsTheBackup(container));

  it('explains itself when it is told nothing', async () => {
    expect((await container('--network', 'none', name)).stdout).toContain('Usage: regtar');
  });

  it('finds names, and says that nobody answers there', async () => {
    const { code, stderr } = await container(
      '--add-host',
      'harbor.test:127.0.0.1',
      ...confined(),
      name,
      'push',
      '.',
      'harbor.test:1',
      '--retry-times',
      '0',
    );
    expect(code).toBe(1);
    expect(stderr).toContain('TARGET_UNREACHABLE');
    expect(stderr).toContain('ECONNREFUSED');
  });
});

describeWith('podman', 'in podman', () => {
  let podman: Podman;
  beforeAll(async () => {
    podman = createPodman();
    await podman.podman(['load', '--input', archive]);
  });
  afterAll(async () => podman.stop());

  it('shows a backup without root, network, or anything to write to', async () => {
    await showsTheBackup(async (...args) => podman.podman(['run', '--rm', ...args]));
  });
});

describeWith(['containerd', 'runc'], 'in containerd, as Kubernetes runs it', () => {
  let containerd: Containerd;
  beforeAll(async () => {
    containerd = await startContainerd();
    await containerd.importArchive(archive);
  });
  afterAll(async () => containerd.stop());

  it('shows a backup without root, network, or anything to write to', async () => {
    const [reference = ''] = (await containerd.ctr(['images', 'ls', '-q'])).stdout.trim().split('\n');
    const mount = `type=bind,src=${storage.path},dst=/backup,options=rbind:ro`;
    const { stdout } = await containerd.ctr([
      'run',
      '--rm',
      '--snapshotter',
      'native',
      '--read-only',
      '--mount',
      mount,
      reference,
      'regtar-job',
      '/usr/bin/regtar',
      'inspect',
      '.',
      '--json',
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ tags: expected.tags.length, problems: [] });
  });
});
