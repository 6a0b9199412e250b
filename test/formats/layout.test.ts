import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import {
  blobPath,
  layerLinkPath,
  linkedPath,
  parseStoragePath,
  revisionLinkPath,
  storageRoot,
  tagCurrentPath,
  tagIndexPath,
  type StoragePath,
} from '../../src/formats/registry/layout.ts';
import { digests, repositories, roots, tags } from '../support/arbitraries.ts';
import { storagePaths } from '../support/storage-paths.ts';

const digest = digestOf(Buffer.from('layout'));
const hex = digest.slice(7);
const base = `docker/registry/v2/repositories/team/app`;

describe('parse(path(x)) = x', () => {
  const placed = (path: string, root: string, lead: string): string =>
    `${lead}${root === '' ? '' : `${root}/`}${path.slice(storageRoot.length + 1)}`;
  const leads = fc.constantFrom('', './', '/', '././', '/./');
  const holds = (
    name: string,
    path: (repository: string, tag: string, digest: Digest) => string,
    meaning: (repository: string, tag: string, digest: Digest) => object,
  ): void => {
    it(`${name}, wherever the tree stands`, () => {
      fc.assert(
        fc.property(repositories, tags, digests, roots, leads, (repository, tag, some, root, lead) => {
          expect(parseStoragePath(placed(path(repository, tag, some), root, lead))).toEqual({
            root,
            ...meaning(repository, tag, some),
          });
        }),
        { numRuns: 500 },
      );
    });
  };
  holds(
    'blob',
    (_repository, _tag, some) => blobPath(some),
    (_repository, _tag, some) => ({ kind: 'blob', digest: some }),
  );
  holds(
    'layer link',
    (repository, _tag, some) => layerLinkPath(repository, some),
    (repository, _tag, some) => ({ kind: 'layer-link', repository, digest: some }),
  );
  holds(
    'revision link',
    (repository, _tag, some) => revisionLinkPath(repository, some),
    (repository, _tag, some) => ({ kind: 'revision-link', repository, digest: some }),
  );
  holds(
    'current link of a tag',
    (repository, tag) => tagCurrentPath(repository, tag),
    (repository, tag) => ({ kind: 'tag-current', repository, tag }),
  );
  holds(
    'history of a tag',
    (repository, tag, some) => tagIndexPath(repository, tag, some),
    (repository, tag, some) => ({ kind: 'tag-index', repository, tag, digest: some }),
  );
});

it('paths are those of Distribution', () => {
  fc.assert(
    fc.property(repositories, tags, digests, (repository, tag, some) => {
      const under = (path: string): string => `docker/registry/v2/${path}`;
      expect([
        blobPath(some),
        layerLinkPath(repository, some),
        revisionLinkPath(repository, some),
        tagCurrentPath(repository, tag),
        tagIndexPath(repository, tag, some),
      ]).toEqual([
        under(storagePaths.blob(some)),
        under(storagePaths.layerLink(repository, some)),
        under(storagePaths.revisionLink(repository, some)),
        under(storagePaths.currentLink(repository, tag)),
        under(storagePaths.historyLink(repository, tag, some)),
      ]);
    }),
  );
});

it.each([
  [
    `srv/repositories/docker/registry/v2/repositories/app/_manifests/tags/v1/current/link`,
    'srv/repositories/docker/registry/v2',
    'app',
  ],
  [`repositories/v2/repositories/app/_manifests/tags/v1/current/link`, '', 'v2/repositories/app'],
  [`v2/repositories/v2/repositories/app/_manifests/tags/v1/current/link`, 'v2', 'v2/repositories/app'],
  [`backup/repositories/repositories/app/_manifests/tags/v1/current/link`, 'backup', 'repositories/app'],
])("%s: folders above the tree may have the tree's own names", (path, root, repository) => {
  expect(parseStoragePath(path)).toEqual({ kind: 'tag-current', root, repository, tag: 'v1' });
});

