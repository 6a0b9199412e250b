import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { summarize } from '../../src/content/summarize.ts';
import { verifyBackup, type VerifyOptions } from '../../src/verify/verify.ts';
import type { VerifyReport } from '../../src/verify/verify-report.ts';
import { openFolder, openTar } from '../support/open-storage.ts';
import { buildStorage, type StorageDescription } from '../support/storage-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';

type Build = (storage: StorageDescription) => unknown;

const verify = async (build: Build, options?: VerifyOptions): Promise<VerifyReport> =>
  verifyBackup(await openTar(buildStorage(build)), options);
const stateOf = (report: VerifyReport, name: string): string | undefined =>
  report.verdicts.find(
    ({ repository, tag, digest }) => `${repository}:${tag ?? ''}` === name || `${repository}@${digest}` === name,
  )?.state;
const codes = (report: VerifyReport): string[] => [...new Set(report.problems.map(({ code }) => code))].sort();

const everything: Build = (s) => {
  const nginx = s.image('library/nginx', ['1.27', 'latest'], { layers: ['base', 'nginx'] });
  s.image('a/b/c/d', 'v1', { format: 'oci', mediaType: false, layers: ['base', 'deep'] });
  s.image('a/b', 'v1', { algorithm: 'sha512' });
  s.index('team/multi', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64/v8' }]);
  s.image('team/app', 'latest', { layers: ['base', 'old'] });
  s.image('team/app', 'latest', { layers: ['base', 'new'] });
  s.artifact('library/nginx', undefined, { subject: nginx, body: 'an SBOM' });
  s.signature(nginx);
  s.image('windows/app', 'v1', { layers: ['win', { foreign: 'https://example.org/layer' }] });
  s.upload('team/app', 'c0ffee00-0000-4000-8000-000000000000');
};

describe('a sound backup', () => {
  it('has no problem, and every image is whole', async () => {
    const { catalog, store } = await openTar(buildStorage(everything));
    const report = await verifyBackup({ catalog, store });
    expect(report).toMatchObject({
      sound: true,
      problems: [],
      images: { whole: 8, partial: 0, lost: 0 },
      untagged: { whole: 2, partial: 0, lost: 0 },
    });
    const blobs = [...catalog.blobs()];
    expect(report.blobs).toMatchObject({
      checked: blobs.length,
      bytes: blobs.reduce((sum, digest) => sum + (store.stat(digest)?.size ?? 0), 0),
      corrupt: 0,
      missing: 0,
      unreferenced: 0,
    });
  });

  it('is sound as a folder too', async () => {
    expect(await verifyBackup(await openFolder(buildStorage(everything)))).toMatchObject({ sound: true, problems: [] });
  });

  it('may keep sha512 layers under their sha256 digest, as Distribution 3 does; both digests are checked', async () => {
    const storage = buildStorage((s) => {
      const image = s.image('wide', 'v1', { algorithm: 'sha512', layers: ['base', 'wide'] });
      return { image, stored: image.blobs.map(({ digest }) => s.keepAsSha256('wide', digest)) };
    });
    for (const opened of [await openTar(storage), await openFolder(storage)]) {
      const report = await verifyBackup(opened);
      expect(report).toMatchObject({ sound: true, problems: [], images: { whole: 1 } });
      expect(report.blobs).toMatchObject({ checked: 1 + 2 * storage.built.stored.length, unreferenced: 0 });
      const { bytes, blobs } = summarize(opened.catalog, opened.store);
      expect([blobs, bytes.unreferenced, bytes.blobs]).toEqual([4, 0, bytes.referenced]);
    }
  });

  it('a blob that has its sha256 digest and not the sha512 digest of its link is damage', async () => {
    const report = await verify((s) => {
      const image = s.image('wide', 'v1', { algorithm: 'sha512', layers: ['base', 'wide'] });
      for (const { digest } of image.blobs) s.keepAsSha256('wide', digest);
      const [, layer] = image.blobs;
      s.write(storagePaths.layerLink('wide', layer!.digest), s.blob('something else', 'wide'));
    });
    expect([report.sound, stateOf(report, 'wide:v1'), codes(report)]).toEqual([
      false,
      'lost',
      expect.arrayContaining(['BLOB_CORRUPT']),
    ]);
  });

  it('may hold schema1 images, which are named but are not damage', async () => {
    const report = await verify((s) => s.schema1('old/app', 'v1', { signatures: true }));
    expect(report).toMatchObject({ sound: true, images: { whole: 1 } });
    expect(report.problems).toMatchObject([{ code: 'SCHEMA1', repository: 'old/app', tag: 'v1' }]);
  });

  it('may hold what nothing refers to: it is counted with its bytes', async () => {
    const report = await verify((s) => {
      s.image('app', 'v1');
      s.blob('nobody needs me');
    });
    expect(report).toMatchObject({ sound: true, blobs: { unreferenced: 1, unreferencedBytes: 15 } });
  });
});

describe('each kind of damage is found', () => {
  it('one wrong bit in a layer: every image that needs it is lost, the others are whole', async () => {
    const report = await verify((s) => {
      const one = s.image('one', 'v1', { layers: ['base', 'one'] });
      s.image('two', 'v1', { layers: ['base', 'two'] });
      s.image('three', 'v1', { layers: ['three'] });
      s.corruptBlob(one.blobs[1]!.digest);
    });
    expect(report).toMatchObject({
      sound: false,
      images: { whole: 1, partial: 0, lost: 2 },
      blobs: { corrupt: 1, missing: 0 },
    });
    expect(report.problems).toMatchObject([{ code: 'BLOB_CORRUPT', neededBy: ['one:v1', 'two:v1'] }]);
    expect(report.problems[0]?.message).toContain('needed by one:v1, two:v1');
  });

  it('one wrong bit in a manifest', async () => {
    const report = await verify((s) => s.corruptBlob(s.image('app', 'v1').digest));
    expect(report).toMatchObject({ sound: false, images: { lost: 1 }, blobs: { corrupt: 1 } });
    expect(report.problems).toMatchObject([{ code: 'BLOB_CORRUPT', repository: 'app', tag: 'v1' }]);
  });

  it('one wrong bit in a blob that nothing needs', async () => {
    const report = await verify((s) => {
      s.image('app', 'v1');
      s.corruptBlob(s.blob('nobody needs me'));
    });
    expect(report).toMatchObject({ sound: false, images: { whole: 1, lost: 0 }, blobs: { corrupt: 1 } });
    expect(report.problems).toMatchObject([{ code: 'BLOB_CORRUPT', neededBy: [] }]);
  });

  it('a lost layer, once, with its size', async () => {
    const report = await verify((s) => {
      const app = s.image('app', ['v1', 'v2'], { layers: [{ bytes: 'twelve bytes' }] });
      s.loseBlob(app.blobs[1]!.digest);
    });
    expect(report).toMatchObject({
      sound: false,
      images: { whole: 0, lost: 2 },
      blobs: { missing: 1, missingBytes: 12, corrupt: 0 },
    });
    expect(report.problems).toMatchObject([{ code: 'BLOB_MISSING', neededBy: ['app:v1', 'app:v2'] }]);
  });

  it('a lost manifest that a tag names', async () => {
    const report = await verify((s) => s.loseBlob(s.image('app', 'v1').digest));
    expect(report).toMatchObject({ sound: false, images: { lost: 1 }, blobs: { missing: 1 } });
    expect(report.problems).toMatchObject([{ code: 'BLOB_MISSING', repository: 'app', tag: 'v1' }]);
  });

  it('a revision without its blob, where no tag names it', async () => {
    const report = await verify((s) => {
      s.image('app', 'v1');
      s.loseBlob(s.image('app', undefined, { layers: ['other'] }).digest);
    });
    expect(report).toMatchObject({ sound: false, images: { whole: 1, lost: 0 }, untagged: { lost: 1 } });
  });

  it('a layer link without its blob, where no manifest needs it', async () => {
    const report = await verify((s) => {
      s.image('app', 'v1');
      s.loseBlob(s.blob('once there', 'app'));
    });
    expect(report).toMatchObject({ sound: false, images: { whole: 1 }, blobs: { missing: 1 } });
    expect(report.problems).toMatchObject([{ code: 'BLOB_MISSING', repository: 'app' }]);
  });

  it('a blob of zero bytes', async () => {
    const report = await verify((s) => s.emptyBlob(s.image('app', 'v1').blobs[1]!.digest));
    expect(report).toMatchObject({ sound: false, images: { lost: 1 }, blobs: { missing: 1 } });
    expect(codes(report)).toEqual(['BLOB_EMPTY', 'BLOB_MISSING']);
  });

  it('a missing layer link: the image stays whole', async () => {
    const report = await verify((s) => {
      const { digest } = s.image('app', 'v1').blobs[1]!;
      s.remove(storagePaths.layerLink('app', digest));
    });
    expect(report).toMatchObject({ sound: false, images: { whole: 1 } });
    expect(report.problems).toMatchObject([{ code: 'LAYER_LINK_MISSING', repository: 'app', tag: 'v1' }]);
  });

  it('a child of an index whose revision link is gone', async () => {
    const report = await verify((s) => {
      const index = s.index('app', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
      s.deleteRevision('app', index.children[0]!.digest);
    });
    expect(report).toMatchObject({ sound: false, images: { whole: 1 } });
    expect(report.problems).toMatchObject([{ code: 'REVISION_LINK_MISSING', repository: 'app', tag: 'v1' }]);
  });

  it.each([
    ['a tag without its current link', (s: StorageDescription) => s.loseTag('app', 'v1'), 'TAG_NO_CURRENT'],
    [
      'a tag whose link holds rubbish',
      (s: StorageDescription) => s.write(storagePaths.currentLink('app', 'v1'), 'rubbish'),
      'LINK_INVALID',
    ],
    [
      'an empty link with two candidates',
      (s: StorageDescription) => {
        s.image('app', 'v1', { layers: ['second'] });
        s.emptyTag('app', 'v1');
      },
      'TAG_AMBIGUOUS',
    ],
  ] as const)('%s: the tag is lost', async (_title, spoil, code) => {
    const report = await verify((s) => {
      s.image('app', 'v1');
      spoil(s);
    });
    expect(report).toMatchObject({ sound: false, images: { whole: 0, lost: 1 } });
    expect(codes(report)).toContain(code);
  });

  it('an empty link with one candidate: recovered, the image is whole, and it is said', async () => {
    const report = await verify((s) => {
      s.image('app', 'v1');
      s.emptyTag('app', 'v1');
    });
    expect(report).toMatchObject({ sound: false, images: { whole: 1, lost: 0 } });
    expect(codes(report)).toEqual(['LINK_RECOVERED']);
  });

  it('a deleted revision is not damage while its blobs are there', async () => {
    const report = await verify((s) => s.deleteRevision('app', s.image('app', 'v1').digest));
    expect(report).toMatchObject({ sound: true, images: { whole: 1 } });
    expect(codes(report)).toEqual(['TAG_REVISION_MISSING']);
  });

  it('a manifest that says a wrong size', async () => {
    const report = await verify((s) => {
      const app = s.image('app', 'v1');
      const lying = JSON.parse(app.bytes.toString()) as { layers: { size: number }[] };
      lying.layers[0]!.size += 1;
      s.manifest('app', 'v2', JSON.stringify(lying), { mediaType: app.descriptor.mediaType });
    });
    expect(stateOf(report, 'app:v1')).toBe('whole');
    expect(stateOf(report, 'app:v2')).toBe('lost');
    expect(codes(report)).toEqual(['MANIFEST_INVALID']);
  });

  it('a member that was cut', async () => {
    const storage = buildStorage((s) => s.image('app', 'v1', { layers: [{ bytes: 'x'.repeat(10_000) }] }));
    const tar = storage.tar();
    const report = await verifyBackup(await openTar(tar.subarray(0, tar.indexOf('x'.repeat(600)) + 3000)));
    expect(report.sound).toBe(false);
    expect(codes(report)).toContain('TAR_CUT');
  });
});

describe('an index degrades by platform', () => {
  const multi =
    (
      spoil: (
        s: StorageDescription,
        children: readonly {
          readonly digest: Parameters<StorageDescription['loseBlob']>[0];
          readonly blobs: readonly { readonly digest: Parameters<StorageDescription['loseBlob']>[0] }[];
        }[],
      ) => void,
    ): Build =>
    (s) => {
      const index = s.index('app', 'v1', [
        { platform: 'linux/amd64' },
        { platform: 'linux/arm64' },
        { platform: 'unknown/unknown' },
      ]);
      spoil(s, index.children);
    };

  it('a lost child: the other platform survives', async () => {
    const report = await verify(multi((s, [amd64]) => s.loseBlob(amd64!.digest)));
    expect(report).toMatchObject({
      images: { whole: 0, partial: 1, lost: 0 },
      verdicts: [{ state: 'partial', platforms: { whole: ['linux/arm64'], lost: ['linux/amd64'] } }],
    });
    expect(report.problems).toMatchObject(
      [{ code: 'CHILD_MISSING', repository: 'app', tag: 'v1' }, { code: 'BLOB_MISSING' }].slice(0, 1),
    );
  });

  it('a damaged layer of one child', async () => {
    const report = await verify(multi((s, [, arm64]) => s.corruptBlob(arm64!.blobs[1]!.digest)));
    expect(report).toMatchObject({
      images: { partial: 1 },
      verdicts: [{ platforms: { whole: ['linux/amd64'], lost: ['linux/arm64'] } }],
    });
  });

  it('all platforms gone: lost, although the attestation is there', async () => {
    const report = await verify(
      multi((s, [amd64, arm64]) => [amd64!, arm64!].forEach(({ digest }) => s.loseBlob(digest))),
    );
    expect(report).toMatchObject({
      images: { whole: 0, partial: 0, lost: 1 },
      verdicts: [{ platforms: { whole: [], lost: ['linux/amd64', 'linux/arm64'] } }],
    });
  });

  it('only the attestation gone: every platform survives', async () => {
    const report = await verify(multi((s, children) => s.loseBlob(children[2]!.digest)));
    expect(report).toMatchObject({
      images: { partial: 1 },
      verdicts: [{ platforms: { whole: ['linux/amd64', 'linux/arm64'], lost: [] } }],
    });
  });
});

describe('a quick look', () => {
  it('hashes no layer, but finds a lost one and one of a wrong size', async () => {
    const report = await verify(
      (s) => {
        const one = s.image('one', 'v1', { layers: ['one'] });
        const two = s.image('two', 'v1', { layers: ['two'] });
        s.image('three', 'v1', { layers: ['three'] });
        s.loseBlob(one.blobs[1]!.digest);
        s.write(storagePaths.blob(two.blobs[1]!.digest), 'short');
      },
      { quick: true },
    );
    expect(report).toMatchObject({
      quick: true,
      sound: false,
      images: { whole: 1, lost: 2 },
      blobs: { checked: 0, bytes: 0, corrupt: 1, missing: 1 },
    });
    expect(codes(report)).toEqual(['BLOB_CORRUPT', 'BLOB_MISSING']);
  });
});

describe('with a filter', () => {
  it('only what the images need is read, and other damage is not reported', async () => {
    const report = await verify(
      (s) => {
        s.image('good', 'v1', { layers: ['good'] });
        s.corruptBlob(s.image('bad', 'v1', { layers: ['bad'] }).blobs[1]!.digest);
        s.loseTag('bad', 'v1');
      },
      { filter: ({ repository }) => repository === 'good' },
    );
    expect(report).toMatchObject({
      sound: true,
      images: { whole: 1, partial: 0, lost: 0 },
      blobs: { checked: 3, unreferenced: 0 },
      problems: [],
    });
  });
});

it('counts every byte that it hashes in its events', async () => {
  const { catalog, store } = await openTar(buildStorage(everything));
  let bytes = 0;
  let total = 0;
  await verifyBackup(
    { catalog, store },
    {
      onEvent: (event) =>
        void (event.type === 'bytes' ? (bytes += event.bytes) : event.type === 'start' && (total = event.bytes)),
    },
  );
  expect(bytes).toBe(total);
});

it('an interruption ends it', async () => {
  const { catalog, store } = await openTar(buildStorage(everything));
  const stop = new AbortController();
  await expect(
    verifyBackup({ catalog, store }, { signal: stop.signal, onEvent: ({ type }) => type === 'start' && stop.abort() }),
  ).rejects.toThrow('abort');
});

it('a backup that shrinks while it is read is not called damaged', async () => {
  const { catalog, store, path } = await openTar(buildStorage(everything));
  await expect(
    verifyBackup({ catalog, store }, { onEvent: ({ type }) => type === 'start' && writeFileSync(path, '') }),
  ).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
});

it('a blob that the medium does not give is damage, and the others go on', async () => {
  const storage = buildStorage((s) => s.image('app', 'v1'));
  const { catalog, store, path } = await openFolder(storage);
  const layer = join(path, 'docker/registry/v2', storagePaths.blob(storage.built.blobs[1]!.digest));
  const swap = (): void => {
    rmSync(layer);
    mkdirSync(layer);
  };
  const report = await verifyBackup({ catalog, store }, { onEvent: ({ type }) => type === 'start' && swap() });
  expect(report.problems.map(({ code }) => code)).toContain('BLOB_UNREADABLE');
});
