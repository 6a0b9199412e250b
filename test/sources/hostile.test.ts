import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { regtar, regtarDone, regtarJson } from '../e2e/support/regtar.ts';
import { openFileSink } from '../../src/formats/open-file-sink.ts';
import { readSavedImages } from '../../src/formats/docker-archive/read-manifest-json.ts';
import { readIndexEntries } from '../../src/formats/oci/read-index.ts';
import { readSource, type ReadSource } from '../../src/formats/read-source.ts';
import { openSource } from '../../src/source/open-source.ts';
import { archive, file, hardLink, symlink } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { hex, indexType, manifestType, refName } from './support/layout-members.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const layoutFile = file('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
let count = 0;

/** Writes a tar, reads it, and closes it again. */
async function read(members: readonly Uint8Array[]): Promise<ReadSource> {
  const path = folder.file(`hostile-${++count}.tar`);
  writeFileSync(path, archive(members));
  const backup = await openSource([path]);
  try {
    return await readSource(backup);
  } finally {
    await backup.close();
  }
}
const namesOf = ({ catalog }: ReadSource): string[] =>
  [...catalog.repositories()].flatMap((name) => [...catalog.tags(name)].map(({ tag }) => `${name}:${tag}`));
const codesOf = ({ catalog }: ReadSource): string[] => catalog.problems.map(({ code }) => code);
const indexFile = (...manifests: readonly unknown[]): Buffer =>
  file('index.json', JSON.stringify({ schemaVersion: 2, manifests }));
const image = (text: string): { readonly members: Buffer[]; readonly digest: string; readonly size: number } => {
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'amd64', note: text, rootfs: { diff_ids: [] } }),
  );
  const described = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: `sha256:${hex(config)}`,
    size: config.length,
  };
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: described, layers: [] }),
  );
  return {
    members: [config, manifest].map((bytes) => file(`blobs/sha256/${hex(bytes)}`, bytes)),
    digest: `sha256:${hex(manifest)}`,
    size: manifest.length,
  };
};
const entry = (digest: string, name: string, annotations: Record<string, string> = {}): object => ({
  mediaType: manifestType,
  digest,
  size: 1,
  annotations: { [refName]: name, ...annotations },
});

