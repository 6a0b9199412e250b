import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expected, fixturePath, unpackFixture } from '../support/fixture.ts';
import { run } from '../support/run.ts';
import type { TemporaryFolder } from '../support/temporary-folder.ts';
import { allDigests, digestOfTag, tagDigests } from './support/expected-images.ts';
import { regtar, regtarDone, regtarJson } from './support/regtar.ts';
import { nameOf, type Listed } from './support/reports.ts';

/** How people make their images.list today, in the folder above `docker`; the depth of a repository does not matter to it. */
const imagesList = String.raw`find docker -type d -name current | sed -e 's,^docker/registry/v2/repositories/,,' -e 's,/_manifests/tags/,:,' -e 's,/current$,,' | LC_ALL=C sort`;

const lines = (text: string): string[] => text.trimEnd().split('\n');

interface Summary {
  readonly source: string;
  readonly format: string;
  readonly repositories: number;
  readonly tags: number;
  readonly manifests: number;
  readonly blobs: number;
  readonly bytes: {
    readonly archive: number;
    readonly blobs: number;
    readonly referenced: number;
    readonly unreferenced: number;
  };
  readonly platforms: readonly string[];
  readonly problems: readonly unknown[];
}

describe('regtar list', () => {
  let folder: TemporaryFolder;
  beforeAll(async () => void (folder = await unpackFixture()));
  afterAll(() => folder.remove());

  it('prints the images.list that find makes of the unpacked backup, at every depth', async () => {
    const { stdout } = await run('sh', ['-c', imagesList], { cwd: folder.path });
    expect((await regtarDone(['list', fixturePath])).stdout).toBe(stdout);
    expect((await regtarDone(['list', folder.path])).stdout).toBe(stdout);
  });

  it('prints what the registry answered', async () => {
    expect(lines((await regtarDone(['list', fixturePath])).stdout)).toEqual(Object.keys(tagDigests).sort());
  });

  it('says digest, media type and size of each with --json', async () => {
    const listed = await regtarJson<Listed[]>(['list', fixturePath]);
    const byName = expected.tags
      .map(({ repository, tag, digest, mediaType, size }) => ({ repository, tag, digest, mediaType, size }))
      .sort((left, right) => (nameOf(left) < nameOf(right) ? -1 : 1));
    expect(listed).toEqual(byName);
  });

  it('adds what no tag and no index reaches with --untagged', async () => {
    expect(lines((await regtarDone(['list', fixturePath, '--untagged'])).stdout)).toEqual(
      Object.keys(allDigests).sort(),
    );
  });

  it('prints a list that --images takes back', async () => {
    const { stdout } = await regtarDone(['list', fixturePath, '--include', 'tools/**', '--exclude', '**:sha256-*']);
    expect(lines(stdout)).toEqual([
      'tools/hello:1.0',
      'tools/hello:1.1',
      'tools/hello:edge',
      'tools/hello:latest',
      'tools/multi:1.0',
    ]);
    expect((await regtarDone(['list', fixturePath, '--images', '-'], { input: `# as listed\n${stdout}` })).stdout).toBe(
      stdout,
    );
  });
});

describe('regtar inspect', () => {
  it('counts what the registry had, with --json', async () => {
    const summary = await regtarJson<Summary>(['inspect', fixturePath]);
    const bytes = expected.blobs.reduce((sum, { size }) => sum + size, 0);
    expect(summary).toMatchObject({
      source: fixturePath,
      format: 'tar',
      repositories: expected.repositories.length,
      tags: expected.tags.length,
      problems: [],
    });
    expect(summary.manifests).toBe(new Set(expected.revisions.map(({ digest }) => digest)).size);
    expect(summary.blobs).toBe(expected.blobs.length);
    expect(summary.bytes).toMatchObject({ archive: statSync(fixturePath).size, blobs: bytes, unreferenced: 0 });
    expect(summary.bytes.referenced).toBeLessThan(bytes);
    expect([...summary.platforms].sort()).toEqual(['linux/amd64', 'linux/arm64', 'linux/arm64/v8']);
  });

  it('shows the same figures to people', async () => {
    const { stdout, stderr } = await regtarDone(['inspect', fixturePath]);
    expect(stdout).toMatch(/^repositories +8$/m);
    expect(stdout).toMatch(/^tags +16 on 13 digests$/m);
    expect(stdout).toMatch(/^problems +none$/m);
    expect(stderr).toBe('');
  });

  it('shows one image: manifest, config, layers', async () => {
    const image = await regtarJson<{ layers: { digest: string }[] }>(['inspect', fixturePath, 'tools/hello:1.1']);
    expect(image).toMatchObject({
      repository: 'tools/hello',
      tag: '1.1',
      digest: digestOfTag('tools/hello:1.1'),
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      platforms: ['linux/amd64'],
      config: { os: 'linux', architecture: 'amd64' },
    });
    expect(image.layers).toHaveLength(2);
    expect((await regtarDone(['inspect', fixturePath, 'tools/hello:1.1'])).stdout).toContain(
      digestOfTag('tools/hello:1.1'),
    );
  });

  it('shows a multi-arch image by digest with its children', async () => {
    const digest = digestOfTag('tools/multi:1.0');
    const image = await regtarJson<object>(['inspect', fixturePath, `tools/multi@${digest}`]);
    expect(image).toMatchObject({
      repository: 'tools/multi',
      digest,
      platforms: ['linux/amd64', 'linux/arm64/v8'],
      manifests: [{ platform: { architecture: 'amd64' } }, { platform: { architecture: 'arm64', variant: 'v8' } }],
    });
    expect(image).not.toHaveProperty('tag');
    expect(image).not.toHaveProperty('layers');
  });

  it('says what a repository has when the tag is not there', async () => {
    const { code, stdout, stderr } = await regtar(['inspect', fixturePath, 'tools/hello:9']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^regtar: TAG_UNKNOWN: tools\/hello:9 is not in the backup\nhint: .*tools\/hello:1\.0/);
  });
});
