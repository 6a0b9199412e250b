import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import type { Backup } from '../../src/source/backup.ts';
import { openSource } from '../../src/source/open-source.ts';
import type { OpenSourceOptions } from '../../src/source/options.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { archive, file, hardLink, symlink } from '../support/tar-builder.ts';
import { sparseMember } from '../support/tar-sparse-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { contentsOf, readContents } from './support/contents.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
let spools: string;
let serial = 0;
beforeEach(() => void (spools = folder.file(`spools-${serial++}`)));

const layer = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251));
const noise = Buffer.from(
  Uint32Array.from(
    { length: 1_500_000 },
    (_, i) => Math.imul(i ^ (i << 13) ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(i, 0xc2b2ae35),
  ).buffer,
);
const store = buildStorage((s) => ({ app: s.image('team/app', 'v1', { layers: [{ bytes: layer }, 'small'] }) }));
const layerDigest = digestOf(layer);
const expected = { tags: [`team/app:v1 ${store.built.app.digest}`], blobs: 'whole', problems: [] };

function write(name: string, bytes: Uint8Array): string {
  writeFileSync(folder.file(name), bytes);
  return folder.file(name);
}

function pipe(bytes: Uint8Array, chunkBytes = 65_536): OpenSourceOptions {
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, i) =>
    bytes.subarray(i * chunkBytes, (i + 1) * chunkBytes),
  );
  return { stdin: Readable.from(chunks), spoolFolder: spools };
}

function zstd(bytes: Uint8Array, ...options: string[]): Buffer {
  return execFileSync('zstd', ['-q', '-c', ...options], { input: bytes, maxBuffer: 64 * 1024 * 1024 });
}

function spoolFiles(): string[] {
  return existsSync(spools)
    ? readdirSync(spools)
        .flatMap((name) => readdirSync(join(spools, name)))
        .filter((name) => name !== 'lock')
    : [];
}

describe('compressed, recognised by content and not by name', () => {
  it('as many pieces as there are: none leaves a listener behind', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listen);
    const big = buildStorage((s) => s.image('big', 'v1', { layers: [{ bytes: Buffer.from(noise) }] }));
    const { blobs } = await contentsOf(['-'], pipe(gzipSync(big.tar(), { level: 0 }), 16_384));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect([blobs, warnings]).toEqual(['whole', []]);
  });

  it('gzip', async () => {
    expect(await contentsOf([write('docker.tar', gzipSync(store.tar()))], { spoolFolder: spools })).toMatchObject({
      ...expected,
      format: 'tar.gz',
    });
  });

  it('gzip in several members, as pigz and cat write it', async () => {
    const tar = store.tar();
    const parts = [0, 1, 2].map((i) => gzipSync(tar.subarray((i * tar.length) / 3, ((i + 1) * tar.length) / 3)));
    expect(await contentsOf([write('members.gz', Buffer.concat(parts))], { spoolFolder: spools })).toMatchObject(
      expected,
    );
  });

  it('zstd, one frame and several', async () => {
    const tar = store.tar();
    expect(await contentsOf([write('docker.tgz', zstd(tar))], { spoolFolder: spools })).toMatchObject({
      ...expected,
      format: 'tar.zst',
    });
    expect(
      await contentsOf(
        [write('frames.zst', Buffer.concat([zstd(tar.subarray(0, 100_000)), zstd(tar.subarray(100_000))]))],
        { spoolFolder: spools },
      ),
    ).toMatchObject(expected);
  });

  it('split and compressed', async () => {
    const packed = gzipSync(store.tar());
    write('split.tar.gz.aa', packed.subarray(0, 1000));
    write('split.tar.gz.ab', packed.subarray(1000));
    expect(await contentsOf([folder.file('split.tar.gz.aa')], { spoolFolder: spools })).toMatchObject(expected);
  });

  it.each<[string, (tar: Buffer) => Buffer]>([
    ['gzip', (tar) => gzipSync(tar)],
    ['zstd', (tar) => zstd(tar, '--no-check')],
  ])('%s that is cut or damaged: what comes before is used, and it is told', async (_name, compress) => {
    const packed = compress(store.tar({ order: 'links-first', after: [file('filler', noise)] }));
    const cut = await contentsOf([write('cut', packed.subarray(0, packed.length - 200))], { spoolFolder: spools });
    expect(cut.tags).toEqual(expected.tags);
    expect(cut.problems).toContain('SOURCE_UNREADABLE');
    const damaged = Buffer.from(packed);
    damaged.fill(0xff, packed.length - 300_000, packed.length - 1000);
    const after = await contentsOf([write('damaged', damaged)], { spoolFolder: spools });
    expect(after.tags).toEqual(expected.tags);
    expect(after.problems).toContain('SOURCE_UNREADABLE');
  });

  it('what is not a tar inside is refused', async () => {
    await expect(openSource([write('text.gz', gzipSync('library/nginx:1.27\n'))])).rejects.toMatchObject({
      code: 'SOURCE_NOT_TAR',
      message: expect.stringContaining('unpacked is not a tar') as string,
    });
    await expect(openSource([write('twice.gz', gzipSync(gzipSync(store.tar())))])).rejects.toMatchObject({
      code: 'SOURCE_COMPRESSED',
    });
    await expect(openSource([write('empty.gz', gzipSync(''))])).rejects.toMatchObject({ code: 'SOURCE_EMPTY' });
    await expect(openSource([write('broken.gz', Buffer.from('\x1f\x8b\x08rubbish', 'latin1'))])).rejects.toMatchObject({
      code: 'SOURCE_COMPRESSED',
    });
  });
});

