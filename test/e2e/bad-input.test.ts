import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixturePath } from '../support/fixture.ts';
import { readLayout } from '../support/read-layout.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { digestsOf, layoutImages } from './support/read-outputs.ts';
import { regtar, regtarJson } from './support/regtar.ts';
import { nameOf, type CopyReport } from './support/reports.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const given = (name: string): string => folder.file(name);

beforeAll(async () => {
  await mkdir(given('empty-folder'));
  await mkdir(given('other-folder/photos'), { recursive: true });
  writeFileSync(given('other-folder/photos/a.jpg'), 'no registry');
  writeFileSync(given('empty.tar'), '');
  writeFileSync(given('text.tar'), 'this is not an archive\n'.repeat(100));
});

describe('what is not a backup is named, and nothing is written', () => {
  it.each([
    ['not-there.tar', 2, 'SOURCE_NOT_FOUND', /not-there\.tar does not exist/],
    ['empty-folder', 1, 'SOURCE_EMPTY', /empty folder/],
    ['other-folder', 1, 'SOURCE_NOT_REGISTRY', /registry/],
    ['empty.tar', 1, 'SOURCE_EMPTY', /empty\.tar is empty/],
    ['text.tar', 1, 'SOURCE_NOT_TAR', /not a tar archive/],
  ])('%s', async (name, code, errorCode, words) => {
    const out = given(`out-of-${name}`);
    for (const args of [
      ['inspect', given(name)],
      ['list', given(name)],
      ['export', given(name), out],
    ]) {
      const result = await regtar(args);
      expect([args[0], result.code, result.stdout]).toEqual([args[0], code, '']);
      const [line, hint] = result.stderr.trim().split('\n');
      expect(line).toMatch(new RegExp(`^regtar: ${errorCode}: `));
      expect(line).toMatch(words);
      expect(hint).toMatch(/^hint: ./);
    }
    expect(existsSync(out)).toBe(false);
  });

  it.each([
    [['inspect', fixturePath, ':::'], 'REFERENCE_INVALID'],
    [['export', fixturePath], 'USAGE'],
    [['push', fixturePath], 'USAGE'],
    [['push', fixturePath, 'https://somebody:secret@host'], 'TARGET_INVALID'],
    [['export', fixturePath, 'out', '--format', 'zip'], 'USAGE'],
    [['export', fixturePath, 'out', '--fromat', 'oci'], 'USAGE'],
    [['inspekt', fixturePath], 'USAGE'],
  ])('%j ends with 2', async (args, errorCode) => {
    const result = await regtar(args);
    expect([result.code, result.stdout]).toEqual([2, '']);
    expect(result.stderr).toMatch(new RegExp(`^regtar: ${errorCode}: .*\nhint: .`));
    expect(result.stderr).not.toContain('secret');
  });
});

describe('a selection of nothing is said, and nothing is written', () => {
  it('by export, with what to look at', async () => {
    const out = given('nothing');
    const result = await regtar(['export', fixturePath, out, '--include', 'no/such/*']);
    expect([result.code, existsSync(out)]).toEqual([1, false]);
    expect(result.stderr).toMatch(/^regtar: NOTHING_SELECTED: .*\nhint: .*regtar list/);
  });

  it('by list, which still ends well', async () => {
    const result = await regtar(['list', fixturePath, '--include', 'no/such/*']);
    expect([result.code, result.stdout]).toEqual([0, '']);
    expect(result.stderr).toContain('NOTHING_SELECTED');
  });

  it('where the storage has no tags, with the ways out', async () => {
    const source = given('without-tags');
    await buildStorage((s) => s.image('a/b', [], { layers: ['x'] })).writeTo(source);
    const result = await regtar(['export', source, given('no-tags-out')]);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(
      /NOTHING_SELECTED: this backup has images but no tags.*\nhint: .*--tag-map.*--untagged/,
    );
    expect((await regtarJson<CopyReport>(['export', source, given('no-tags-out'), '--untagged'])).images).toHaveLength(
      1,
    );
  });
});

describe('an archive that is cut', () => {
  const whole = readFileSync(fixturePath);

  it('gives what is whole, says at which byte, and does not end as if it were everything', async () => {
    const source = given('cut.tar');
    writeFileSync(source, whole.subarray(0, 600_100));
    const out = given('cut-out');
    const result = await regtar(['export', source, out, '--json']);
    const report = JSON.parse(result.stdout) as CopyReport;
    expect([result.code, result.stderr]).toEqual([
      3,
      expect.stringMatching(/^regtar: TAR_CUT: the archive is cut at byte 600100/m),
    ]);
    const copied = report.images.filter(({ status }) => status === 'copied');
    expect(copied.length).toBeGreaterThan(3);
    expect(Object.keys(digestsOf(layoutImages(await readLayout(out)))).sort()).toEqual(copied.map(nameOf).sort());
    expect((await regtar(['list', source])).stderr).toMatch(/TAR_CUT/);
  });

  it('before its first tag gives nothing, and says why', async () => {
    const source = given('cut-early.tar');
    writeFileSync(source, whole.subarray(0, 300_000));
    const result = await regtar(['export', source, given('cut-early-out')]);
    expect([result.code, existsSync(given('cut-early-out'))]).toEqual([1, false]);
    expect(result.stderr).toMatch(/NOTHING_SELECTED: this backup has no images: the archive is cut at byte 300000/);
  });
});

describe('one broken image', () => {
  it('is named, in every output, and the others go on', async () => {
    const source = given('broken');
    const store = buildStorage((s) => ({
      good: s.image('team/good', 'v1', { layers: ['good'] }),
      missing: s.image('team/missing', 'v1', { layers: ['the layer that is lost'] }),
      corrupt: s.image('team/corrupt', 'v1', { layers: ['the layer that is damaged'] }),
    }));
    await store.writeTo(source);
    const { missing, corrupt } = store.built;
    const pathOf = (digest: string): string =>
      `${source}/docker/registry/v2/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;
    rmSync(pathOf(missing.blobs[1]?.digest ?? ''));
    const damaged = readFileSync(pathOf(corrupt.blobs[1]?.digest ?? ''));
    damaged[3] = (damaged[3] ?? 0) ^ 1;
    writeFileSync(pathOf(corrupt.blobs[1]?.digest ?? ''), damaged);
    for (const format of ['oci', 'dir', 'docker-archive', 'registry']) {
      const out = given(`broken-${format}${format === 'docker-archive' ? '.tar' : ''}`);
      const report = await regtarJson<CopyReport>(['export', source, out, '--format', format], 3);
      expect([format, report.images.map((image) => [nameOf(image), image.status, image.error?.code])]).toEqual([
        format,
        expect.arrayContaining([
          ['team/good:v1', 'copied', undefined],
          ['team/missing:v1', 'failed', 'BLOB_MISSING'],
          ['team/corrupt:v1', 'failed', 'BLOB_CORRUPT'],
        ]),
      ]);
    }
    expect(Object.keys(digestsOf(layoutImages(await readLayout(given('broken-oci')))))).toEqual(['team/good:v1']);
  });
});
