import type { Digest } from '../oci/digest.ts';
import type { BlobNumbers } from './contracts.ts';

/** What stands for a digest in a map. */
export type DigestKey = number | Digest;

/**
 * Makes keys of digests: the number where there is one, else the digest itself. As text, a hundred thousand of them
 * take nine megabytes in each map that holds them.
 * @param numbers of the store; undefined where it has none
 */
export function createDigestKeys(numbers: Pick<BlobNumbers, 'find'> | undefined): (digest: Digest) => DigestKey {
  return (digest) => {
    const number = numbers?.find(digest) ?? -1;
    return number < 0 ? digest : number;
  };
}
