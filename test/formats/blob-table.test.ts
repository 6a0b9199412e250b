import { expect, it } from 'vitest';
import { BlobTable } from '../../src/formats/blob-table.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import type { Location } from '../../src/source/backup.ts';

const digests = Array.from({ length: 3000 }, (_, index) => digestOf(Buffer.from(`${index}`)));
const hexOf = (digest: Digest): string => digest.slice('sha256:'.length);
const tableOf = (places: readonly Location[]): BlobTable => {
  const table = new BlobTable();
  for (const [index, place] of places.entries()) table.place(table.numberOf(digests[index] as Digest), place);
  return table;
};

it.each<readonly [string, (hex: string, index: number) => Location]>([
  ['a layout', (hex) => ({ size: 1, start: 0, file: `/backup/blobs/sha256/${hex}` })],
  ['a storage', (hex) => ({ size: 2, start: 0, file: `/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data` })],
  ['more trees than there are forms', (hex, index) => ({ size: 3, start: 0, file: `/images/${index}/${hex}` })],
  ['a folder that is called like its blob', (hex) => ({ size: 4, start: 0, file: `/${hex}/blobs/${hex}` })],
  ['files that are called otherwise', (_, index) => ({ size: 5, start: 0, file: `/spool/${index}` })],
  ['a file with much before it', (hex) => ({ size: 6, start: 512, file: `/backup/${hex}` })],
  ['several sources', (hex, index) => ({ size: 7, start: 0, file: `/backup/${hex}`, source: index % 3 })],
  ['an archive', (_, index) => ({ size: 8, start: index * 512 })],
])('places of %s are as they were given', (_, placeOf) => {
  const places = digests.map((digest, index) => placeOf(hexOf(digest), index));
  expect([...tableOf(places)]).toEqual(places.map((place, index) => [digests[index], place]));
});

it('the last place of a blob counts, whatever was known of it before', () => {
  const [digest = digestOf(Buffer.from(''))] = digests;
  const places: Location[] = [
    { size: 1, start: 0, file: `/blobs/${hexOf(digest)}` },
    { size: 2, start: 1024 },
    { size: 3, start: 0, file: '/elsewhere' },
    { size: 4, start: 0, file: `/blobs/${hexOf(digest)}` },
  ];
  const table = new BlobTable();
  for (const place of places) {
    table.place(table.numberOf(digest), place);
    expect(table.get(digest)?.location).toEqual(place);
  }
});

it('files have the order in which they came, and the place of a blob is that of its other digest', () => {
  const few = digests.slice(0, 300);
  const places = few.map((digest) => `/blobs/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}`);
  const table = tableOf(places.map((file) => ({ size: 1, start: 0, file })));
  expect([...table.rank()]).toEqual(few);
  table.share(digests[1000] as Digest, digests[7] as Digest);
  expect(table.get(digests[1000] as Digest)).toMatchObject({ location: { file: places[7] }, rank: 7 });
});
