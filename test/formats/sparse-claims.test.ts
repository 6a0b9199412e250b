import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { openContentStore } from '../../src/formats/content-store.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { openSource } from '../../src/source/open-source.ts';
import { parseDigest } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { verifyBackup } from '../../src/verify/verify.ts';
import { regtar } from '../e2e/support/regtar.ts';
import { run } from '../support/run.ts';
import { startRegistry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { sparseMember } from '../support/tar-sparse-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const gibibyte = 1024 ** 3;
const start = Buffer.from('the beginning of a layer');

const tar = 'application/vnd.oci.image.layer.v1.tar';
const gzip = `${tar}+gzip`;

/** A backup of one image whose layer is a sparse member of `claimed` bytes, while its manifest says `said`. */
function backup(name: string, claimed: number, said = start.length, mediaType = tar): string {
  const store = buildStorage((s) => {
    s.image('other', 'v1');
    const layer = s.blob(start, 'app');
    const config = {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: s.blob('{"os":"linux","architecture":"amd64"}', 'app'),
      size: 37,
    };
    const layers = [{ mediaType, digest: layer, size: said }];
    s.manifest('app', 'v1', JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }));
    return layer;
  });
  const layer = storagePaths.blob(store.built);
  const bytes = store.tar({
    rewrite: (path, _bytes, fullPath) =>
      path === layer
        ? [sparseMember({ path: fullPath, size: claimed, runs: [{ at: 0, bytes: start }], form: 'pax-1.0' })]
        : undefined,
  });
  writeFileSync(folder.file(name), bytes);
  return folder.file(name);
}

describe('a member with holes that claims more than it may', () => {
  it.each<[string, number, string]>([
    ['petabytes', 2 ** 52, 'TAR_SPARSE'],
    ['terabytes, and its manifest says 24 bytes', 8 * 1024 * gibibyte, 'BLOB_CORRUPT'],
  ])('%s: verify says so at once', async (_, claimed, code) => {
    const { code: exit, stdout } = await regtar(['verify', backup('claim.tar', claimed)], { timeoutSeconds: 60 });
    expect([exit, stdout]).toEqual([4, expect.stringContaining(code)]);
  });

  it('terabytes that no manifest names: verify says so at once', async () => {
    const store = buildStorage((s) => ({ image: s.image('app', 'v1'), layer: s.blob(start, 'app') }));
    const layer = storagePaths.blob(store.built.layer);
    const runs = [{ at: 0, bytes: start }];
    const bytes = store.tar({
      rewrite: (path, _bytes, fullPath) =>
        path === layer
          ? [sparseMember({ path: fullPath, size: 8 * 1024 * gibibyte, runs, form: 'pax-1.0' })]
          : undefined,
    });
    writeFileSync(folder.file('unnamed.tar'), bytes);
    const { code, stdout } = await regtar(['verify', folder.file('unnamed.tar')], { timeoutSeconds: 60 });
    expect([code, stdout]).toEqual([
      4,
      expect.stringMatching(/BLOB_CORRUPT.*of which 24 are stored; no manifest names it/),
    ]);
  });

  it('through a stream, too, which keeps no zeros', async () => {
    const stdin = Readable.from([readFileSync(backup('claim.tar', 8 * 1024 * gibibyte))]);
    const source = await openSource(['-'], { stdin, spoolFolder: folder.file('spool'), keep: 'digests' });
    const catalog = await readCatalog(source);
    const report = await verifyBackup({ catalog, store: openContentStore(source, catalog) });
    await source.close();
    expect(report.problems.map(({ code }) => code)).toContain('BLOB_CORRUPT');
  });

  it('export refuses what the manifest does not say before the first byte', async () => {
    const out = folder.file('out');
    const { code, stderr } = await regtar(['export', backup('claim.tar', 8 * 1024 * gibibyte), out], {
      timeoutSeconds: 60,
    });
    expect([code, stderr]).toEqual([3, expect.stringMatching(/BLOB_CORRUPT: .*bytes instead of 24/)]);
  });

  it('an archive that the disk cannot hold is refused before its first byte', async () => {
    const size = 8 * 1024 * gibibyte;
    const out = folder.file('out.tar');
    const { code, stderr } = await regtar(['export', backup('claim.tar', size, size), out], { timeoutSeconds: 60 });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/OUTPUT_FULL: .*out\.tar needs \d[\d.]* TB/)]);
    expect(statSync(out, { throwIfNoEntry: false })).toBeUndefined();
  });
});

