import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { regtar, regtarJson } from '../e2e/support/regtar.ts';
import { buildStorage, type StorageDescription } from '../support/storage-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import type { StorageTarOptions } from '../support/storage-output.ts';
import { file } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
let serial = 0;

function write(bytes: Uint8Array): string {
  const path = folder.file(`backup-${serial++}.tar`);
  writeFileSync(path, bytes);
  return path;
}

interface Planted {
  readonly app: ReturnType<StorageDescription['image']>;
  readonly multi: ReturnType<StorageDescription['index']>;
}

/** A store with one image of one platform and one of two, spoiled. */
function planted(
  spoil: (storage: StorageDescription, placed: Planted) => void,
  options?: StorageTarOptions,
): Uint8Array {
  return buildStorage((s) => {
    const placed = {
      app: s.image('app', 'v1', { layers: ['base', { bytes: Buffer.alloc(40_000, 'layer') }] }),
      multi: s.index('multi', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]),
    };
    s.image('other', 'v1', { layers: ['base'] });
    spoil(s, placed);
  }).tar(options);
}

const nothing = (): void => undefined;

describe('a sound store', () => {
  it.each([[], ['--quick'], ['--jobs', '1'], ['--include', 'app']])(
    'ends with 0 and names nothing: %s',
    async (...words) => {
      const { code, stdout } = await regtar(['verify', ...words, write(planted(nothing))]);
      expect(code).toBe(0);
      expect(stdout).toContain('sound');
      expect(stdout).not.toMatch(/^[A-Z_]{5,}:/m);
    },
  );

  it('gives a report of fixed shape', async () => {
    const report = await regtarJson<object>(['verify', write(planted(nothing))]);
    expect(report).toEqual({
      images: { whole: 3, partial: 0, lost: 0 },
      untagged: { whole: 0, partial: 0, lost: 0 },
      blobs: {
        checked: expect.any(Number) as number,
        bytes: expect.any(Number) as number,
        corrupt: 0,
        missing: 0,
        unreferenced: 0,
        corruptBytes: 0,
        missingBytes: 0,
        unreferencedBytes: 0,
      },
      sound: true,
      quick: false,
      problems: [],
      damaged: [],
      seconds: expect.any(Number) as number,
    });
  });
});

