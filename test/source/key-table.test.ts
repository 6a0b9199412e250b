import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { createKeyTable } from '../../src/source/s3/key-table.ts';

const hash = (name: string, text: string): string => createHash(name).update(text).digest('hex');

it('gives back the key and the ETag of every object that it was given, whatever form they have', () => {
  const root = 'some/where/docker/registry/v2/';
  const table = createKeyTable(root);
  const objects = Array.from({ length: 3000 }, (_, index) => {
    const hex = hash('sha256', String(index));
    const md5 = hash('md5', String(index));
    return {
      // Keys of other algorithms, in wrong folders or in capitals say more than their digest.
      key: [
        `${root}blobs/sha256/${hex.slice(0, 2)}/${hex}/data`,
        `${root}blobs/sha512/${hex.slice(0, 2)}/${hash('sha512', String(index))}/data`,
        `${root}blobs/sha256/zz/${hex}/data`,
        `${root}blobs/sha256/${hex.slice(0, 2)}/${hex.toUpperCase()}/data`,
      ][index % 4]!,
      etag: [md5, `${md5}-12`, '', md5.toUpperCase(), 'what a server likes'][index % 5]!,
    };
  });
  const numbers = objects.map(({ key, etag }) => table.add(key, etag));
  expect(numbers.map((number) => ({ key: table.keyOf(number), etag: table.etagOf(number) }))).toEqual(objects);
});
