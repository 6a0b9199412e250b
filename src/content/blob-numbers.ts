import { DigestNumbers } from '../oci/digest-numbers.ts';
import type { BlobNumbers, ContentStore } from './contracts.ts';

/** The numbers of a store, or new ones for what it holds, given in the order of asking. */
export function blobNumbersOf(store: ContentStore): BlobNumbers {
  if (store.numbers !== undefined) return store.numbers;
  const numbers = new DigestNumbers();
  return {
    get size() {
      return numbers.size;
    },
    find: (digest) => (store.stat(digest) === undefined ? -1 : numbers.numberOf(digest)),
    digest: (number) => numbers.digest(number),
    bytes: (number) => store.stat(numbers.digest(number))?.size ?? -1,
  };
}
