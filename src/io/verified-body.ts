import { RegtarError } from '../errors.ts';
import { createDigester, digestAlgorithm, type Digest } from '../oci/digest.ts';
import type { Body } from './body.ts';

/** What a body should be. */
export interface Expected {
  readonly digest: Digest;
  /** In bytes; -1 where it is not known (layers of schema1). */
  readonly size: number;
}

/**
 * Passes a body on and holds its last chunk back until size and digest agree, so that no consumer can finish a blob
 * that is not right.
 * @param known what is known before the first byte, its size and why it need not be read: a member with holes may claim
 * terabytes
 * @throws RegtarError BLOB_CORRUPT, in place of the last chunk
 */
export async function* verifiedBody(
  body: Body,
  expected: Expected,
  known: { readonly size?: number | undefined; readonly damage?: string | undefined } = {},
): AsyncGenerator<Uint8Array> {
  if (known.size !== undefined && expected.size >= 0 && known.size !== expected.size)
    throw corrupt(expected, `it has ${known.size} bytes instead of ${expected.size}`);
  if (known.damage !== undefined) throw corrupt(expected, known.damage);
  const digester = createDigester(digestAlgorithm(expected.digest));
  let held: Uint8Array | undefined;
  let size = 0;
  for await (const chunk of body) {
    digester.update(chunk);
    size += chunk.length;
    if (expected.size >= 0 && size > expected.size) throw corrupt(expected, `it has more than ${expected.size} bytes`);
    if (held !== undefined) yield held;
    held = chunk;
  }
  const digest = digester.digest();
  if (expected.size >= 0 && size !== expected.size)
    throw corrupt(expected, `it has ${size} bytes instead of ${expected.size}`);
  if (digest !== expected.digest) throw corrupt(expected, `its bytes have the digest ${digest}`);
  if (held !== undefined) yield held;
}

function corrupt(expected: Expected, reason: string): RegtarError {
  return new RegtarError('BLOB_CORRUPT', `blob ${expected.digest} is damaged: ${reason}`, {
    where: { digest: expected.digest },
    hint:
      'run `regtar verify` to list everything that is damaged, then make the backup again or take the blob ' +
      'from another one',
  });
}
