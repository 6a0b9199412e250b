import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { DigestMap } from '../../src/oci/digest-map.ts';
import { digests } from '../support/arbitraries.ts';

describe('a map by digest', () => {
  it('does what a Map does, for both algorithms and alike beginnings', () => {
    // Few different first words, so that entries meet in the same slots.
    const crowded = fc
      .tuple(fc.constantFrom('00000000', 'ffffffff', '80000000'), fc.nat({ max: 40 }))
      .map(([start, number]) => `sha256:${start}${number.toString(16).padStart(56, '0')}` as Digest);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.oneof(digests, crowded), fc.boolean()), { maxLength: 200 }), (operations) => {
        const map = new DigestMap<{ digest: Digest }>();
        const expected = new Map<Digest, { digest: Digest }>();
        for (const [digest, isAdded] of operations) {
          expect(map.get(digest)).toBe(expected.get(digest));
          if (!isAdded) continue;
          const value =
            digest.length === 71 && digest.endsWith('0')
              ? map.getOrMakeAt(Buffer.from(`x${digest.slice(7)}`), 1, (made) => ({ digest: made }))
              : map.getOrMake(digest, (made) => ({ digest: made }));
          if (value !== undefined && !expected.has(digest)) expected.set(digest, value);
          expect(value).toBe(expected.get(digest));
          expect(value).toEqual({ digest });
        }
        expect(map.size).toBe(expected.size);
        expect(new Set(map.values())).toEqual(new Set(expected.values()));
      }),
    );
  });

  it('holds 100,000', () => {
    const all = Array.from({ length: 100_000 }, (_, number) => digestOf(Buffer.from(String(number))));
    const map = new DigestMap<number>();
    for (const [number, digest] of all.entries()) map.getOrMake(digest, () => number);
    expect(all.every((digest, number) => map.get(digest) === number && map.has(digest))).toBe(true);
    expect(map.has(digestOf(Buffer.from('another')))).toBe(false);
  });

  it.each(['G', '/', 'A', '\xff'])('no digest is made of digits with %j among them', (wrong) => {
    for (const at of [0, 31, 63]) {
      const hex = Buffer.from('a'.repeat(64), 'latin1');
      hex.write(wrong, at, 'latin1');
      expect(new DigestMap<Digest>().getOrMakeAt(hex, 0, (digest) => digest)).toBeUndefined();
    }
  });
});
