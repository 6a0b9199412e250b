import { expect, it } from 'vitest';
import { hollowReason, hollowReasonIn } from '../../src/content/hollow.ts';
import { digestOf } from '../../src/oci/digest.ts';

const gibibyte = 1024 ** 3;
const plainLayer = ['application/vnd.oci.image.layer.v1.tar'];
const digests = Array.from({ length: 5000 }, (_, index) => digestOf(Buffer.from(`blob ${index}`)));

it.each([
  ['archives that have no holes', gibibyte, ['application/vnd.oci.image.layer.v1.tar+gzip'], 16],
  ['pieces that would each be read at once', gibibyte, [], 16],
  ['layers that may be empty', 1000 * gibibyte, plainLayer, 2],
])('of many blobs that are nearly all holes the first are read: %s', (_title, size, mediaTypes, read) => {
  const store = {};
  const stat = { size, held: 4096 };
  expect(hollowReason(stat, mediaTypes)).toBeUndefined();
  const judge = (): readonly boolean[] =>
    digests.map((digest) => hollowReasonIn(store, digest, stat, mediaTypes) === undefined);
  const first = judge();
  expect(first.filter(Boolean)).toHaveLength(read);
  // Asked again, as for a retry, each has the same answer.
  expect(judge()).toEqual(first);
  expect(hollowReasonIn({}, digests.at(-1) ?? digestOf(Buffer.of()), stat, mediaTypes)).toBeUndefined();
});

it('blobs without holes, or with as many as disk images have, are read however many they are', () => {
  const store = {};
  for (const digest of digests)
    for (const stat of [{ size: 1000 * gibibyte }, { size: 100 * gibibyte, held: 2 * gibibyte }])
      expect(hollowReasonIn(store, digest, stat, plainLayer)).toBeUndefined();
});
