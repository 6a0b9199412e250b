import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { DigestNumbers } from '../../src/oci/digest-numbers.ts';
import { digests } from '../support/arbitraries.ts';

describe('numbers of digests', () => {
  it('are what a Map would give, for both algorithms and alike beginnings', () => {
    // Few different first words, so that entries meet in the same slots.
    const crowded = fc
      .tuple(fc.constantFrom('00000000', 'ffffffff', '80000000'), fc.nat({ max: 40 }))
      .map(([start, number]) => `sha256:${start}${number.toString(16).padStart(56, '0')}` as Digest);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.oneof(digests, crowded), fc.boolean()), { maxLength: 200 }), (operations) => {
        const numbers = new DigestNumbers();
        const expected = new Map<Digest, number>();
        for (const [digest, isAdded] of operations) {
          expect(numbers.find(digest)).toBe(expected.get(digest) ?? -1);
          if (!isAdded) continue;
          const number =
            digest.length === 71 && digest.endsWith('0')
              ? numbers.numberAt(Buffer.from(`x${digest.slice(7)}`), 1)
              : numbers.numberOf(digest);
          if (!expected.has(digest)) expected.set(digest, expected.size);
          expect(number).toBe(expected.get(digest));
          expect(numbers.digest(number)).toBe(digest);
        }
        expect(numbers.size).toBe(expected.size);
      }),
    );
  });

  it('hold 100,000, some of another algorithm among them', () => {
    const all = Array.from({ length: 100_000 }, (_, number) =>
      digestOf(Buffer.from(String(number)), number % 1000 === 0 ? 'sha512' : 'sha256'),
    );
    const numbers = new DigestNumbers();
    for (const digest of all) numbers.numberOf(digest);
    expect(all.every((digest, number) => numbers.find(digest) === number && numbers.digest(number) === digest)).toBe(
      true,
    );
    expect(numbers.find(digestOf(Buffer.from('another')))).toBe(-1);
  });

  it.each(['G', '/', 'A', '\xff'])('no digest is made of digits with %j among them', (wrong) => {
    for (const at of [0, 31, 63]) {
      const hex = Buffer.from('a'.repeat(64), 'latin1');
      hex.write(wrong, at, 'latin1');
      expect(new DigestNumbers().numberAt(hex, 0)).toBe(-1);
    }
  });
});
