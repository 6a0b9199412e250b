import fc from 'fast-check';
import { makeDigest, type Digest } from '../../src/oci/digest.ts';

const hex = (length: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });

/** Any digest that the specification allows and regtar knows. */
export const digests: fc.Arbitrary<Digest> = fc.oneof(
  hex(64).map((text) => makeDigest('sha256', text) as Digest),
  hex(128).map((text) => makeDigest('sha512', text) as Digest),
);

const alphanumeric = fc.string({ unit: fc.constantFrom(...'abcxyz0189'), minLength: 1, maxLength: 6 });
const component = fc
  .tuple(alphanumeric, fc.array(fc.tuple(fc.constantFrom('.', '_', '__', '-', '---'), alphanumeric), { maxLength: 3 }))
  .map(([first, rest]) => first + rest.flat().join(''));

/** Repository names of one to six components, words of the storage's own among them. */
export const repositories: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: component },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          'repositories',
          'blobs',
          'docker',
          'registry',
          'v2',
          'tags',
          'index',
          'link',
          'data',
          'sha256',
          'images',
        ),
      },
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => parts.join('/'));

export const tags: fc.Arbitrary<string> = fc
  .tuple(
    fc.string({ unit: fc.constantFrom(...'aZ09_'), minLength: 1, maxLength: 1 }),
    fc.string({ unit: fc.constantFrom(...'aZ09_.-'), maxLength: 127 }),
  )
  .map((parts) => parts.join(''));

/** Where a tree may stand in an archive. */
export const roots: fc.Arbitrary<string> = fc.constantFrom(
  'docker/registry/v2',
  'registry/docker/registry/v2',
  'var/lib/registry/docker/registry/v2',
  'storage/docker/registry/v2',
  'v2',
  '',
);
