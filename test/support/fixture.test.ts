import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expected, fixturePath, serveFixture } from './fixture.ts';
import { makeFixture, toolVersions } from './fixture/make.ts';
import { describeWith } from './peers.ts';
import { listRegistry, readRegistryImage } from './read-registry.ts';
import type { Registry } from './start-registry.ts';
import { temporaryFolder } from './temporary-folder.ts';

describeWith('docker-registry', 'the fixture', () => {
  let registry: Registry;
  beforeAll(async () => void (registry = await serveFixture()));
  afterAll(() => registry.stop());

  it('is served by a real registry with the answers that were recorded', async () => {
    expect(await listRegistry(registry)).toEqual(expected.tags.map(({ history: _, ...tag }) => tag));
  });

  it('holds every revision whole, and exactly the blobs that were recorded', async () => {
    const sizes = new Map<string, number>();
    for (const { repository, digest } of expected.revisions) {
      const image = await readRegistryImage(registry, repository, digest);
      for (const [blob, size] of image.blobs) sizes.set(blob, size);
      for (const [manifest, bytes] of image.manifests) sizes.set(manifest, bytes.length);
    }
    expect([...sizes].sort()).toEqual(expected.blobs.map(({ digest, size }) => [digest, size]));
  });

  it('holds each shape that real backups have', () => {
    expect([...new Set(expected.repositories.map((name) => name.split('/').length))].sort()).toEqual([1, 2, 3, 4]);
    expect(new Set(expected.revisions.map((revision) => revision.reachedBy))).toEqual(
      new Set(['tag', 'index', 'subject', 'nothing']),
    );
    expect(new Set(expected.tags.map((tag) => tag.mediaType)).size).toBe(4);
    expect(expected.tags.filter((tag) => tag.history.length > 1).map((tag) => `${tag.repository}:${tag.tag}`)).toEqual([
      'tools/hello:edge',
      'tools/hello:latest',
    ]);
  });

  it('is made again byte for byte by the same programs', async ({ skip }) => {
    const tools = await toolVersions();
    skip(
      JSON.stringify(tools) !== JSON.stringify(expected.tools),
      `made with ${JSON.stringify(expected.tools)}, here are ${JSON.stringify(tools)}`,
    );
    const folder = temporaryFolder();
    try {
      await makeFixture(folder.path);
      expect(readFileSync(join(folder.path, 'expected.json'), 'utf8')).toBe(
        readFileSync(join(fixturePath, '../expected.json'), 'utf8'),
      );
      expect(readFileSync(join(folder.path, 'docker.tar')).equals(readFileSync(fixturePath))).toBe(true);
    } finally {
      folder.remove();
    }
  });
});
