import { spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RegtarError } from '../../src/errors.ts';
import type { RandomAccess } from '../../src/io/random-access.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { openTarFile } from '../../src/source/tar-file.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { verifyBackup } from '../../src/verify/verify.ts';
import { bareEnvironment, program } from '../e2e/support/regtar.ts';
import { watchWarnings } from '../support/node-warnings.ts';
import { manyTags } from '../support/many-tags.ts';
import { openPath, openTar, type OpenedStorage } from '../support/open-storage.ts';
import { buildStorage, type StorageDescription } from '../support/storage-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { archive, file, hardLink, symlink } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = 'docker/registry/v2';
const digest = digestOf(Buffer.from('hostile'));
const hex = digest.slice(7);

/** A sound image beside everything hostile: it must still be there afterwards. */
const sound = buildStorage((s) => s.image('good', 'v1'));
const beside = (...members: Buffer[]): Promise<OpenedStorage> => openTar(archive([...sound.members(), ...members]));
const spoiled = async (spoil: (storage: StorageDescription) => unknown): Promise<OpenedStorage> =>
  openTar(buildStorage((s) => (s.image('good', 'v1'), spoil(s))));
const codes = ({ catalog }: Pick<OpenedStorage, 'catalog'>): string[] => catalog.problems.map(({ code }) => code);
const thrown = (work: () => unknown): Partial<RegtarError> => {
  try {
    work();
  } catch (error) {
    return error as RegtarError;
  }
  return {};
};

function expectOnlyGood({ catalog, graph }: OpenedStorage): void {
  expect([...catalog.repositories()]).toEqual(['good']);
  expect([...catalog.tags('good')].map(({ tag, digest: found }) => [tag, found])).toEqual([['v1', sound.built.digest]]);
  expect(graph.read(sound.built.digest).missing).toEqual([]);
}

describe('names in the archive', () => {
  it.each<[string, string, string[]]>([
    ['a repository that climbs', `${root}/repositories/../../../etc/_manifests/tags/v1/current/link`, ['PATH_INVALID']],
    [
      'a repository that climbs in the middle',
      `${root}/repositories/a/../../b/_manifests/tags/v1/current/link`,
      ['PATH_INVALID'],
    ],
    ['an absolute repository', `${root}/repositories//etc/_manifests/tags/v1/current/link`, ['REPOSITORY_INVALID']],
    ['a tag that climbs', `${root}/repositories/bad/_manifests/tags/../current/link`, ['PATH_INVALID']],
    ['a blob that climbs', `${root}/blobs/sha256/../../../../etc/data`, ['PATH_INVALID']],
    ['an archive that climbs before its tree begins', `../${root}/${storagePaths.blob(digest)}`, ['PATH_INVALID']],
    ['a tag of dots', `${root}/repositories/bad/_manifests/tags/.../current/link`, ['TAG_INVALID']],
    ['a repository in upper case', `${root}/repositories/Bad/_manifests/tags/v1/current/link`, ['REPOSITORY_INVALID']],
    [
      'a repository of 256 characters',
      `${root}/repositories/${'a'.repeat(256)}/_manifests/tags/v1/current/link`,
      ['REPOSITORY_INVALID'],
    ],
    [
      'a repository with terminal escapes',
      `${root}/repositories/a\u001b]0;owned\u0007b/_manifests/tags/v1/current/link`,
      ['REPOSITORY_INVALID'],
    ],
    [
      'a tag with terminal escapes',
      `${root}/repositories/bad/_manifests/tags/\u001b[31mv1/current/link`,
      ['TAG_INVALID'],
    ],
    [
      'a repository with a line end',
      `${root}/repositories/a\nb/_manifests/tags/v1/current/link`,
      ['REPOSITORY_INVALID'],
    ],
    [
      'a digest in upper case',
      `${root}/repositories/good/_manifests/revisions/sha256/${hex.toUpperCase()}/link`,
      ['DIGEST_INVALID'],
    ],
    ['a digest that is too short', `${root}/repositories/good/_layers/sha256/${hex.slice(2)}/link`, ['DIGEST_INVALID']],
    [
      'a digest of another algorithm',
      `${root}/repositories/good/_layers/sha1/${hex.slice(24)}/link`,
      ['DIGEST_INVALID'],
    ],
    ['a blob under a wrong prefix', `${root}/blobs/sha256/zz/${hex}/data`, ['DIGEST_INVALID']],
    ['a blob in upper case', `${root}/blobs/sha256/${hex.slice(0, 2)}/${hex.toUpperCase()}/data`, ['DIGEST_INVALID']],
  ])('%s', async (_title, path, expected) => {
    const opened = await beside(file(path, digest));
    expectOnlyGood(opened);
    expect(codes(opened)).toEqual(expected);
  });

  it('a link whose own name climbs', async () => {
    const opened = await beside(
      hardLink(
        `${root}/repositories/bad/../../x/_manifests/tags/v1/current/link`,
        `${root}/${storagePaths.currentLink('good', 'v1')}`,
      ),
    );
    expectOnlyGood(opened);
    expect(codes(opened)).toEqual(['PATH_INVALID']);
  });

  it('a message never holds more of a hostile name than a line', async () => {
    const { catalog } = await beside(
      file(`${root}/repositories/${'A'.repeat(100_000)}/_manifests/tags/v1/current/link`, digest),
    );
    expect(catalog.problems).toHaveLength(1);
    expect(catalog.problems[0]?.message.length).toBeLessThan(400);
  });
});

