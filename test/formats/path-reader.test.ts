import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import {
  blobPath,
  layerLinkPath,
  parseStoragePath,
  revisionLinkPath,
  storageRoot,
  tagCurrentPath,
  tagIndexPath,
} from '../../src/formats/registry/layout.ts';
import { createPathReader, type PathReader } from '../../src/formats/registry/path-reader.ts';
import { digests, repositories, roots, tags } from '../support/arbitraries.ts';

/** A path as bytes in the middle of others. */
function bytesOf(path: string): Parameters<PathReader['read']>[0] {
  const pathBuffer = Buffer.from(`before${path}/link/behind`);
  return { path, pathBytes: { pathBuffer, pathStart: 6, pathEnd: 6 + Buffer.byteLength(path) } };
}

/** Few repositories and digests, so that neighbours are alike; and every path also without its end, and with something more. */
const some = {
  repositories: fc.sample(repositories, { numRuns: 5, seed: 1 }),
  digests: fc.sample(digests, { numRuns: 5, seed: 2 }),
  tags: fc.sample(tags, { numRuns: 4, seed: 3 }),
};
const usual = fc
  .tuple(fc.constantFrom(...some.repositories), fc.constantFrom(...some.digests), fc.constantFrom(...some.tags))
  .chain(([repository, digest, tag]) =>
    fc.constantFrom(
      blobPath(digest),
      layerLinkPath(repository, digest),
      revisionLinkPath(repository, digest),
      tagCurrentPath(repository, tag),
      tagIndexPath(repository, tag, digest),
    ),
  );
const parts = fc.constantFrom(
  '_layers',
  '_manifests',
  '_uploads',
  'tags',
  'revisions',
  'sha256',
  'index',
  'current',
  'link',
  'data',
  'repositories',
  'docker/registry/v2/repositories',
  'blobs',
  '..',
  '.',
  '',
  'signatures',
  digestOf(Buffer.from('a')).slice(7),
  'tarsum',
);
const changed = fc
  .tuple(usual, fc.nat({ max: 8 }), fc.array(parts, { maxLength: 3 }))
  .map(([path, kept, more]) => [...path.split('/').slice(0, 3 + kept), ...more].join('/'));
const broken = fc
  .tuple(usual, fc.nat(), fc.constantFrom('/', '_', '.', 'A', 'f', '0', '\0', 'é', '\u{1f4a9}', ''))
  .map(([path, at, put]) => path.slice(0, at % path.length) + put + path.slice((at % path.length) + 1));
const folders = fc.tuple(usual, fc.nat({ max: 12 })).map(
  ([path, kept]) =>
    `${path
      .split('/')
      .slice(0, 3 + kept)
      .join('/')}/`,
);
const members = fc
  .tuple(
    fc.oneof({ weight: 4, arbitrary: usual }, { weight: 2, arbitrary: folders }, changed, broken),
    roots,
    fc.constantFrom('', '', './', '/'),
    fc.boolean(),
  )
  .map(([path, root, lead, isBytes]) => ({
    path:
      lead +
      (path.startsWith(storageRoot)
        ? `${root}${root === '' ? path.slice(storageRoot.length + 1) : path.slice(storageRoot.length)}`
        : path),
    isBytes,
  }));

describe('one reader for all members of a backup', () => {
  it('says of each path what the path says alone, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(members, { minLength: 2, maxLength: 40 }), (list) => {
        const reader = createPathReader();
        for (const { path, isBytes } of list)
          expect(reader.read(isBytes ? bytesOf(path) : { path }), path).toEqual(parseStoragePath(path));
      }),
      { numRuns: 1500 },
    );
  });

  it.each([
    [
      "a folder above the tree that has the tree's own name",
      ['repositories/blobs/sha256', 'repositories/blobs/sha256/'],
    ],
    [
      'a tail that holds a whole tree of its own',
      [
        'docker/registry/v2/repositories/a/_manifests/tags/t',
        'docker/registry/v2/repositories/a/_layers/docker/registry/v2/repositories/b/_manifests/tags/t',
      ],
    ],
    [
      'a blob in another folder than its digest says',
      ['docker/registry/v2/blobs/sha256', 'docker/registry/v2/blobs/sha256/'],
    ],
    [
      'a path that begins like its neighbour and climbs',
      ['docker/registry/v2/repositories/a', 'docker/registry/v2/repositories/a/_manifests/tags/..'],
    ],
  ])('%s', (_title, [first = '', second = '']) => {
    const digest = digestOf(Buffer.from('x'));
    const hex = digest.slice(7);
    const reader = createPathReader();
    for (const path of [
      `${first}/${hex.slice(0, 2)}/${hex}/data`,
      `${first}/00/${hex}/data`,
      `${first}/current/link`,
      `${first}/_manifests/tags/v1/current/link`,
      second,
      `${second}/current/link`,
      `${second}/`,
      `${second}${hex.slice(0, 2)}/`,
    ]) {
      expect(reader.read(bytesOf(path)), path).toEqual(parseStoragePath(path));
    }
  });

  it('paths longer than any file system allows', () => {
    const reader = createPathReader();
    const long = `${'folder/'.repeat(2000)}docker/registry/v2/repositories/app/_manifests/tags/v1/current/link`;
    for (const entry of [{ path: long }, bytesOf(long), { path: long }, bytesOf(long)])
      expect(reader.read(entry)).toEqual(parseStoragePath(long));
  });
});
