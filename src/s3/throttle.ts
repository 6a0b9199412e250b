/**
 * How many requests are under way at once: fewer when a server says that they are too many, more again while it is
 * content.
 */
export interface Throttle {
  run<Result>(work: () => Promise<Result>): Promise<Result>;
  /** The server said 503 SlowDown. */
  slowDown(): void;
  /** How many may be under way now. */
  readonly limit: number;
}

const successesPerStep = 50;

/** @param most at the beginning, and at most */
export function createThrottle(most: number): Throttle {
  let limit = most;
  let running = 0;
  let successes = 0;
  const waiting: (() => void)[] = [];
  const wake = (): void => {
    while (running < limit && waiting.length > 0) {
      running++;
      waiting.shift()?.();
    }
  };
  return {
    get limit() {
      return limit;
    },
    async run(work) {
      if (running < limit) running++;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        const result = await work();
        if (++successes % successesPerStep === 0 && limit < most) limit++;
        return result;
      } finally {
        running--;
        wake();
      }
    },
    slowDown() {
      successes = 0;
      limit = Math.max(1, Math.floor(limit / 2));
    },
  };
}
