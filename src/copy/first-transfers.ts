import { RegtarError } from '../errors.ts';
import type { ContentStore } from '../content/contracts.ts';
import { createDigestSet } from '../content/digest-set.ts';
import { createFirsts } from '../io/per-key.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * An image that needs a blob which is on its way for the first time waits before it takes a place among the transfers:
 * a place that only waits is lost to others. Later ones go on side by side, since a blob that is there costs little;
 * one that the backup has damaged is not read again for each image that needs it.
 */
export interface FirstTransfers {
  run<Result>(digest: Digest, transfer: () => Promise<Result>): Promise<Result>;
}

/** For one run: what it learns of the backup's damage holds until the end. */
export function createFirstTransfers(store: Pick<ContentStore, 'numbers'>): FirstTransfers {
  const firsts = createFirsts(createDigestSet(store));
  const broken = new Map<Digest, RegtarError>();
  return {
    run: (digest, transfer) =>
      firsts.run(
        digest,
        async () => {
          const known = broken.get(digest);
          if (known !== undefined) throw known;
          try {
            return await transfer();
          } catch (error) {
            if (error instanceof RegtarError && error.side === 'source') broken.set(digest, error);
            throw error;
          }
        },
        transfer,
      ),
  };
}
