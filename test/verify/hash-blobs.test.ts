import { appendFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RegtarError } from '../../src/errors.ts';
import { openContentStore } from '../../src/formats/content-store.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { concatRandomAccess, openRandomAccess } from '../../src/io/random-access.ts';
import { openTarFile } from '../../src/source/tar-file.ts';
import { hashBlobs } from '../../src/verify/hash-blobs.ts';
import { openFolder, openTar, type OpenedStorage } from '../support/open-storage.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { sparseMember } from '../support/tar-sparse-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Blobs from one byte to more than a thread reads at once, with one that is damaged. */
const build = () =>
  buildStorage((s) => {
    const sizes = [1, 511, 512, 4096, 70_000, 1_000_000, 9_000_000, 20_000_000, 33];
    const digests = sizes.map((size, index) => s.blob(Buffer.alloc(size, `blob ${index} `), 'app'));
    s.image('app', 'v1');
    s.image('wide', 'v1', { algorithm: 'sha512' });
    s.corruptBlob(digests[7]!);
    s.corruptBlob(digests[3]!);
    return { digests, damaged: [digests[3]!, digests[7]!].sort() };
  });

let storage: ReturnType<typeof build>;
beforeAll(() => void (storage = build()));

async function damagedIn(
  opened: Pick<OpenedStorage, 'catalog' | 'store'>,
  threadsFromBytes: number,
): Promise<{ damaged: string[]; bytes: number; errors: RegtarError[] }> {
  const errors: RegtarError[] = [];
  let bytes = 0;
  await hashBlobs(opened.store, [...opened.catalog.blobs()], {
    jobs: 2,
    threadsFromBytes,
    onBytes: (count) => void (bytes += count),
    onDamage: (_digest, error) => void errors.push(error),
  });
  return { errors, bytes, damaged: errors.map(({ where }) => where.digest ?? '').sort() };
}

describe.each([
  ['in threads', 0],
  ['on the main thread', Number.MAX_SAFE_INTEGER],
])('%s', (_title, threadsFromBytes) => {
  it.each(['path', 'links-first', 'mixed'] as const)(
    'an archive in %s order: finds what is damaged and nothing else, and counts each byte once',
    async (order) => {
      const opened = await openTar(storage, { order });
      const { damaged, bytes, errors } = await damagedIn(opened, threadsFromBytes);
      expect(damaged).toEqual(storage.built.damaged);
      expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['BLOB_CORRUPT']));
      expect(bytes).toBe(
        [...opened.catalog.blobs()].reduce((sum, digest) => sum + (opened.store.stat(digest)?.size ?? 0), 0),
      );
    },
  );

  it('a folder', async () => {
    expect((await damagedIn(await openFolder(storage), threadsFromBytes)).damaged).toEqual(storage.built.damaged);
  });

  it('an archive in parts whose borders cut blobs', async () => {
    const folder = temporaryFolder();
    const tar = storage.tar();
    const cuts = [0, 700, 12_345_678, 12_345_679, tar.length];
    const parts = cuts.slice(1).map((end, index) => {
      writeFileSync(folder.file(`part${index}`), tar.subarray(cuts[index], end));
      return openRandomAccess(folder.file(`part${index}`));
    });
    const backup = openTarFile(concatRandomAccess(parts), 'parts');
    const catalog = await readCatalog(backup);
    expect((await damagedIn({ catalog, store: openContentStore(backup, catalog) }, threadsFromBytes)).damaged).toEqual(
      storage.built.damaged,
    );
    await backup.close();
    folder.remove();
  });

  it('a sparse member has its holes hashed as zeros', async () => {
    const sparse = buildStorage((s) =>
      s.blob(Buffer.concat([Buffer.from('begin'), Buffer.alloc(100_000), Buffer.from('end')])),
    );
    const opened = await openTar(sparse, {
      rewrite: (path, _bytes, fullPath) =>
        path.endsWith('/data')
          ? [
              sparseMember({
                path: fullPath,
                size: 100_008,
                form: 'gnu',
                runs: [
                  { at: 0, bytes: Buffer.from('begin') },
                  { at: 100_005, bytes: Buffer.from('end') },
                ],
              }),
            ]
          : undefined,
    });
    expect((await damagedIn(opened, threadsFromBytes)).damaged).toEqual([]);
  });

  it('a backup that became shorter is named as changed, not as damaged', async () => {
    const opened = await openTar(storage);
    truncateSync(opened.path, statSync(opened.path).size / 2);
    await expect(damagedIn(opened, threadsFromBytes)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });

  it('an interruption ends it', async () => {
    const { catalog, store } = await openTar(storage);
    const stop = new AbortController();
    const hashing = hashBlobs(store, [...catalog.blobs()], {
      jobs: 2,
      threadsFromBytes,
      signal: stop.signal,
      onBytes: () => stop.abort(),
      onDamage: () => undefined,
    });
    await expect(hashing).rejects.toThrow('abort');
  });
});

it('a file that grew by bytes that nobody reads is still read right', async () => {
  const opened = await openTar(storage);
  appendFileSync(opened.path, 'more');
  expect((await damagedIn(opened, 0)).damaged).toEqual(storage.built.damaged);
});

it('threads do the work: the main one reads again only what they doubt', async () => {
  const { catalog, store } = await openTar(storage);
  const readHere: string[] = [];
  const watched = {
    ...store,
    open: (...args: Parameters<typeof store.open>) => (readHere.push(args[0]), store.open(...args)),
  };
  await damagedIn({ catalog, store: watched }, 0);
  expect(readHere.sort()).toEqual(storage.built.damaged);
});