describe('each planted kind of damage ends with 4 and has its code', () => {
  const cut = planted(nothing);
  it.each<[string, string, Uint8Array, object]>([
    [
      'BLOB_CORRUPT',
      'a wrong bit in a layer',
      planted((s, { app }) => s.corruptBlob(app.blobs[2]!.digest)),
      { whole: 2, partial: 0, lost: 1 },
    ],
    [
      'BLOB_CORRUPT',
      'a wrong bit in a config',
      planted((s, { app }) => s.corruptBlob(app.blobs[0]!.digest)),
      { whole: 2, partial: 0, lost: 1 },
    ],
    [
      'BLOB_CORRUPT',
      'a wrong bit in a manifest',
      planted((s, { app }) => s.corruptBlob(app.digest)),
      { whole: 2, partial: 0, lost: 1 },
    ],
    [
      'BLOB_CORRUPT',
      'a wrong bit in one platform',
      planted((s, { multi }) => s.corruptBlob(multi.children[0]!.digest)),
      { whole: 2, partial: 1, lost: 0 },
    ],
    [
      'BLOB_MISSING',
      'a lost layer',
      planted((s, { app }) => s.loseBlob(app.blobs[2]!.digest)),
      { whole: 2, partial: 0, lost: 1 },
    ],
    [
      'BLOB_MISSING',
      'a lost manifest',
      planted((s, { app }) => s.loseBlob(app.digest)),
      { whole: 2, partial: 0, lost: 1 },
    ],
    [
      'CHILD_MISSING',
      'a lost platform',
      planted((s, { multi }) => s.loseBlob(multi.children[1]!.digest)),
      { whole: 2, partial: 1, lost: 0 },
    ],
    [
      'BLOB_EMPTY',
      'a blob of zero bytes',
      planted((s, { app }) => s.emptyBlob(app.blobs[2]!.digest)),
      { whole: 2, partial: 0, lost: 1 },
    ],
    [
      'LAYER_LINK_MISSING',
      'a lost layer link',
      planted((s, { app }) => s.remove(storagePaths.layerLink('app', app.blobs[2]!.digest))),
      { whole: 3, partial: 0, lost: 0 },
    ],
    [
      'REVISION_LINK_MISSING',
      'a lost link of a platform',
      planted((s, { multi }) => s.deleteRevision('multi', multi.children[0]!.digest)),
      { whole: 3, partial: 0, lost: 0 },
    ],
    ['LINK_RECOVERED', 'an emptied link', planted((s) => s.emptyTag('app', 'v1')), { whole: 3, partial: 0, lost: 0 }],
    [
      'LINK_INVALID',
      'a link of rubbish',
      planted((s) => s.write(storagePaths.currentLink('app', 'v1'), 'rubbish')),
      { whole: 2, partial: 0, lost: 1 },
    ],
    [
      'TAG_NO_CURRENT',
      'a tag without its link',
      planted((s) => s.loseTag('app', 'v1')),
      { whole: 2, partial: 0, lost: 1 },
    ],
    [
      'TAG_AMBIGUOUS',
      'an emptied link with two candidates',
      planted((s) => (s.image('app', 'v1', { layers: ['2'] }), s.emptyTag('app', 'v1'))),
      { whole: 2, partial: 0, lost: 1 },
    ],
    [
      'MANIFEST_INVALID',
      'a manifest that is none',
      planted((s) => void s.manifest('bad', 'v1', '{}')),
      { whole: 3, partial: 0, lost: 1 },
    ],
    [
      'DIGEST_INVALID',
      'a path that is not a digest',
      planted((s) => s.write(`repositories/app/_layers/sha256/${'A'.repeat(64)}/link`, 'x')),
      { whole: 3, partial: 0, lost: 0 },
    ],
    [
      'TAR_HEADER_INVALID',
      'a header that is damaged',
      planted(nothing, { before: [file('docker/lost', 'x', { checksum: 'wrong' })] }),
      { whole: 3, partial: 0, lost: 0 },
    ],
    ['TAR_CUT', 'an end that is missing', cut.subarray(0, cut.length - 1024), { whole: 3, partial: 0, lost: 0 }],
  ])('%s: %s', async (code, _title, bytes, images) => {
    const path = write(bytes);
    const report = await regtarJson<{
      sound: boolean;
      problems: { code: string; message: string }[];
      images: object;
      damaged: { state: string }[];
    }>(['verify', path], 4);
    expect(report.sound).toBe(false);
    expect(report.images).toEqual(images);
    expect(report.problems.map((problem) => problem.code)).toContain(code);
    expect(report.problems.every(({ message }) => message !== '')).toBe(true);
    // What hashing alone can find, a quick look passes over; everything else it finds too.
    const isUnseen = code === 'BLOB_CORRUPT' && !/manifest|platform/.test(_title);
    expect((await regtar(['verify', '--quick', path])).code).toBe(isUnseen ? 0 : 4);
  });

  it('says which platforms survive', async () => {
    const { stdout } = await regtar([
      'verify',
      write(planted((s, { multi }) => s.loseBlob(multi.children[1]!.digest))),
    ]);
    expect(stdout).toMatch(/multi:v1\s+partial\s+linux\/amd64\s+linux\/arm64/);
    expect(stdout.match(/needed by multi:v1/g)).toHaveLength(1);
    expect(stdout).toMatch(/\nhint: push, export and load take .* with --platform$/m);
  });

  it('--platform judges these platforms alone, as push --platform takes them', async () => {
    const path = write(
      planted((s, { app, multi }) => {
        s.loseBlob(multi.children[1]!.digest);
        s.corruptBlob(app.blobs[2]!.digest);
      }),
    );
    const one = await regtar(['verify', path, '--platform', 'linux/amd64', '--include', 'multi']);
    expect([one.code, one.stdout]).toEqual([0, expect.stringMatching(/images {4}1 whole, 0 partial, 0 lost/)]);
    const other = await regtar(['verify', path, '--platform', 'linux/arm64']);
    expect([other.code, other.stdout]).toEqual([4, expect.stringMatching(/images {4}0 whole, 0 partial, 1 lost/)]);
    expect(other.stdout).toMatch(/multi:v1\s+lost\s+-\s+linux\/arm64/);
    // What runs on amd64 is not looked at, damaged or not, and that is said.
    expect(other.stdout).not.toContain('BLOB_CORRUPT');
    expect(other.stderr).toContain('note: 2 names without linux/arm64 not verified');
    const both = await regtar(['verify', path, '--platform', 'linux/amd64', '--platform', 'linux/arm64']);
    expect([both.code, both.stdout]).toEqual([4, expect.stringMatching(/images {4}1 whole, 1 partial, 1 lost/)]);
  });

  it('--quick compares sizes', async () => {
    const bytes = planted((s, { app }) => s.write(storagePaths.blob(app.blobs[2]!.digest), 'shorter'));
    expect(await regtarJson(['verify', '--quick', write(bytes)], 4)).toMatchObject({
      quick: true,
      blobs: { checked: 0, corrupt: 1 },
      problems: [{ code: 'BLOB_CORRUPT', message: expect.stringContaining('7 bytes instead of 40000') as string }],
    });
  });
});
