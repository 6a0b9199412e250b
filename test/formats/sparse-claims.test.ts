import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openContentStore } from '../../src/formats/content-store.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { openSource } from '../../src/source/open-source.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { verifyBackup } from '../../src/verify/verify.ts';
import { regtar } from '../e2e/support/regtar.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { sparseMember } from '../support/tar-sparse-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const gibibyte = 1024 ** 3;
const start = Buffer.from('the beginning of a layer');

/** A backup of one image whose layer is a sparse member of `claimed` bytes, while its manifest says `said`. */
function backup(name: string, claimed: number, said = start.length): string {
  const store = buildStorage((s) => {
    const layer = s.blob(start, 'app');
    const config = {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: s.blob('{"os":"linux","architecture":"amd64"}', 'app'),
      size: 37,
    };
    const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer, size: said }];
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
    expect([code, stderr]).toEqual([1, expect.stringMatching(/BLOB_CORRUPT: .*bytes instead of 24/)]);
  });

  it('an archive that the disk cannot hold is refused before its first byte', async () => {
    const size = 8 * 1024 * gibibyte;
    const out = folder.file('out.tar');
    const { code, stderr } = await regtar(['export', backup('claim.tar', size, size), out], { timeoutSeconds: 60 });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/OUTPUT_FULL: .*out\.tar needs \d[\d.]* TB/)]);
    expect(statSync(out, { throwIfNoEntry: false })).toBeUndefined();
  });
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