describe('standard input', () => {
  it.each<[string, (tar: Buffer) => Buffer]>([
    ['plain', (tar) => tar],
    ['gzip', (tar) => gzipSync(tar)],
    ['zstd', (tar) => zstd(tar)],
  ])('%s', async (_name, compress) => {
    for (const order of ['path', 'links-first', 'mixed'] as const) {
      expect(await contentsOf(['-'], pipe(compress(store.tar({ order })), 1000))).toMatchObject(expected);
    }
  });

  it('of no bytes, and of no tar', async () => {
    await expect(openSource(['-'], pipe(Buffer.alloc(0)))).rejects.toMatchObject({ code: 'SOURCE_EMPTY' });
    await expect(openSource(['-'], pipe(Buffer.from('ssh: connection refused\n')))).rejects.toMatchObject({
      code: 'SOURCE_NOT_TAR',
    });
  });

  it('a sparse layer', async () => {
    const sparse = Buffer.concat([Buffer.alloc(100_000), Buffer.alloc(50_000, 'x'), Buffer.alloc(100_000)]);
    const holed = buildStorage((s) => s.image('a', 'b', { layers: [{ bytes: sparse }] }));
    for (const form of ['gnu', 'pax-1.0'] as const) {
      const tar = holed.tar({
        rewrite: (path, bytes, fullPath) =>
          bytes.equals(sparse)
            ? [
                sparseMember({
                  path: fullPath,
                  size: sparse.length,
                  runs: [{ at: 100_000, bytes: Buffer.alloc(50_000, 'x') }],
                  form,
                }),
              ]
            : undefined,
      });
      expect(await contentsOf(['-'], pipe(tar))).toMatchObject({ blobs: 'whole', problems: [] });
    }
  });
});

