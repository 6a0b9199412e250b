import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readDockerArchive } from './read-docker-archive.ts';
import { hash } from './read-graph.ts';
import { findDirImages, readDirImage, readLayout } from './read-layout.ts';
import { run } from './run.ts';
import { temporaryFolder } from './temporary-folder.ts';

const layer = Buffer.from('not really a tar, but a layer');
const config = Buffer.from(
  JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [hash(layer)] } }),
);
const mediaType = 'application/vnd.oci.image.manifest.v1+json';
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: describeBytes('config', config),
    layers: [describeBytes('layer', layer)],
  }),
);

function describeBytes(type: string, bytes: Buffer): object {
  return { mediaType: `application/${type}`, digest: hash(bytes), size: bytes.length };
}

function newFolder(): string {
  const folder = temporaryFolder();
  onTestFinished(() => folder.remove());
  return folder.path;
}

function writeLayout(folder: string, entry: object = { ...describeBytes('x', manifest), mediaType }): void {
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  for (const bytes of [layer, config, manifest])
    writeFileSync(join(folder, 'blobs', hash(bytes).replace(':', '/')), bytes);
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
}

describe('the reader of OCI layouts', () => {
  it('returns the root, all manifests and all blobs', async () => {
    const folder = newFolder();
    writeLayout(folder);
    const [image] = (await readLayout(folder)).images;
    expect(image).toMatchObject({ digest: hash(manifest), bytes: manifest, mediaType, missing: [], foreign: [] });
    expect([...(image?.blobs ?? [])]).toEqual([
      [hash(config), config.length],
      [hash(layer), layer.length],
    ]);
  });

  it('throws at a flipped byte, an absent blob and a wrong entry', async () => {
    const folder = newFolder();
    const path = join(folder, 'blobs', hash(layer).replace(':', '/'));
    writeLayout(folder);
    writeFileSync(path, Buffer.from(layer).fill(0, 3, 4));
    await expect(readLayout(folder)).rejects.toThrow(/holds bytes whose digest/);
    rmSync(path);
    await expect(readLayout(folder)).rejects.toThrow(/is absent/);
    writeLayout(folder, { ...describeBytes('x', manifest), mediaType: 'application/other' });
    await expect(readLayout(folder)).rejects.toThrow(/says application\/other/);
    writeLayout(folder, { mediaType, digest: hash(manifest), size: 1 });
    await expect(readLayout(folder)).rejects.toThrow(/says 1 bytes/);
  });
});

describe('the reader of dir folders', () => {
  const write = (folder: string): void => {
    writeFileSync(join(folder, 'version'), 'Directory Transport Version: 1.1\n');
    writeFileSync(join(folder, 'manifest.json'), manifest);
    for (const bytes of [layer, config]) writeFileSync(join(folder, hash(bytes).slice(7)), bytes);
  };

  it('returns the image and finds its folder', async () => {
    const root = newFolder();
    const folder = join(root, 'a/b:1');
    mkdirSync(folder, { recursive: true });
    write(folder);
    expect(findDirImages(root)).toEqual(['a/b:1']);
    expect((await readDirImage(folder)).digest).toBe(hash(manifest));
  });

  it('throws at superfluous files and absent ones', async () => {
    const folder = newFolder();
    write(folder);
    writeFileSync(join(folder, 'left.tmp'), '');
    await expect(readDirImage(folder)).rejects.toThrow(/also holds left.tmp/);
    renameSync(join(folder, hash(layer).slice(7)), join(folder, 'left.tmp'));
    await expect(readDirImage(folder)).rejects.toThrow(/is absent/);
  });
});

describe('the reader of docker-archives', () => {
  const write = async (folder: string, bytes: Buffer): Promise<string> => {
    const name = hash(config).slice(7);
    writeFileSync(join(folder, `${name}.json`), config);
    writeFileSync(join(folder, 'layer.tar'), bytes);
    writeFileSync(
      join(folder, 'manifest.json'),
      JSON.stringify([{ Config: `${name}.json`, RepoTags: ['a:1'], Layers: ['layer.tar'] }]),
    );
    await run('tar', ['-cf', 'x.tar', 'manifest.json', 'layer.tar', `${name}.json`], { cwd: folder });
    return join(folder, 'x.tar');
  };

  it('returns images whose layers have their diff IDs', async () => {
    const { images, layout, members } = await readDockerArchive(await write(newFolder(), layer));
    expect(images).toMatchObject([
      { repoTags: ['a:1'], configDigest: hash(config), layers: [{ digest: hash(layer), size: layer.length }] },
    ]);
    expect([layout, members[0]]).toEqual([undefined, 'manifest.json']);
  });

  it('throws at a layer that has another diff ID', async () => {
    await expect(readDockerArchive(await write(newFolder(), config))).rejects.toThrow(/diff IDs are/);
  });
});