describe('an OCI layout that means harm', () => {
  const good = image('good');

  it.each([
    '../../etc:1',
    '/etc/passwd:1',
    'a/../../b:1',
    'A:1',
    'x:y:z',
    'a//b:1',
    `a:${'t'.repeat(129)}`,
    'a\n/b:1',
    '.:1',
    'https://x/y:1',
  ])('the name %j is told and makes no path; the others stay', async (name) => {
    const found = await read([
      layoutFile,
      ...good.members,
      indexFile(entry(good.digest, name), entry(good.digest, 'fine:1')),
    ]);
    expect(namesOf(found)).toEqual(['fine:1']);
    expect(codesOf(found)).toEqual(['TAG_INVALID']);
  });

  it('entries that are not descriptors, digests that are none, and blobs whose names climb', async () => {
    const found = await read([
      layoutFile,
      ...good.members,
      file(`blobs/sha256/../../../${'a'.repeat(64)}`, 'x'),
      file('../blobs/sha256/bad', 'x'),
      indexFile(
        null,
        7,
        {},
        { digest: 'sha256:../../x' },
        { digest: `md5:${'a'.repeat(32)}` },
        entry(good.digest, 'fine:1'),
      ),
    ]);
    expect(namesOf(found)).toEqual(['fine:1']);
    expect(new Set(codesOf(found))).toEqual(new Set(['DIGEST_INVALID']));
  });

  it('blobs that are not what their names say: no such image arrives, the others do', async () => {
    const bad = image('bad');
    const path = folder.file('lies.tar');
    const lie = file(`blobs/sha256/${bad.digest.slice(7)}`, 'other bytes');
    const index = indexFile(entry(good.digest, 'fine:1'), entry(bad.digest, 'bad:1'));
    writeFileSync(path, archive([layoutFile, ...good.members, ...bad.members, lie, index]));
    const { code, stdout } = await regtar(['export', path, folder.file('from-lies'), '--json']);
    expect(code).toBe(3);
    const { images } = JSON.parse(stdout) as {
      images: { repository: string; status: string; error?: { code: string } }[];
    };
    expect(images.map(({ repository, status, error }) => [repository, status, error?.code])).toEqual([
      ['bad', 'failed', 'BLOB_CORRUPT'],
      ['fine', 'copied', undefined],
    ]);
    expect((await regtar(['verify', path])).code).toBe(4);
  });

  it('two names that meet are ambiguous, and --at-digest chooses', async () => {
    const other = image('other');
    const path = folder.file('twice.tar');
    const index = indexFile(
      entry(good.digest, 'app:1'),
      entry(other.digest, 'docker.io/app:1'),
      entry(good.digest, 'app:2'),
    );
    writeFileSync(path, archive([layoutFile, ...good.members, ...other.members, index]));
    expect((await regtarDone(['list', path])).stdout).toBe('app:2\n');
    const report = await regtarJson<{ images: { tag?: string; status: string }[] }>(
      ['export', path, folder.file('twice')],
      3,
    );
    expect(report.images.map(({ tag, status }) => `${tag ?? ''} ${status}`).sort()).toEqual(['1 failed', '2 copied']);
    const chosen = ['--at-digest', `app:1@${other.digest}`];
    expect((await regtarDone(['list', path, ...chosen])).stdout).toBe('app:1\napp:2\n');
  });

  it('an index that contains itself, or nests without end', async () => {
    const blobs: Buffer[] = [];
    let child = good.digest;
    for (let depth = 0; depth < 40; depth++) {
      const bytes = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: indexType,
          manifests: [{ mediaType: indexType, digest: child, size: 1 }],
        }),
      );
      blobs.push(file(`blobs/sha256/${hex(bytes)}`, bytes));
      child = `sha256:${hex(bytes)}`;
    }
    const path = folder.file('deep.tar');
    writeFileSync(
      path,
      archive([layoutFile, ...good.members, ...blobs, indexFile(entry(child, 'deep:1'), entry(good.digest, 'fine:1'))]),
    );
    const report = await regtarJson<{ images: { repository: string; status: string }[] }>(
      ['export', path, folder.file('deep')],
      3,
    );
    expect(report.images.map(({ repository, status }) => `${repository} ${status}`).sort()).toEqual([
      'deep failed',
      'fine copied',
    ]);
  });

  it('a million entries that are none are told, and nothing is kept of them', () => {
    const many = Buffer.from(`{"manifests":[${'0,'.repeat(1_000_000)}0]}`);
    let told = 0;
    expect(readIndexEntries(many, 'index.json', () => void told++)).toEqual([]);
    expect(told).toBe(1_000_001);
  });

  it('an index.json that was cut is named', async () => {
    await expect(read([layoutFile, file('index.json', '{"manifests":[{"digest"')])).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      side: 'source',
    });
  });

  it('symbolic links of a folder that lead out of it are not followed', async () => {
    const out = folder.file('linked');
    mkdirSync(join(out, 'blobs/sha256'), { recursive: true });
    const secret = Buffer.from(
      JSON.stringify({ schemaVersion: 2, config: { digest: good.digest, size: 1 }, layers: [] }),
    );
    writeFileSync(folder.file('secret'), secret);
    symlinkSync(folder.file('secret'), join(out, 'blobs/sha256', hex(secret)));
    writeFileSync(join(out, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    writeFileSync(join(out, 'index.json'), JSON.stringify({ manifests: [entry(`sha256:${hex(secret)}`, 'secret:1')] }));
    const { images } = await regtarJson<{ images: { status: string; error: { code: string } }[] }>(
      ['export', out, folder.file('linked-out')],
      1,
    );
    expect(images.map(({ status, error }) => [status, error.code])).toEqual([['failed', 'BLOB_MISSING']]);
  });
});