describe.each([
  ['terabytes', 8 * 1024 * gibibyte, tar, /it claims 8796093022208 bytes, of which (?:24|4096) are stored;/],
  [
    'two gigabytes of a compressed layer',
    2 * gibibyte,
    gzip,
    /of which (?:24|4096) are stored, and .*gzip has no holes/,
  ],
])('%s of holes that a manifest claims as well', (_, size, mediaType, words) => {
  const claim = (): string => backup('claim.tar', size, size, mediaType);
  const asFolder = async (): Promise<string> => {
    const place = folder.file('storage');
    rmSync(place, { recursive: true, force: true });
    mkdirSync(place);
    const file = claim();
    await run('tar', ['-xf', file, '-C', place]);
    return place;
  };

  it('are damage at once, in a tar, in a folder and through a stream', async () => {
    const sources = [[claim()], [await asFolder()], ['-']] as const;
    for (const [source] of sources) {
      const input = source === '-' ? readFileSync(claim()) : undefined;
      const { code, stdout } = await regtar(['verify', source], { timeoutSeconds: 60, input });
      expect([code, stdout]).toEqual([4, expect.stringMatching(words)]);
      expect(stdout).toMatch(/BLOB_CORRUPT/);
    }
  });

  it('fail their image and no other when they are to travel', async () => {
    const registry = await startRegistry();
    onTestFinished(() => registry.stop());
    const out = folder.file('travelled');
    for (const words of [
      ['export', claim(), out, '--force'],
      ['push', claim(), registry.host],
      // A disk that cannot hold it refuses the whole run.
      ...(mediaType === gzip ? [['push', claim(), `${registry.host}/placed`, '--storage', registry.storage]] : []),
    ]) {
      const { code, stderr } = await regtar(words, { timeoutSeconds: 60 });
      expect([code, stderr]).toEqual([3, expect.stringMatching(/BLOB_CORRUPT: .*of which 24 are stored/)]);
      expect(stderr).toMatch(/1 failed/);
    }
  });
});

it('an honest disk image with holes is read, and is whole', async () => {
  const size = gibibyte + 32 * 1024 * 1024;
  const hash = createHash('sha256').update(start);
  const zeros = Buffer.alloc(1024 * 1024);
  for (let left = size - start.length; left > 0; left -= zeros.length)
    hash.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
  const digest = parseDigest(`sha256:${hash.digest('hex')}`);
  const store = buildStorage((s) => {
    const config = { mediaType: mediaTypes.ociEmpty, digest: s.blob('{}', 'disk'), size: 2 };
    const layers = [{ mediaType: 'application/vnd.example.disk.raw', digest, size }];
    s.manifest('disk', 'v1', JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }));
    s.write(storagePaths.layerLink('disk', digest), digest);
    s.write(storagePaths.blob(digest), start);
  });
  const place = folder.file('honest');
  await store.writeTo(place);
  truncateSync(join(place, 'docker/registry/v2', storagePaths.blob(digest)), size);
  const sparse = folder.file('honest.tar');
  await run('tar', ['--sparse', '-cf', sparse, '-C', place, 'docker']);
  expect(statSync(sparse).size).toBeLessThan(200_000);
  for (const source of [place, sparse]) {
    const { code, stdout } = await regtar(['verify', source]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('sound')]);
  }
});

it('zeros take no room in a folder', async () => {
  const store = buildStorage((s) =>
    s.image('app', 'v1', {
      layers: [{ bytes: Buffer.concat([start, Buffer.alloc(40 * 1024 * 1024), start, Buffer.alloc(4 * 1024 * 1024)]) }],
    }),
  );
  writeFileSync(folder.file('zeros.tar'), store.tar());
  const out = folder.file('holes');
  expect((await regtar(['export', folder.file('zeros.tar'), out])).code).toBe(0);
  const { blocks, size } = statSync(join(out, 'blobs/sha256', store.built.blobs[1]!.digest.slice(7)));
  expect(size).toBe(44 * 1024 * 1024 + 2 * start.length);
  expect(blocks * 512).toBeLessThan(8 * 1024 * 1024);
  expect((await regtar(['export', folder.file('zeros.tar'), out])).code).toBe(0);
});