describe('contents of links', () => {
  it.each([
    ['a path', '../../../../etc/passwd'],
    ['a path that ends like a digest', `../sha256:${hex}`],
    ['a digest in upper case', `sha256:${hex.toUpperCase()}`],
    ['a digest that is too short', `sha256:${hex.slice(1)}`],
    ['two digests', `${digest}\n${digest}`],
    ['bytes that are not text', '\xff\xfe\0\0'],
    ['a megabyte', 'x'.repeat(1024 * 1024)],
  ])('a tag that holds %s has no meaning', async (_title, content) => {
    const opened = await spoiled((s) => s.write(storagePaths.currentLink('good', 'bad'), content));
    expectOnlyGood(opened);
    expect([...opened.catalog.lostTags('good')].map(({ tag }) => tag)).toEqual(['bad']);
    expect(opened.catalog.problems).toMatchObject([{ code: 'LINK_INVALID', repository: 'good', tag: 'bad' }]);
    expect(await verifyBackup(opened)).toMatchObject({ sound: false, images: { whole: 1, lost: 1 } });
  });

  it('a revision whose link holds a path goes by its own path, and that is said', async () => {
    const opened = await spoiled((s) => s.write(storagePaths.revisionLink('good', digest), '../../../../etc/passwd'));
    expect([...opened.catalog.revisions('good')].sort()).toEqual([digest, sound.built.digest].sort());
    expect(codes(opened)).toEqual(['LINK_INVALID']);
    expect(thrown(() => opened.graph.read(digest))).toMatchObject({ code: 'BLOB_MISSING' });
  });

  it.each<[string, Buffer[]]>([
    [
      'a tag that is a symbolic link to /etc/passwd',
      [symlink(`${root}/${storagePaths.currentLink('good', 'bad')}`, '/etc/passwd')],
    ],
    [
      'a tag that is a symbolic link out of the backup',
      [symlink(`${root}/${storagePaths.currentLink('good', 'bad')}`, `${'../'.repeat(40)}etc/passwd`)],
    ],
    ['a blob that is a hard link to /etc/passwd', [hardLink(`${root}/${storagePaths.blob(digest)}`, '/etc/passwd')]],
    [
      'links that go round',
      [
        symlink(`${root}/${storagePaths.blob(digest)}`, 'other'),
        symlink(`${root}/${storagePaths.blob(digest).replace('data', 'other')}`, 'data'),
      ],
    ],
    [
      'a thousand links, each to the next',
      Array.from({ length: 1000 }, (_, index) =>
        hardLink(index === 0 ? `${root}/${storagePaths.blob(digest)}` : `x/${index}`, `x/${index + 1}`),
      ),
    ],
  ])('%s: refused by name, nothing outside the backup is read', async (_title, members) => {
    const opened = await beside(...members);
    expect(codes(opened)).toEqual(['TAR_LINK_INVALID']);
    expect([...opened.catalog.tags('good')].map(({ tag }) => tag)).toEqual(['v1']);
    expect(opened.store.stat(digest)).toBeUndefined();
  });
});

