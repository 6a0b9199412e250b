import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRegistry } from '../../bench/lib/registry.js';
import { readTags } from '../../bench/lib/skopeo-tree.js';
import { digestOf } from '../../src/oci/digest.ts';
import { manifestBlobs, parseManifest } from '../../src/oci/manifest.ts';
import { generateBackup, type GeneratedBackup } from './generate-backup.ts';
import { describeWith } from './peers.ts';

const parameters = { images: 30, repositories: 6, bytes: 3_000_000, multiArchRatio: 0.2, seed: 5 };
let folder: string;
let backup: GeneratedBackup;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'generate-backup-'));
  backup = generateBackup(parameters, folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

function tar(...words: string[]): string {
  return execFileSync('tar', words, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
}

it('holds what it reports', () => {
  const members = tar('-tf', backup.file).trimEnd().split('\n');
  expect(members).toHaveLength(backup.members);
  expect(members.filter((path) => /\/(?:link|data)$/.test(path))).toHaveLength(backup.files);
  expect(members.filter((path) => path.endsWith('/current/link'))).toHaveLength(backup.images);
  expect(members.filter((path) => path.endsWith('/data'))).toHaveLength(backup.blobs);
  expect(statSync(backup.file).size).toBe(backup.bytes);
  expect(backup.multiArch).toBeGreaterThan(0);
});

it('names every folder before what is in it', () => {
  const seen = new Set<string>(['']);
  for (const path of tar('-tf', backup.file).trimEnd().split('\n')) {
    expect(seen).toContain(path.replace(/[^/]+\/?$/, ''));
    if (path.endsWith('/')) seen.add(path);
  }
});

it('gives the same bytes for the same parameters and others for another seed', () => {
  const again = generateBackup(parameters, join(folder, 'again'));
  expect(readFileSync(again.file).equals(readFileSync(backup.file))).toBe(true);
  const other = generateBackup({ ...parameters, seed: 6 }, folder);
  expect(other.file).not.toBe(backup.file);
});

it('uses a file of the same parameters again', () => {
  const before = statSync(backup.file).mtimeMs;
  expect(generateBackup(parameters, folder)).toEqual(backup);
  expect(statSync(backup.file).mtimeMs).toBe(before);
});

it('stores a layer of any size as a hole', () => {
  const huge = generateBackup(
    { images: 1, repositories: 1, bytes: 100_000, baseImages: 0, multiArchRatio: 0, holeBytes: 700_000_001 },
    folder,
  );
  expect(tar('-tvf', huge.file)).toContain(' 700000001 ');
  expect(statSync(huge.file).blocks * 512).toBeLessThan(20_000_000);
});

it('unpacks to blobs that have their digests and images that have their blobs', () => {
  const blobs = unpack('unpacked');
  for (const digest of readTags(join(folder, 'unpacked')).values()) {
    const manifest = parseManifest(blobs.get(digest)!);
    const images =
      manifest.kind === 'index'
        ? manifest.manifests.map((child) => parseManifest(blobs.get(child.digest)!))
        : [manifest];
    for (const blob of images.flatMap((image) => manifestBlobs(image)))
      expect(blobs.get(blob.digest)?.length).toBe(blob.size);
  }
});

describeWith('docker-registry', 'a real registry over what was generated', () => {
  it('serves every tag with its digest', async () => {
    const registry = await startRegistry(join(folder, 'registry'));
    try {
      tar('-xf', backup.file, '-C', registry.storage);
      for (const [name, digest] of readTags(registry.storage)) {
        const [repository, tag] = name.split(':');
        const accept =
          'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json';
        const answer = await fetch(`http://${registry.host}/v2/${repository}/manifests/${tag}`, {
          headers: { accept },
        });
        expect(digestOf(Buffer.from(await answer.arrayBuffer()))).toBe(digest);
      }
    } finally {
      await registry.stop();
    }
  });
});

function unpack(name: string): Map<string, Buffer> {
  execFileSync('mkdir', [join(folder, name)]);
  tar('-xf', backup.file, '-C', join(folder, name));
  const root = join(folder, name, 'docker/registry/v2/blobs/sha256');
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('/data'));
  return new Map(
    paths.map((path) => {
      const bytes = readFileSync(join(root, path));
      const digest = digestOf(bytes);
      expect(path).toContain(digest.slice(7));
      return [digest, bytes];
    }),
  );
}
