import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import type { ImageDetail } from '../../src/cli/commands/inspect-image.ts';
import { digestOfTag, tagDigests } from '../e2e/support/expected-images.ts';
import { regtar, regtarDone, regtarJson } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

const inspect = (source: string, name: string): Promise<ImageDetail> =>
  regtarJson<ImageDetail>(['inspect', source, name]);
const signature = Object.keys(tagDigests).find((name) => name.endsWith('.sig')) ?? '';
const fallback = Object.keys(tagDigests).find((name) => /sha256-[0-9a-f]+$/.test(name)) ?? '';

describe('what an image is', () => {
  it('a Helm chart with name and version', async () => {
    expect((await inspect(fixturePath, 'charts/hello:0.1.0')).artifact).toEqual({
      kind: 'Helm chart',
      name: 'hello',
      version: '0.1.0',
    });
    expect((await regtarDone(['inspect', fixturePath, 'charts/hello:0.1.0'])).stdout).toContain(
      'Helm chart: hello 0.1.0',
    );
  });

  it('a signature of which image, and a list of which SBOM', async () => {
    expect((await inspect(fixturePath, signature)).artifact).toEqual({
      kind: 'signature (cosign)',
      of: digestOfTag('tools/hello:1.1'),
      names: ['tools/hello:1.1', 'tools/hello:latest'],
    });
    const list = await inspect(fixturePath, fallback);
    expect(list.artifact).toMatchObject({ kind: 'list of referrers', of: digestOfTag('team/app/web:2.0') });
    expect(list.manifests).toMatchObject([{ kind: 'SBOM (SPDX)' }]);
  });

  it('an index with its platforms and what attests them', async () => {
    const image = await inspect(fixturePath, 'team/app/web:2.0');
    expect(image.artifact.kind).toBe('multi-arch image');
    expect(image.manifests?.map(({ kind }) => kind)).toEqual([
      'image',
      'image',
      'attestation: provenance',
      'attestation: provenance',
    ]);
    expect(image.images?.map(({ platform }) => platform)).toEqual(['linux/amd64', 'linux/arm64']);
  });
});

describe('what its config says', () => {
  let folder: TemporaryFolder;
  let source: string;
  beforeAll(() => {
    folder = temporaryFolder();
    source = folder.file('docker.tar');
    const config = {
      Entrypoint: ['/bin/sh', '-c'],
      Cmd: ['exec server --name "a b"'],
      Env: ['PATH=/bin', 'DATABASE_PASSWORD=hunter2'],
      User: '1000:1000',
      WorkingDir: '/srv',
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Volumes: { '/data': {} },
      Labels: { 'org.opencontainers.image.licenses': 'MIT' },
    };
    const built = buildStorage((s) => {
      s.image('app', ['1', '2'], { layers: ['a', 'b'], config: { config } });
      s.image('odd', '1', { config: { config: { Cmd: 'one string', Env: [7], ExposedPorts: [], Labels: null } } });
    });
    writeFileSync(source, built.tar());
  });
  afterAll(() => folder.remove());

  it('is shown to people, names of the environment without values', async () => {
    const { stdout } = await regtarDone(['inspect', source, 'app:1']);
    for (const line of [
      /^created +2024-01-02T03:04:05Z$/m,
      /^entrypoint +\/bin\/sh -c$/m,
      /^command +"exec server --name \\"a b\\""$/m,
      /^environment +PATH, DATABASE_PASSWORD$/m,
      /^user +1000:1000$/m,
      /^ports +80\/tcp, 53\/udp$/m,
      /^volumes +\/data$/m,
      /^label +org\.opencontainers\.image\.licenses=MIT$/m,
      /^2 layers, .* in all$/m,
    ])
      expect(stdout).toMatch(line);
    expect(stdout).not.toContain('hunter2');
  });

  it('counts what a platform needs once', async () => {
    const { images, bytes } = await inspect(source, 'app:1');
    expect(images?.map((image) => image.bytes)).toEqual([bytes]);
  });

  it('may be of any form', async () => {
    expect((await inspect(source, 'odd:1')).images).toMatchObject([
      { command: ['one string'], environment: [], ports: [], labels: {} },
    ]);
  });

  it('--raw and --history need an image', async () => {
    for (const args of [['--raw'], ['--history'], ['app', '--raw'], ['app:1', '--raw', '--history']])
      expect((await regtar(['inspect', source, ...args])).code, args.join(' ')).toBe(2);
  });

  it('--raw is the manifest to the byte', async () => {
    const { bytes } = await regtarDone(['inspect', fixturePath, 'tools/multi:1.0', '--raw']);
    expect(digestOf(bytes)).toBe(digestOfTag('tools/multi:1.0'));
  });

  it('a repository alone lists its tags, with or without SOURCE', async () => {
    const { stdout } = await regtarDone(['inspect', source, 'registry.example:5000/app']);
    expect(stdout).toMatch(/^TAG +PUSHED +BYTES +KIND +PLATFORMS +DIGEST\n1 +2023-11-14 22:13Z .* image +linux\/amd64/);
    expect((await regtarDone(['inspect', 'app'], { cwd: folder.path })).stdout).toBe(
      (await regtarDone(['inspect', source, 'app'])).stdout,
    );
    const { code, stderr } = await regtar(['inspect', 'ap'], { cwd: folder.path });
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/TAG_UNKNOWN: ap is not in the backup\nhint: similar names: app/),
    ]);
  });
});