describe('a docker-archive that means harm', () => {
  const layer = archive([file('x', 'y')]);
  const configOf = (...diffIds: readonly string[]): Buffer =>
    Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: diffIds } }));
  const config = configOf(`sha256:${hex(layer)}`);
  const saved = (...images: readonly object[]): Buffer => file('manifest.json', JSON.stringify(images));
  const fine = { Config: 'c.json', RepoTags: ['fine:1'], Layers: ['l/layer.tar'] };
  const files = [file('c.json', config), file('l/layer.tar', layer)];

  it.each<[string, object, string]>([
    ['a config outside', { ...fine, Config: '/etc/passwd' }, 'BLOB_MISSING'],
    ['a config above', { ...fine, Config: '../../../../etc/passwd' }, 'BLOB_MISSING'],
    ['a layer outside', { ...fine, Layers: ['/etc/hostname'] }, 'BLOB_MISSING'],
    ['a layer that is a link out', { ...fine, Layers: ['out/layer.tar'] }, 'BLOB_MISSING'],
    ['a link to itself', { ...fine, Layers: ['loop/layer.tar'] }, 'BLOB_MISSING'],
    ['more layers than diff IDs', { ...fine, Layers: ['l/layer.tar', 'l/layer.tar'] }, 'MANIFEST_INVALID'],
    ['a diff ID that is none', { ...fine, Config: 'none.json' }, 'MANIFEST_INVALID'],
  ])('%s: that image is lost, the others stay', async (_title, wrong, code) => {
    const found = await read([
      ...files,
      file('none.json', configOf('sha256:../../x')),
      symlink('out/layer.tar', '/etc/hostname'),
      symlink('loop/layer.tar', '../loop/layer.tar'),
      hardLink('hard/layer.tar', '/etc/hostname'),
      saved({ ...wrong, RepoTags: ['wrong:1'] }, fine),
    ]);
    expect(namesOf(found)).toEqual(['fine:1']);
    expect(codesOf(found)).toEqual([code]);
    expect([...found.catalog.lostTags('wrong')].map(({ tag }) => tag)).toEqual(['1']);
  });

  it('more names than anybody has are refused before they cost memory', () => {
    const tags = JSON.stringify(Array.from({ length: 1000 }, (_, index) => `a:${index}`));
    const image = `{"Config":"c.json","RepoTags":${tags},"Layers":[]}`;
    expect(() => readSavedImages(Buffer.from(`[${`${image},`.repeat(500)}${image}]`), 'manifest.json')).toThrow(
      expect.objectContaining({ code: 'SOURCE_TOO_LARGE', message: 'manifest.json lists 501000 names of images' }),
    );
  });

  it('a layer that many images have many times is hashed once', async () => {
    const packed = gzipSync(layer);
    const count = 2000;
    const many = configOf(...Array.from({ length: count }, () => `sha256:${hex(layer)}`));
    const image = { Config: 'many.json', Layers: Array.from({ length: count }, () => 'l/layer.tar') };
    const path = folder.file('shared.tar');
    const images = Array.from({ length: 5 }, (_, index) => ({ ...image, RepoTags: [`many:${index}`] }));
    writeFileSync(path, archive([file('many.json', many), file('l/layer.tar', packed), saved(...images)]));
    const backup = await openSource([path]);
    let reads = 0;
    const counting = { ...backup, read: (...args: Parameters<typeof backup.read>) => (reads++, backup.read(...args)) };
    const found = await readSource(counting);
    await backup.close();
    expect(namesOf(found)).toHaveLength(5);
    // Its first bytes, and all of it.
    expect(reads).toBe(2);
  });

  it('a layer that is not what its diff ID says does not arrive', async () => {
    const path = folder.file('lying-layer.tar');
    writeFileSync(path, archive([file('c.json', config), file('l/layer.tar', archive([file('x', 'z')])), saved(fine)]));
    const { images } = await regtarJson<{ images: { error: { code: string } }[] }>(
      ['export', path, folder.file('lying')],
      1,
    );
    expect(images.map(({ error }) => error.code)).toEqual(['BLOB_CORRUPT']);
  });

  it('a compressed layer that lies about its digest in its name does not arrive', async () => {
    const path = folder.file('lying-name.tar');
    const name = `${'a'.repeat(64)}.tar.gz`;
    writeFileSync(
      path,
      archive([file('c.json', config), file(name, gzipSync(layer)), saved({ ...fine, Layers: [name] })]),
    );
    const { images } = await regtarJson<{ images: { error: { code: string } }[] }>(
      ['export', path, folder.file('lying2')],
      1,
    );
    expect(images.map(({ error }) => error.code)).toEqual(['BLOB_CORRUPT']);
  });
});

it('a folder of a dir image that lacks its version is not there; names that climb make no path', async () => {
  const { members, digest } = image('dir');
  const manifest = members[1]?.subarray(512) ?? Buffer.alloc(0);
  const bytes = manifest.subarray(0, manifest.indexOf('}]}') < 0 ? manifest.lastIndexOf('}') + 1 : undefined);
  expect(`sha256:${hex(bytes)}`).toBe(digest);
  const found = await read([
    file('whole:1/version', 'Directory Transport Version: 1.1\n'),
    file('whole:1/manifest.json', bytes),
    file('half:1/manifest.json', bytes),
    file('../up:1/version', 'x'),
    file('../up:1/manifest.json', bytes),
  ]);
  expect(namesOf(found)).toEqual(['whole:1']);
  expect(await openFileSink('dir', { out: folder.file('unused') })).toBeDefined();
});
