import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createDigester,
  digestAlgorithm,
  digestHex,
  digestOf,
  emptyDigest,
  isDigest,
  makeDigest,
  parseDigest,
} from '../../src/oci/digest.ts';
import { digests } from '../support/arbitraries.ts';

const hex = 'a'.repeat(64);

describe('what is a digest', () => {
  it.each([
    [`sha256:${hex}`, true],
    [`sha256:${'0123456789abcdef'.repeat(4)}`, true],
    [`sha512:${hex}${hex}`, true],
    [`sha256:${hex.toUpperCase()}`, false],
    [`SHA256:${hex}`, false],
    [`sha256:${hex.slice(1)}`, false],
    [`sha256:${hex}a`, false],
    [`sha512:${hex}`, false],
    [`sha384:${hex}${hex.slice(32)}`, false],
    [`md5:${hex.slice(32)}`, false],
    [`sha256:${hex.slice(1)}g`, false],
    [`sha256:${hex}\n`, false],
    [` sha256:${hex}`, false],
    [`sha256-${hex}`, false],
    [`sha256:../${hex.slice(3)}`, false],
    [hex, false],
    ['', false],
  ])('%j: %s', (text, expected) => {
    expect(isDigest(text)).toBe(expected);
    if (expected) expect(parseDigest(text)).toBe(text);
    else expect(() => parseDigest(text)).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID' }));
  });

  it('a refusal does not repeat more than a line of what it refuses', () => {
    expect(() => parseDigest('x'.repeat(1_000_000))).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^.{0,200}$/) as string }),
    );
  });
});

it('algorithm and hex make the digest again', () => {
  fc.assert(
    fc.property(digests, (digest) => {
      expect(makeDigest(digestAlgorithm(digest), digestHex(digest))).toBe(digest);
      expect(digestHex(digest)).toHaveLength(digestAlgorithm(digest) === 'sha512' ? 128 : 64);
    }),
  );
});

it.each(['sha256', 'sha512'] as const)('%s of bytes is what everybody else computes, in any pieces', (algorithm) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
      const expected = `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
      const digester = createDigester(algorithm);
      digester.update(bytes.subarray(0, cut));
      digester.update(bytes.subarray(cut));
      expect([digestOf(bytes, algorithm), digester.digest()]).toEqual([expected, expected]);
    }),
  );
});

it('the digest of no bytes', () => expect(digestOf(new Uint8Array())).toBe(emptyDigest));
