import { RegtarError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * Whoever needs a blob that is on its way for the first time waits before it takes a place among the transfers: a place that only
 * waits is lost to others. Later ones go on side by side, since a blob that is there costs little; one that the backup has damaged is
 * not read again for each image that needs it.
 */
export interface FirstTransfers {
  run<Result>(digest: Digest, transfer: () => Promise<Result>): Promise<Result>;
}

export function createFirstTransfers(): FirstTransfers {
  const pending = new Map<Digest, Promise<unknown>>();
  const done = new Set<Digest>();
  const broken = new Map<Digest, RegtarError>();
  return {
    async run(digest, transfer) {
      for (let other = pending.get(digest); other !== undefined; other = pending.get(digest))
        await other.catch(() => undefined);
      const known = broken.get(digest);
      if (known !== undefined) throw known;
      if (done.has(digest)) return transfer();
      const work = transfer();
      pending.set(digest, work);
      try {
        const result = await work;
        done.add(digest);
        return result;
      } catch (error) {
        if (error instanceof RegtarError && error.side === 'source') broken.set(digest, error);
        throw error;
      } finally {
        pending.delete(digest);
      }
    },
  };
}
