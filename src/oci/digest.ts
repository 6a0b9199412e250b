import { createHash, hash as hashOnce, type Hash } from 'node:crypto';
import { RegtarError } from '../errors.ts';

declare const brand: unique symbol;

/**
 * `sha256:<64 lower-case hex>` or `sha512:<128 lower-case hex>`. Only this file makes one, so a Digest is always safe
 * in a path.
 * @see OCI image-spec v1.1, descriptor.md, "Digests"
 */
export type Digest = string & { readonly [brand]: 'Digest' };
/** The algorithms that registries use. */
export type DigestAlgorithm = 'sha256' | 'sha512';

const digestPattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** The digest of no bytes: the one blob that may be empty. */
export const emptyDigest = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' as Digest;

/** @throws RegtarError DIGEST_INVALID for upper case, a wrong length or an algorithm other than sha256 and sha512 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new RegtarError('DIGEST_INVALID', `"${text.slice(0, 140)}" is not a digest`, {
    hint: 'a digest is sha256: and 64 lower-case hexadecimal digits, or sha512: and 128',
  });
}

/** Whether a text is a digest of a known algorithm, in small letters. */
export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}

/** @returns the digest of an algorithm and a hex string, or undefined when they make none */
export function makeDigest(algorithm: string, hex: string): Digest | undefined {
  const text = `${algorithm}:${hex}`;
  return isDigest(text) ? text : undefined;
}

const sha256HexBytes = 64;
/** 1 for the bytes of `0-9a-f`. */
const isHexByte = new Uint8Array(256);
for (const digit of '0123456789abcdef') isHexByte[digit.charCodeAt(0)] = 1;
const sha256Text = Buffer.from(`sha256:${'0'.repeat(sha256HexBytes)}`);

/** Whether 64 lower-case hexadecimal digits stand at `at`. */
export function isSha256HexAt(bytes: Uint8Array, at: number): boolean {
  for (let index = at; index < at + sha256HexBytes; index++) if (isHexByte[bytes[index] ?? 0] !== 1) return false;
  return true;
}

/**
 * Makes a digest of the 64 hexadecimal digits at `at`, without a pattern and without parts of strings: paths by the
 * hundred thousand are read so.
 */
export function sha256FromHexAt(bytes: Uint8Array, at: number): Digest | undefined {
  for (let index = 0; index < sha256HexBytes; index++) {
    const byte = bytes[at + index] ?? 0;
    if (isHexByte[byte] !== 1) return undefined;
    sha256Text[index + 7] = byte;
  }
  return sha256Text.toString('latin1') as Digest;
}

/** The two hexadecimal digits of each byte, as they lie in memory. */
const hexPairs = new Uint16Array(
  Uint8Array.from(Buffer.from(Array.from({ length: 256 }, (_, byte) => hexOf(byte)).join(''))).buffer,
);
/** A digest whose digits begin at an even address, so that two of them are written at once. */
const wordText = Buffer.from(new ArrayBuffer(72), 1);
wordText.write('sha256:');
const wordPairs = new Uint16Array(wordText.buffer, 8);

/** Makes the sha256 digest whose 256 bits are the eight words from `at` on, the most significant first. */
export function sha256FromWords(words: Int32Array, at: number): Digest {
  for (let index = 0; index < 8; index++) {
    const word = words[at + index] as number;
    wordPairs[4 * index] = hexPairs[word >>> 24] as number;
    wordPairs[4 * index + 1] = hexPairs[(word >>> 16) & 255] as number;
    wordPairs[4 * index + 2] = hexPairs[(word >>> 8) & 255] as number;
    wordPairs[4 * index + 3] = hexPairs[word & 255] as number;
  }
  return wordText.toString('latin1') as Digest;
}

function hexOf(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/** What stands before the colon. */
export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.charCodeAt(3) === 50 /* 2 */ ? 'sha256' : 'sha512';
}

/** What stands behind the colon. */
export function digestHex(digest: Digest): string {
  return digest.slice(7);
}

/** The digest of bytes that are in memory. @defaultValue sha256 */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${hashOnce(algorithm, bytes, 'hex')}` as Digest;
}

/** Hashes bytes as they come. */
export interface Digester {
  update(bytes: Uint8Array): void;
  digest(): Digest;
}

/** A running hash; `digest()` ends it. */
export function createDigester(algorithm: DigestAlgorithm = 'sha256'): Digester {
  const hash: Hash = createHash(algorithm);
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => `${algorithm}:${hash.digest('hex')}` as Digest,
  };
}
