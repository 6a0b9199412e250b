import { createDeferred } from '../io/deferred.ts';

/** Lets a manifest that is the first to name a blob be accepted before others that name it. */
export interface FirstNaming {
  /**
   * @param scope what counts blobs together: a project
   * @param digests everything that the manifest names, and its own
   * @param put gets those that no manifest of the scope has named before
   */
  run<Result>(
    scope: string,
    digests: readonly string[],
    put: (fresh: readonly string[]) => Promise<Result>,
  ): Promise<Result>;
}

/**
 * Harbor adds a blob that it does not know yet to a project's quota once for each manifest that names it at the same
 * moment: eight at a time counted 6.6 % too much. Manifests that share nothing new still go side by side.
 */
export function createFirstNaming(): FirstNaming {
  const named = new Set<string>();
  const pending = new Map<string, Promise<void>>();
  return {
    async run(scope, digests, put) {
      const keys = digests.map((digest) => `${scope} ${digest}`);
      // All of them are waited for before any is taken, so that none is held while another is waited for.
      for (;;) {
        const others = keys.flatMap((key) => pending.get(key) ?? []);
        if (others.length === 0) break;
        await Promise.all(others);
      }
      const own = keys.filter((key) => !named.has(key));
      if (own.length === 0) return put([]);
      const { promise, resolve } = createDeferred<void>();
      for (const key of own) pending.set(key, promise);
      try {
        const result = await put(digests.filter((_digest, index) => own.includes(keys[index] ?? '')));
        for (const key of own) named.add(key);
        return result;
      } finally {
        for (const key of own) pending.delete(key);
        resolve();
      }
    },
  };
}