describe('other paths of the tree', () => {
  it.each<[string, StoragePath['kind'] | undefined]>([
    [`${base}/_uploads/1234/data`, 'ignored'],
    [`${base}/_uploads/1234/hashstates/sha256/100`, 'ignored'],
    [`${base}/_uploads/1234/link`, 'ignored'],
    [`${base}/_manifests/revisions/sha256/${hex}/signatures/sha256/${hex}/link`, 'ignored'],
    [`${base}/_layers/tarsum/v1/sha256/${hex}/link`, 'tarsum'],
    [`${base}/_manifests/tags/v1/`, 'tag-folder'],
    [`${base}/_manifests/tags/v1`, 'tag-folder'],
    [`${base}/_manifests/tags/`, 'ignored'],
    [`${base}/_manifests/tags/v1/index/`, 'ignored'],
    [`${base}/_manifests/tags/v1/current/link.0c9a.tmp`, 'ignored'],
    [`docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data.0c9a.tmp`, undefined],
    [`docker/registry/v2/repositories/team/`, 'ignored'],
    [`images/${hex}/json`, 'v1'],
    [`srv/images/${hex}/layer`, 'v1'],
    ['docker/skopeo/nginx/latest/manifest.json', undefined],
    ['README.md', undefined],
    ['', undefined],
  ])('%s', (path, kind) => expect(parseStoragePath(path)?.kind).toBe(kind));
});

describe('names that the specification does not allow', () => {
  it.each<[string, string]>([
    [`docker/registry/v2/repositories/Team/_manifests/tags/v1/current/link`, 'repository'],
    [`docker/registry/v2/repositories/team/./app/_manifests/tags/v1/current/link`, 'repository'],
    [`docker/registry/v2/repositories//app/_manifests/tags/v1/current/link`, 'repository'],
    [`docker/registry/v2/repositories/a\u001b[2Jb/_manifests/tags/v1/current/link`, 'repository'],
    [`docker/registry/v2/repositories/${'a/'.repeat(128)}a/_manifests/tags/v1/current/link`, 'repository'],
    [`${base}/_manifests/tags/-v1/current/link`, 'tag'],
    [`${base}/_manifests/tags/v\u00071/current/link`, 'tag'],
    [`${base}/_manifests/tags/${'v'.repeat(129)}/current/link`, 'tag'],
    [`${base}/_manifests/tags/v1/index/sha256/${hex.toUpperCase()}/link`, 'digest'],
    [`${base}/_layers/sha256/${hex.slice(1)}/link`, 'digest'],
    [`${base}/_layers/md5/${hex.slice(32)}/link`, 'digest'],
    [`${base}/_manifests/revisions/sha256/${hex}0/link`, 'digest'],
    [`docker/registry/v2/blobs/sha256/00/${hex}/data`, hex.startsWith('00') ? '' : 'digest'],
    [`docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex.toUpperCase()}/data`, 'digest'],
    [`docker/registry/v2/blobs/sha512/${hex.slice(0, 2)}/${hex}/data`, 'digest'],
  ])('%s', (path, part) => expect(parseStoragePath(path)).toMatchObject({ kind: 'invalid', part }));

  it.each([
    `docker/registry/v2/repositories/../../etc/_manifests/tags/v1/current/link`,
    `${base}/_manifests/tags/../current/link`,
    `docker/registry/v2/blobs/sha256/../../data`,
    `../docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`,
  ])('%s climbs out: it is not part of any storage', (path) =>
    expect(parseStoragePath(path)).toEqual({ kind: 'climbing', root: '' }),
  );
});

it('whatever a path is, it means nothing that is not a safe name', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'docker',
      'registry',
      'v2',
      'blobs',
      'repositories',
      '_manifests',
      '_layers',
      'tags',
      'revisions',
      'index',
      'current',
      'link',
      'data',
      'sha256',
      hex,
      hex.slice(0, 2),
      '..',
      '.',
      '',
      'a',
    ),
    fc.string({ maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      const meaning = parseStoragePath(pieces.join('/'));
      if (meaning === undefined) return;
      if ('digest' in meaning) expect(meaning.digest).toMatch(/^sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})$/);
      if ('repository' in meaning) expect(meaning.repository).toMatch(/^[a-z0-9][a-z0-9._/-]*$/);
      if ('tag' in meaning) expect(meaning.tag).toMatch(/^\w[\w.-]{0,127}$/);
    }),
    { numRuns: 3000 },
  );
});

it.each<[string, string, 'hardlink' | 'symlink', string | undefined]>([
  ['./docker/a/b', './docker/c', 'hardlink', 'docker/c'],
  ['docker/a/b', 'docker/../../c', 'hardlink', undefined],
  ['./docker/a/b', '../c/./d', 'symlink', 'docker/c/d'],
  ['docker/a/b', '../../../etc/passwd', 'symlink', undefined],
  ['docker/../a/b', 'c', 'symlink', undefined],
  ['docker/a/b', '/etc/passwd', 'symlink', undefined],
])('the link %s to %s (%s) leads to %s', (path, target, kind, expected) => {
  expect(linkedPath(path, target, kind)).toBe(expected);
});
