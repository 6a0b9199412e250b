import type { Digest } from '../oci/digest.ts';

/** Lets one writer at a time work on a digest: two images that share a blob must not write it twice. */
export interface Claims {
  /** Waits for whoever works on the digest, then runs. The work itself looks whether anything is left to do. */
  run<Result>(digest: Digest, work: () => Promise<Result>): Promise<Result>;
}

export function createClaims(): Claims {
  const running = new Map<Digest, Promise<unknown>>();
  return {
    async run(digest, work) {
      for (let other = running.get(digest); other !== undefined; other = running.get(digest)) await other;
      const result = work();
      // The others only wait: a failure is this caller's alone, and the next one tries for itself.
      running.set(
        digest,
        result.catch(() => undefined),
      );
      try {
        return await result;
      } finally {
        running.delete(digest);
      }
    },
  };
}
