import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { parseManifest } from '../../src/oci/manifest.ts';
import { buildStorage } from './storage-builder.ts';
import { storagePaths } from './storage-paths.ts';
import type { MemberOrder } from './storage-output.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'storage-builder-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const everything = () =>
  buildStorage((s) => {
    const nginx = s.image('library/nginx', ['1.27', 'latest'], { layers: ['base', 'nginx'] });
    return {
      nginx,
      deep: s.image('a/b/c/d', 'v1', { format: 'oci', layers: ['base', { files: { 'etc/motd': 'hello' } }] }),
      multi: s.index('team/multi', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64/v8' }], {
        format: 'docker',
      }),
      old: s.image('team/app', 'latest', { layers: ['base', 'old'] }),
      now: s.image('team/app', 'latest', { layers: ['base', 'new'] }),
      untagged: s.image('team/app', undefined, { layers: ['base', 'untagged'] }),
      chart: s.artifact('charts/app', '1.0.0', { body: 'a chart' }),
      referrer: s.artifact('library/nginx', undefined, { subject: nginx, body: 'an SBOM' }),
      signature: s.signature(nginx),
      schema1: s.schema1('old/schema1', 'v1', { signatures: true }),
      foreign: s.image('windows/app', 'v1', { layers: ['win', { foreign: 'https://example.org/layer' }] }),
    };
  });

it('stores every blob under its own digest and every link with the digest in its path', () => {
  for (const [path, bytes] of everything().files) {
    const named = /([0-9a-f]{64})\/(?:data|link)$/.exec(path)?.[1];
    if (path.endsWith('/data')) expect(digestOf(bytes)).toBe(`sha256:${named}`);
    else if (named !== undefined) expect(bytes.toString()).toBe(`sha256:${named}`);
  }
});

it('makes manifests that parse, layers that unpack and configs with their diff IDs', () => {
  const { built, blob } = everything();
  expect(Object.values(built).map((placed) => parseManifest(placed.bytes).kind)).toEqual([
    'image',
    'image',
    'index',
    'image',
    'image',
    'image',
    'image',
    'image',
    'image',
    'schema1',
    'image',
  ]);
  const [config, ...layers] = built.nginx.blobs;
  expect(JSON.parse(blob(config!.digest).toString())).toMatchObject({
    rootfs: { diff_ids: layers.map((layer) => digestOf(gunzipSync(blob(layer.digest)))) },
  });
});

it('keeps what a moved tag meant before, and its image', () => {
  const { files, built } = everything();
  expect(files.get(storagePaths.currentLink('team/app', 'latest'))?.toString()).toBe(built.now.digest);
  expect(files.has(storagePaths.historyLink('team/app', 'latest', built.old.digest))).toBe(true);
  expect(files.has(storagePaths.revisionLink('team/app', built.old.digest))).toBe(true);
});

it('shares equal layers between repositories and leaves foreign ones out', () => {
  const { files, built } = everything();
  const base = built.nginx.blobs[1]!.digest;
  expect(built.deep.blobs[1]!.digest).toBe(base);
  expect([...files.keys()].filter((path) => path === storagePaths.blob(base))).toHaveLength(1);
  expect(files.has(storagePaths.blob(built.foreign.blobs[2]!.digest))).toBe(false);
});

it.each<MemberOrder>(['path', 'links-first', 'mixed'])(
  'in %s order GNU tar unpacks what writeTo writes',
  async (order) => {
    const store = everything();
    await store.writeTo(join(folder, 'written'));
    writeFileSync(join(folder, 'docker.tar'), store.tar({ order }));
    execFileSync('mkdir', ['unpacked'], { cwd: folder });
    execFileSync('tar', ['-xf', 'docker.tar', '-C', 'unpacked'], { cwd: folder });
    expect(spawnSync('diff', ['-r', 'written', 'unpacked'], { cwd: folder, encoding: 'utf8' }).stdout).toBe('');
  },
);

it.each(['hard', 'symbolic', 'reversed'] as const)('other names of a blob: %s', (kind) => {
  const store = everything();
  const { digest } = store.built.nginx.blobs[1]!;
  writeFileSync(
    join(folder, 'docker.tar'),
    store.tar({ aliases: [{ digest, path: `docker/skopeo/nginx/${digest.slice(7)}`, kind }] }),
  );
  execFileSync('tar', ['-xf', 'docker.tar'], { cwd: folder });
  for (const path of [`docker/registry/v2/${storagePaths.blob(digest)}`, `docker/skopeo/nginx/${digest.slice(7)}`]) {
    expect(digestOf(readFileSync(join(folder, path)))).toBe(digest);
  }
});

it('damages only what it is told to', () => {
  const sound = everything();
  const damaged = buildStorage((s) => {
    for (const [path, bytes] of sound.files) s.write(path, bytes);
    s.loseBlob(sound.built.deep.digest);
    s.corruptBlob(sound.built.chart.digest);
    s.emptyTag('library/nginx', 'latest');
    s.loseTag('team/multi', 'v1');
    s.deleteRevision('team/app', sound.built.now.digest);
  });
  const changed = [...sound.files]
    .filter(([path, bytes]) => damaged.files.get(path)?.equals(bytes) !== true)
    .map(([path]) => path);
  expect(changed.sort()).toEqual(
    [
      storagePaths.blob(sound.built.deep.digest),
      storagePaths.blob(sound.built.chart.digest),
      storagePaths.currentLink('library/nginx', 'latest'),
      storagePaths.currentLink('team/multi', 'v1'),
      storagePaths.revisionLink('team/app', sound.built.now.digest),
    ].sort(),
  );
});