describe('the spool', () => {
  const open = async (tar: Uint8Array, options: Partial<OpenSourceOptions> = {}): Promise<Backup> =>
    openSource(['-'], { ...pipe(tar), ...options });

  it('is told of before it starts, with its place, and is removed at the end', async () => {
    const notices: string[] = [];
    const backup = await openSource([write('docker.tar.gz', gzipSync(store.tar()))], {
      spoolFolder: spools,
      onNotice: (text) => notices.push(text),
    });
    await readCatalog(backup);
    expect(notices).toEqual([expect.stringContaining(spools)]);
    expect(notices[0]).toMatch(/MB or somewhat more.*free there/);
    expect(spoolFiles()).not.toEqual([]);
    await backup.close();
    expect(readdirSync(spools)).toEqual([]);
  });

  it('is removed at once where the process ends', async () => {
    const backup = await open(store.tar());
    await readCatalog(backup);
    backup.spool?.removeSync();
    expect(readdirSync(spools)).toEqual([]);
    await backup.close();
  });

  it('is removed when the pass is interrupted', async () => {
    const stop = new AbortController();
    const backup = await openSource(['-'], {
      stdin: Readable.from(
        (function* () {
          yield store.tar();
          stop.abort();
          yield Buffer.alloc(10_000);
        })(),
      ),
      spoolFolder: spools,
    });
    await expect(readCatalog(backup, { signal: stop.signal })).rejects.toMatchObject({ name: 'AbortError' });
    await backup.close();
    expect(readdirSync(spools)).toEqual([]);
  });

  it('holds a layer as a file of its own whose digest is known, to be linked without reading it', async () => {
    const backup = await open(store.tar());
    const catalog = await readCatalog(backup);
    const location = catalog.stored.get(layerDigest)?.location;
    if (location === undefined) throw new Error('no layer');
    expect(readFileSync(backup.file(location) ?? '').equals(layer)).toBe(true);
    expect(backup.spool?.digestOf(location)).toBe(layerDigest);
    await backup.close();
  });

  it('knows the digest of what is damaged, which is not that of its name', async () => {
    const damaged = store.tar({
      rewrite: (path, bytes, fullPath) =>
        path === storagePaths.blob(layerDigest) ? [file(fullPath, Buffer.from(bytes).fill(0, 5, 9))] : undefined,
    });
    const backup = await open(damaged);
    const catalog = await readCatalog(backup);
    const location = catalog.stored.get(layerDigest)?.location;
    expect(location && backup.spool?.digestOf(location)).not.toBe(layerDigest);
    await backup.close();
    expect((await contentsOf(['-'], pipe(damaged))).blobs).toEqual([layerDigest]);
  });

  it('drops what nothing needs', async () => {
    const backup = await open(store.tar());
    const catalog = await readCatalog(backup);
    const location = catalog.stored.get(layerDigest)?.location;
    await backup.spool?.keepOnly(({ file: name }) => name === location?.file);
    expect(existsSync(location?.file ?? '')).toBe(true);
    await backup.spool?.keepOnly(() => false);
    expect(existsSync(location?.file ?? '')).toBe(false);
    await backup.close();
  });

  it('keeps no layers where nobody reads them, and still knows their sizes', async () => {
    const backup = await open(store.tar(), { keep: 'small' });
    const catalog = await readCatalog(backup);
    expect(spoolFiles()).toEqual(['small']);
    expect(catalog.stored.get(layerDigest)?.location?.size).toBe(layer.length);
    await backup.close();
  });

  it.each(['hard', 'symbolic', 'reversed'] as const)(
    'keeps digests alone where layers are only hashed, under whichever name their bytes come (%s links)',
    async (kind) => {
      for (const order of ['path', 'links-first'] as const) {
        const backup = await open(
          store.tar({ order, aliases: [{ digest: layerDigest, path: 'docker/skopeo/app/layer', kind }] }),
          { keep: 'digests' },
        );
        const catalog = await readCatalog(backup);
        const location = catalog.stored.get(layerDigest)?.location;
        expect(spoolFiles()).toEqual(['small']);
        expect(location && backup.spool?.digestOf(location)).toBe(layerDigest);
        await backup.close();
      }
    },
  );

  it('keeps manifests of any allowed size even then', async () => {
    const large = buildStorage((s) =>
      s.image('a', 'b', { annotations: { long: 'x'.repeat(500_000) }, layers: [{ bytes: layer }] }),
    );
    const backup = await open(large.tar(), { keep: 'small' });
    const catalog = await readCatalog(backup);
    const manifest = catalog.stored.get(large.built.digest)?.location;
    expect(manifest && Buffer.from(backup.readSmall(manifest)).equals(large.built.bytes)).toBe(true);
    const content = catalog.stored.get(layerDigest)?.location;
    expect(() => content && backup.readSmall(content)).toThrow(
      expect.objectContaining({ code: 'SOURCE_UNREADABLE' }) as Error,
    );
    await backup.close();
  });

  it.each(['hard', 'symbolic', 'reversed'] as const)(
    'finds a layer whose bytes lie under another name (%s links), before or after it',
    async (kind) => {
      for (const order of ['path', 'links-first'] as const) {
        const tar = store.tar({ order, aliases: [{ digest: layerDigest, path: 'docker/skopeo/app/layer', kind }] });
        const backup = await open(tar);
        expect(await readContents(backup)).toMatchObject(expected);
        await backup.close();
      }
    },
  );

  it('drops large files that no blob is a link to, and unfinished uploads', async () => {
    const strangers = [
      file('docker/skopeo/other', layer),
      file(`docker/registry/v2/repositories/a/_uploads/${'0'.repeat(36)}/data`, layer),
    ];
    const backup = await open(store.tar({ before: strangers }));
    await readCatalog(backup);
    const large = spoolFiles().filter((name) => name !== 'small');
    expect(large).toHaveLength(1);
    await backup.close();
  });

  it('keeps one of a blob that comes twice', async () => {
    const path = `docker/registry/v2/${storagePaths.blob(layerDigest)}`;
    const backup = await open(store.tar({ after: [file(path, layer), file(path, Buffer.alloc(200_000))] }));
    expect(await readContents(backup)).toMatchObject(expected);
    expect(spoolFiles().filter((name) => name !== 'small')).toHaveLength(1);
    await backup.close();
  });

  it('drops what was cut', async () => {
    const whole = archive([
      file('docker/registry/v2/blobs/x', 'y'),
      file(`docker/registry/v2/${storagePaths.blob(layerDigest)}`, layer),
    ]);
    const backup = await open(
      Buffer.concat([
        store.tar({ rewrite: (path) => (path === storagePaths.blob(layerDigest) ? [] : undefined) }),
        whole.subarray(0, 200_000),
      ]),
    );
    const contents = await readContents(backup);
    expect(contents.problems).toContain('TAR_CUT');
    expect(
      spoolFiles().every(
        (name) => name === 'small' || statSync(join(spools, readdirSync(spools)[0] ?? '', name)).size === 0,
      ),
    ).toBe(true);
    await backup.close();
  });

  it('a second scan says what the first one said', async () => {
    const tar = archive([
      file('a', 'x'),
      hardLink('b', 'a'),
      symlink('c/d', '../a'),
      file('big', layer),
      hardLink('e', 'big'),
      ...store.members(),
    ]);
    const backup = await open(tar);
    const scan = async (): Promise<unknown[]> => {
      const entries: unknown[] = [];
      await backup.scan(({ path, kind, target, modified, location, bytes }) => {
        if (kind !== 'directory')
          entries.push({ path, kind, target, modified, location, bytes: bytes && Buffer.from(bytes).toString() });
      });
      return entries;
    };
    const first = await scan();
    expect(first.length).toBeGreaterThan(5);
    expect(await scan()).toEqual(first);
    await backup.close();
  });
});
