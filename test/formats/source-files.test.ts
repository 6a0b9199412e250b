import { expect, it } from 'vitest';
import { createSourceFiles, type SourceFolder } from '../../src/formats/source-files.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Backup, Entry } from '../../src/source/backup.ts';

type Member = readonly [path: string, kind: Entry['kind'], targetOrStart: string | number];

const digest = digestOf(Buffer.from('blob'));
const hex = digest.slice('sha256:'.length);
const blob = `blobs/sha256/${hex}`;
const other = `blobs/sha256/${digestOf(Buffer.from('other')).slice('sha256:'.length)}`;

function folderWith(...members: readonly Member[]): SourceFolder {
  const backup = { describe: 'images.tar' } as Backup;
  const files = createSourceFiles(backup, (path) => !path.includes('unwanted'));
  for (const [path, kind, what] of members)
    files.add({
      path,
      kind,
      target: typeof what === 'string' ? what : '',
      modified: 0,
      location: { size: 1, start: typeof what === 'number' ? what : 0 },
      bytes: undefined,
    });
  const [folder] = files.folders();
  if (folder === undefined) throw new Error('nothing was taken');
  return folder;
}

/** Where the blob of a layout lies. */
function startOf(folder: SourceFolder, base = ''): number | undefined {
  return folder.blobs(base)?.get(digest)?.location?.start;
}

it('blobs of layouts are found by their layout and by their path, and are not among the paths', () => {
  const folder = folderWith(
    ['./index.json', 'file', 1],
    [`./${blob}`, 'file', 2],
    [`a/b/${blob}`, 'file', 3],
    [`blobs/sha512/${hex}${hex}`, 'file', 4],
  );
  expect([startOf(folder), startOf(folder, 'a/b/'), startOf(folder, 'a/')]).toEqual([2, 3, undefined]);
  expect(folder.get(`a/b/${blob}`)).toEqual({ path: `a/b/${blob}`, location: { size: 1, start: 3 } });
  expect(folder.get(`blobs/sha512/${hex}${hex}`)?.location.start).toBe(4);
  expect([...folder.paths()]).toEqual(['index.json']);
});

it.each([
  ['another algorithm', `blobs/sha384/${hex}`],
  ['too few digits', `blobs/sha256/${hex.slice(1)}`],
  ['too many', `blobs/sha256/${hex}0`],
  ['capital letters', `blobs/sha256/${hex.toUpperCase()}`],
  ['a letter that is not a digit', `blobs/sha256/${hex.slice(1)}g`],
  ['a folder whose name ends alike', `my-blobs/sha256/${hex}`],
  ['a folder more', `blobs/sha256/x/${hex}`],
])('what is not named as a blob is a path: %s', (_what, path) => {
  const folder = folderWith([path, 'file', 1]);
  expect([...folder.paths()]).toEqual([path]);
  expect(folder.get(path)?.location.start).toBe(1);
  expect([folder.blobs(''), folder.blobs('my-')]).toEqual([undefined, undefined]);
});

it('what no format asks for is not remembered', () => {
  const folder = folderWith([`unwanted/${blob}`, 'file', 1], [blob, 'file', 2]);
  expect([folder.blobs('unwanted/'), folder.get(`unwanted/${blob}`), startOf(folder)]).toEqual([
    undefined,
    undefined,
    2,
  ]);
});

it.each<[string, number | undefined, readonly Member[]]>([
  [
    'a link to a blob elsewhere',
    7,
    [
      [`x/${blob}`, 'file', 7],
      [blob, 'hardlink', `x/${blob}`],
    ],
  ],
  [
    'a link that comes before what it leads to',
    7,
    [
      [blob, 'symlink', '../../layer.tar'],
      ['layer.tar', 'file', 7],
    ],
  ],
  [
    'a link to a link',
    7,
    [
      [blob, 'hardlink', other],
      [other, 'symlink', '../../layer.tar'],
      ['layer.tar', 'file', 7],
    ],
  ],
  [
    'a file after a link',
    8,
    [
      ['layer.tar', 'file', 7],
      [blob, 'hardlink', 'layer.tar'],
      [blob, 'file', 8],
    ],
  ],
  [
    'a link after a file',
    7,
    [
      ['layer.tar', 'file', 7],
      [blob, 'file', 8],
      [blob, 'hardlink', 'layer.tar'],
    ],
  ],
  [
    'a second file',
    9,
    [
      [blob, 'file', 8],
      [blob, 'file', 9],
    ],
  ],
  ['a link that leads nowhere', undefined, [[blob, 'hardlink', 'gone']]],
  [
    'a link that leads nowhere after a file',
    undefined,
    [
      [blob, 'file', 8],
      [blob, 'symlink', 'gone'],
    ],
  ],
  ['a link out of the source', undefined, [[blob, 'symlink', '../../../etc/passwd']]],
  [
    'links in a circle',
    undefined,
    [
      [blob, 'hardlink', other],
      [other, 'hardlink', blob],
    ],
  ],
  [
    'a link to itself after a file',
    undefined,
    [
      [blob, 'file', 8],
      [blob, 'hardlink', blob],
    ],
  ],
])('of a blob that is %s the last member with its path counts', (_what, start, members) => {
  const folder = folderWith(...members);
  expect(startOf(folder)).toBe(start);
  expect(folder.get(blob)?.location.start).toBe(start);
});
