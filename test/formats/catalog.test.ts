import { describe, expect, it } from 'vitest';
import { emptyDigest } from '../../src/oci/digest.ts';
import type { MemberOrder } from '../support/storage-output.ts';
import { openFolder, openTar, type OpenedStorage } from '../support/open-storage.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { storagePaths } from '../support/storage-paths.ts';
import { archive, directory, file, hardLink, symlink } from '../support/tar-builder.ts';

const everything = () =>
  buildStorage((s) => {
    const nginx = s.image('library/nginx', ['1.27', 'latest'], { layers: ['base', 'nginx'] });
    return {
      nginx,
      nested: s.image('library/nginx/modules', 'v1'),
      deep: s.image('a/b/c/d/e', 'v1', { format: 'oci' }),
      single: s.image('single', 'v1', { algorithm: 'sha512' }),
      multi: s.index('team/multi', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64/v8' }]),
      untagged: s.image('team/app', undefined),
      schema1: s.schema1('old/schema1', 'v1', { signatures: true }),
      upload: s.upload('team/app', 'c0ffee00-0000-4000-8000-000000000000'),
    };
  });

/** Everything that a catalog says, for comparison. */
function contents({ catalog, store }: OpenedStorage): object {
  return {
    repositories: [...catalog.repositories()].map((repository) => ({
      repository,
      tags: [...catalog.tags(repository)].map(({ tag, digest, history }) => [tag, digest, [...history].sort()]),
      lost: [...catalog.lostTags(repository)].map(({ tag }) => tag),
      revisions: [...catalog.revisions(repository)],
      layers: [...catalog.layers(repository)].sort(),
    })),
    blobs: [...catalog.blobs()].sort().map((digest) => [digest, store.stat(digest)?.size]),
  };
}

describe('the same storage gives the same catalog', () => {
  it.each<[string, Parameters<typeof openTar>[1]]>([
    ...(['path', 'links-first', 'mixed'] as const).map((order): [string, { order: MemberOrder }] => [
      `members in ${order} order`,
      { order },
    ]),
    ...(
      ['registry/docker/registry/v2', './docker/registry/v2', '/var/lib/registry/docker/registry/v2', 'v2', ''] as const
    ).map((root): [string, { root: string }] => [`the tree at "${root}"`, { root }]),
    ['without members for directories', { directories: false }],
    ['pax', { dialect: 'pax' }],
  ])('%s', async (_title, options) => {
    const storage = everything();
    const expected = await openTar(storage);
    const opened = await openTar(storage, options);
    expect(contents(opened)).toEqual(contents(expected));
    expect(opened.catalog.problems).toEqual([]);
  });

  it('as a folder', async () => {
    const storage = everything();
    expect(contents(await openFolder(storage))).toEqual(contents(await openTar(storage)));
  });

  it('nested repositories, history, untagged revisions and signatures of schema1 are what they are', async () => {
    const storage = everything();
    const { catalog } = await openTar(storage);
    expect([...catalog.repositories()]).toEqual([
      'a/b/c/d/e',
      'library/nginx',
      'library/nginx/modules',
      'old/schema1',
      'single',
      'team/app',
      'team/multi',
    ]);
    expect([...catalog.tags('team/app')]).toEqual([]);
    expect([...catalog.revisions('team/app')]).toEqual([storage.built.untagged.digest]);
    expect([...catalog.revisions('old/schema1')]).toEqual([storage.built.schema1.digest]);
  });
});

describe('rules that bite', () => {
  it('empty revision and layer links are recovered from their own paths, and said', async () => {
    const storage = buildStorage((s) => {
      const app = s.image('app', 'v1');
      s.write(storagePaths.revisionLink('app', app.digest), '');
      s.write(storagePaths.layerLink('app', app.blobs[0]!.digest), '');
      return app;
    });
    const { catalog } = await openTar(storage);
    expect([...catalog.revisions('app')]).toEqual([storage.built.digest]);
    expect([...catalog.layers('app')]).toContain(storage.built.blobs[0]!.digest);
    expect(catalog.problems.map(({ code, digest }) => [code, digest]).sort()).toEqual(
      [
        ['LINK_RECOVERED', storage.built.blobs[0]!.digest],
        ['LINK_RECOVERED', storage.built.digest],
      ].sort(),
    );
  });

  it('an empty current link is recovered only where the history has one entry', async () => {
    const storage = buildStorage((s) => {
      const one = s.image('one', 'v1');
      s.emptyTag('one', 'v1');
      s.image('two', 'v1', { layers: ['first'] });
      s.image('two', 'v1', { layers: ['second'] });
      s.emptyTag('two', 'v1');
      s.image('none', 'v1');
      s.emptyTag('none', 'v1');
      s.remove('repositories/none/_manifests/tags/v1/index');
      return one;
    });
    const { catalog } = await openTar(storage);
    expect([...catalog.tags('one')]).toMatchObject([{ tag: 'v1', digest: storage.built.digest }]);
    expect([...catalog.tags('two'), ...catalog.tags('none')]).toEqual([]);
    expect(catalog.problems.map(({ code, repository }) => [code, repository]).sort()).toEqual([
      ['LINK_RECOVERED', 'one'],
      ['TAG_AMBIGUOUS', 'none'],
      ['TAG_AMBIGUOUS', 'two'],
    ]);
  });

  it('a folder of a tag with nothing in it is a tag without a meaning', async () => {
    const storage = buildStorage((s) => s.image('app', 'v1'));
    const { catalog } = await openTar(storage, {
      after: [directory('docker/registry/v2/repositories/app/_manifests/tags/v2')],
    });
    expect([...catalog.lostTags('app')]).toEqual([{ tag: 'v2', candidates: [] }]);
    expect(catalog.problems).toMatchObject([{ code: 'TAG_NO_CURRENT', repository: 'app', tag: 'v2' }]);
  });

  it('white space around a link counts nothing', async () => {
    const storage = buildStorage((s) => {
      const app = s.image('app', 'v1');
      s.write(storagePaths.currentLink('app', 'v1'), ` ${app.digest}\n`);
      return app;
    });
    const { catalog } = await openTar(storage);
    expect([...catalog.tags('app')]).toMatchObject([{ digest: storage.built.digest }]);
    expect(catalog.problems).toEqual([]);
  });

  it('a deleted revision is recovered while its blob is there; the message tells when it is not', async () => {
    const storage = buildStorage((s) => {
      const here = s.image('here', 'v1', { layers: ['here'] });
      const gone = s.image('gone', 'v1', { layers: ['gone'] });
      s.deleteRevision('here', here.digest);
      s.deleteRevision('gone', gone.digest);
      s.loseBlob(gone.digest);
      return here;
    });
    const { catalog, graph } = await openTar(storage);
    expect(catalog.problems).toMatchObject([
      { code: 'TAG_REVISION_MISSING', repository: 'gone' },
      { code: 'TAG_REVISION_MISSING', repository: 'here' },
    ]);
    expect(catalog.problems.map(({ message }) => message.includes('is used'))).toEqual([false, true]);
    expect(graph.read(storage.built.digest).missing).toEqual([]);
  });

  it('a blob of zero bytes is lost, except for the digest of no bytes', async () => {
    const storage = buildStorage((s) => {
      const empty = s.blob('', 'app');
      const app = s.image('app', 'v1');
      s.emptyBlob(app.blobs[0]!.digest);
      return { empty, lost: app.blobs[0]!.digest };
    });
    const { catalog, store } = await openTar(storage);
    expect(storage.built.empty).toBe(emptyDigest);
    expect(store.stat(emptyDigest)).toEqual({ size: 0 });
    expect(store.stat(storage.built.lost)).toBeUndefined();
    expect(catalog.problems).toMatchObject([{ code: 'BLOB_EMPTY', digest: storage.built.lost }]);
  });

  it('the last of two members with one name wins; a blob without bytes never does', async () => {
    const storage = buildStorage((s) => {
      const first = s.image('app', 'v1', { layers: ['first'] });
      return { first, second: s.image('app', undefined, { layers: ['second'] }) };
    });
    const current = `docker/registry/v2/${storagePaths.currentLink('app', 'v1')}`;
    const blob = `docker/registry/v2/${storagePaths.blob(storage.built.first.blobs[1]!.digest)}`;
    const { catalog, store, graph } = await openTar(storage, {
      before: [file(blob, '')],
      after: [file(current, storage.built.second.digest), file(blob, '')],
    });
    expect([...catalog.tags('app')]).toMatchObject([{ digest: storage.built.second.digest }]);
    expect(store.stat(storage.built.first.blobs[1]!.digest)?.size).toBeGreaterThan(0);
    expect(graph.read(storage.built.first.digest).missing).toEqual([]);
    expect(catalog.problems).toEqual([]);
  });

  it('old formats are recognised and said, and beside them everything else is read', async () => {
    const storage = buildStorage((s) => {
      s.image('app', 'v1');
      s.write(`repositories/app/_layers/tarsum/v1/sha256/${'0'.repeat(64)}/link`, `sha256:${'0'.repeat(64)}`);
    });
    const { catalog } = await openTar(storage, { before: [file(`images/${'1'.repeat(64)}/json`, '{}')] });
    expect([...catalog.tags('app')]).toHaveLength(1);
    expect(catalog.problems.map(({ code }) => code).sort()).toContain('STORAGE_TARSUM');
    expect(catalog.problems.map(({ code }) => code).sort()).toContain('STORAGE_V1');
  });

  it('two trees in one archive are read as one, and said', async () => {
    const first = buildStorage((s) => s.image('first', 'v1'));
    const second = buildStorage((s) => s.image('second', 'v1'));
    const { catalog } = await openTar(
      archive([...first.members(), ...second.members({ root: 'old/docker/registry/v2' })]),
    );
    expect([...catalog.repositories()]).toEqual(['first', 'second']);
    expect(catalog.problems).toMatchObject([{ code: 'SOURCE_ROOTS' }]);
  });
});

describe('links in the archive', () => {
  const storage = buildStorage((s) => s.image('app', 'v1', { layers: [{ bytes: 'the bytes of a layer' }] }));
  const { digest } = storage.built.blobs[1]!;

  it.each(['hard', 'symbolic', 'reversed'] as const)(
    '%s: the blob is read, whichever name carries the bytes',
    async (kind) => {
      const { catalog, store } = await openTar(storage, {
        aliases: [{ digest, path: `docker/skopeo/app/${digest.slice(7)}`, kind }],
      });
      expect(Buffer.from(store.readSmall(digest)).toString()).toBe('the bytes of a layer');
      expect(catalog.problems).toEqual([]);
    },
  );

  it('chains of links, in any order', async () => {
    const { store, catalog } = await openTar(storage, {
      rewrite: (path, bytes, full) =>
        path === storagePaths.blob(digest)
          ? [
              symlink(full, `${'../'.repeat(full.split('/').length - 1)}x/one`),
              hardLink('x/two', 'x/three'),
              symlink('x/one', 'two'),
              file('x/three', bytes),
            ]
          : undefined,
    });
    expect(Buffer.from(store.readSmall(digest)).toString()).toBe('the bytes of a layer');
    expect(catalog.problems).toEqual([]);
  });

  it('a tag may be a link too', async () => {
    const { catalog } = await openTar(storage, {
      rewrite: (path, bytes, full) =>
        path === storagePaths.currentLink('app', 'v1')
          ? [hardLink(full, 'elsewhere'), file('elsewhere', bytes)]
          : undefined,
    });
    expect([...catalog.tags('app')]).toMatchObject([{ digest: storage.built.digest }]);
  });

  it.each<[string, (full: string) => Buffer[]]>([
    ['to themselves', (full) => [hardLink(full, full)]],
    [
      'to each other',
      (full) => [
        symlink(full, `${'../'.repeat(full.split('/').length - 1)}x/one`),
        symlink('x/one', 'two'),
        symlink('x/two', 'one'),
      ],
    ],
    ['to nothing', (full) => [hardLink(full, 'nowhere')]],
    ['to a folder', (full) => [hardLink(full, 'x'), directory('x')]],
    ['out of the backup, relative', (full) => [symlink(full, `${'../'.repeat(30)}etc/passwd`)]],
    ['out of the backup, absolute', (full) => [symlink(full, '/etc/passwd')]],
    ['out of the backup, hard', (full) => [hardLink(full, '../../etc/passwd')]],
  ])('links %s are refused by name, and the rest is read', async (_title, members) => {
    const { catalog, store } = await openTar(storage, {
      rewrite: (path, _bytes, full) => (path === storagePaths.blob(digest) ? members(full) : undefined),
    });
    expect(catalog.problems).toMatchObject([
      { code: 'TAR_LINK_INVALID', path: expect.stringContaining(digest.slice(7)) as string },
    ]);
    expect(store.stat(digest)).toBeUndefined();
    expect(() => store.readSmall(digest)).toThrow(expect.objectContaining({ code: 'BLOB_MISSING' }));
    expect([...catalog.tags('app')]).toHaveLength(1);
  });
});