describe('manifests', () => {
  const manifest = async (bytes: string | Buffer): Promise<OpenedStorage & { digest: Digest }> => {
    const storage = buildStorage((s) => (s.image('good', 'v1'), s.manifest('bad', 'v1', bytes).digest));
    return { ...(await openTar(storage)), digest: storage.built };
  };
  const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  const config = `{"mediaType":"${mediaTypes.ociConfig}","digest":"${digest}","size":1}`;

  it.each<[string, string | Buffer, string]>([
    [
      'of more than 4 MiB',
      `{"schemaVersion":2,"manifests":[],"annotations":{"x":"${'x'.repeat(4 * 1024 * 1024)}"}}`,
      'MANIFEST_TOO_LARGE',
    ],
    [
      'whose layers are nested 100,000 deep',
      `{"schemaVersion":2,"config":${config},"layers":${deep(100_000)}}`,
      'MANIFEST_INVALID',
    ],
    ['whose children are nested 100,000 deep', `{"schemaVersion":2,"manifests":${deep(100_000)}}`, 'MANIFEST_INVALID'],
    ['that is nested 100,000 deep itself', deep(100_000), 'MANIFEST_INVALID'],
    ['of objects nested 100,000 deep', '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000), 'MANIFEST_INVALID'],
    ['that is cut', '{"schemaVersion":2,"layers":[', 'MANIFEST_INVALID'],
    ['that is not an object', '"manifest"', 'MANIFEST_INVALID'],
    ['that is null', 'null', 'MANIFEST_INVALID'],
    ['that is not UTF-8', Buffer.from('{"schemaVersion":2,"manifests":[],"x":"\xff"}', 'latin1'), 'MANIFEST_INVALID'],
    [
      'whose digest is a path',
      `{"schemaVersion":2,"config":${config.replace(digest, '../../etc/passwd')},"layers":[]}`,
      'MANIFEST_INVALID',
    ],
    [
      'whose digest is in upper case',
      `{"schemaVersion":2,"config":${config.replace(hex, hex.toUpperCase())},"layers":[]}`,
      'MANIFEST_INVALID',
    ],
    [
      'with a negative size',
      `{"schemaVersion":2,"config":${config.replace('"size":1', '"size":-1')},"layers":[]}`,
      'MANIFEST_INVALID',
    ],
    [
      'with a size that no number holds',
      `{"schemaVersion":2,"config":${config.replace('"size":1', '"size":1e300')},"layers":[]}`,
      'MANIFEST_INVALID',
    ],
    ['with fields of Object itself', '{"__proto__":{"manifests":[]},"constructor":{}}', 'MANIFEST_INVALID'],
  ])('%s', async (_title, bytes, code) => {
    const opened = await manifest(bytes);
    expect(thrown(() => opened.graph.read(opened.digest))).toMatchObject({ code });
    const report = await verifyBackup(opened);
    expect(report).toMatchObject({ sound: false, images: { whole: 1, lost: 1 } });
    expect(report.problems).toMatchObject([{ code, repository: 'bad', tag: 'v1' }]);
  });

  it('deep nesting where nobody looks harms nothing', async () => {
    const opened = await manifest(`{"schemaVersion":2,"manifests":[],"x":${deep(100_000)}}`);
    expect(opened.graph.read(opened.digest)).toMatchObject({ kind: 'index', children: [] });
  });

  it('an index whose bytes name its own digest can only be a forgery, and is called damaged', async () => {
    const opened = await spoiled((s) => {
      s.write(
        storagePaths.blob(digest),
        JSON.stringify({
          schemaVersion: 2,
          mediaType: mediaTypes.ociIndex,
          manifests: [{ mediaType: mediaTypes.ociIndex, digest, size: 100 }],
        }),
      );
      s.write(storagePaths.revisionLink('bad', digest), digest);
      s.tag('bad', 'v1', digest);
    });
    expect(thrown(() => opened.graph.read(digest))).toMatchObject({ code: 'BLOB_CORRUPT' });
    expect(await verifyBackup(opened)).toMatchObject({ sound: false, images: { whole: 1, lost: 1 } });
  });

  it('indexes nested deeper than anybody would build are cut off with a code', async () => {
    const storage = buildStorage((s) => {
      let inner = s.index('bad', undefined, [{ platform: 'linux/amd64' }]);
      for (let depth = 0; depth < 100; depth++) inner = s.index('bad', depth === 99 ? 'v1' : undefined, [inner]);
      return inner.digest;
    });
    const opened = await openTar(storage);
    const report = await verifyBackup(opened);
    expect(report.sound).toBe(false);
    expect(report.problems.map(({ code }) => code)).toContain('MANIFEST_CYCLE');
  });

  it('an index of 12,000 times the same child costs no more than one of each', async () => {
    const storage = buildStorage((s) => {
      const child = s.image('bad', undefined);
      return s.manifest(
        'bad',
        'v1',
        JSON.stringify({
          schemaVersion: 2,
          mediaType: mediaTypes.ociIndex,
          manifests: Array.from({ length: 12_000 }, () => child.descriptor),
        }),
        { mediaType: mediaTypes.ociIndex },
      ).digest;
    });
    const started = performance.now();
    expect(await verifyBackup(await openTar(storage))).toMatchObject({ sound: true, images: { whole: 1 } });
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('a config nested 100,000 deep leaves its image without a platform', async () => {
    const storage = buildStorage((s) => {
      const blob = s.blob(
        `{"os":"linux","architecture":"amd64","x":${deep(100_000)},"rootfs":${deep(100_000)}}`,
        'odd',
      );
      return s.manifest(
        'odd',
        'v1',
        JSON.stringify({
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config: { mediaType: mediaTypes.ociConfig, digest: blob, size: 400_000 },
          layers: [],
        }),
      ).digest;
    });
    const { graph } = await openTar(storage);
    expect(graph.read(storage.built)).toMatchObject({ kind: 'image', missing: [] });
  });
});

describe('masses', () => {
  it('hundreds of thousands of tags in one folder: all there, sorted, in memory that grows with their number and no faster; what they all lack is told once', async () => {
    const held = async (count: number): Promise<number> => {
      const before = process.memoryUsage().rss;
      const catalog = await readCatalog(openTarFile(manyTags(count, digest), 'many.tar'));
      const tags = [...catalog.tags('many')].map(({ tag }) => tag);
      expect([tags.length, tags[0], tags[count - 1]]).toEqual([
        count,
        't00000000',
        `t${String(count - 1).padStart(8, '0')}`,
      ]);
      expect(catalog.problems).toHaveLength(10_001);
      expect(catalog.problems.at(-1)).toEqual({
        code: 'TAG_REVISION_MISSING',
        message: `${count - 10_000} more of this kind are not listed`,
      });
      return process.memoryUsage().rss - before;
    };
    expect(await held(100_000)).toBeLessThan(150 * 2 ** 20 + 100_000 * 250);
    expect(await held(500_000)).toBeLessThan(150 * 2 ** 20 + 500_000 * 250);
  });

  it('more tags than fit into the heap are refused by name, and the program does not crash', async () => {
    const child = spawn(process.execPath, ['--max-old-space-size=64', program, 'list', '-'], {
      env: { ...process.env, ...bareEnvironment },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    watchWarnings(child, 'regtar list');
    const tags = manyTags(400_000, '');
    child.stdin.on('error', () => undefined);
    Readable.from(piecesOf(tags)).pipe(child.stdin);
    const messages: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => void messages.push(chunk));
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(1);
    expect(Buffer.concat(messages).toString()).toMatch(
      /\nregtar: SOURCE_TOO_LARGE: standard input holds more names than fit into the [0-9]+ MiB.*\nhint: .*--max-old-space-size=/,
    );
  });

  it('a tag that meant 50,000 digests', async () => {
    const count = 50_000;
    const folder = temporaryFolder();
    onTestFinished(() => folder.remove());
    writeMany(folder.file('docker.tar'), count, (index) => {
      const some = digestOf(Buffer.from(String(index)));
      return file(`${root}/${storagePaths.historyLink('many', 'latest', some)}`, some);
    });
    const started = performance.now();
    const { catalog } = await openPath(folder.file('docker.tar'));
    expect([...catalog.lostTags('many')][0]?.candidates).toHaveLength(count);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(catalog.problems[0]?.message.length).toBeLessThan(2000);
  });
});

function* piecesOf(access: RandomAccess): Generator<Uint8Array> {
  for (let position = 0; position < access.size; position += 1024 * 1024) {
    const piece = Buffer.alloc(1024 * 1024);
    yield piece.subarray(0, access.readSync(piece, 0, piece.length, position));
  }
}

function writeMany(path: string, count: number, member: (index: number) => Buffer): void {
  const descriptor = openSync(path, 'w');
  for (let from = 0; from < count; from += 5000) {
    writeSync(
      descriptor,
      Buffer.concat(Array.from({ length: Math.min(5000, count - from) }, (_, index) => member(from + index))),
    );
  }
  writeSync(descriptor, Buffer.alloc(1024));
  closeSync(descriptor);
}
