/** Lets one at a time work on a key; what concerns other keys goes on meanwhile. */
export interface Turns<Key> {
  /** Waits until no other work on the key runs. A failure is its caller's alone: the next one tries for itself. */
  run<Result>(key: Key, work: () => Promise<Result>): Promise<Result>;
}

/** Turns are taken in the order of asking. */
export function createTurns<Key>(): Turns<Key> {
  const last = new Map<Key, Promise<unknown>>();
  return {
    run(key, work) {
      const before = last.get(key);
      const result = before === undefined ? work() : before.then(work);
      const ended = result.then(ignore, ignore);
      last.set(key, ended);
      void ended.then(() => {
        if (last.get(key) === ended) last.delete(key);
      });
      return result;
    },
  };
}

/** Lets one begin alone with a key; all others wait until one has succeeded, and then go on side by side. */
export interface Firsts<Key> {
  /**
   * @param first is run until it succeeds once for this key
   * @param later is run after that. @defaultValue the same as `first`
   */
  run<Result>(key: Key, first: () => Promise<Result>, later?: () => Promise<Result>): Promise<Result>;
}

/**
 * Keys that succeeded are remembered as long as this object lives.
 * @param done what remembers them
 */
export function createFirsts<Key>(
  done: { has(key: Key): boolean; add(key: Key): unknown } = new Set<Key>(),
): Firsts<Key> {
  const turns = createTurns<Key>();
  return {
    async run(key, first, later = first) {
      if (!done.has(key)) {
        const own = await turns.run(key, async () => {
          if (done.has(key)) return undefined;
          const result = await first();
          done.add(key);
          return { result };
        });
        if (own !== undefined) return own.result;
      }
      return later();
    },
  };
}

/** Makes a result once for each key. */
export interface OncePerKey<Key, Result> {
  /** The second to ask gets the result of the first, even while it is being made, and even if making it failed. */
  get(key: Key, make: () => Promise<Result>): Promise<Result>;
}

/** Results are kept as long as this object lives. */
export function createOncePerKey<Key, Result>(): OncePerKey<Key, Result> {
  const results = new Map<Key, Promise<Result>>();
  return {
    get(key, make) {
      const result = results.get(key) ?? make();
      results.set(key, result);
      return result;
    },
  };
}

function ignore(): void {}
