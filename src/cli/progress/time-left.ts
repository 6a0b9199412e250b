/**
 * Estimates that a person can watch: they follow the clock, and are corrected gently instead of jumping with every
 * burst.
 */
export interface TimeLeft {
  /** @param seconds of a clock that never goes back @param left in bytes; 0 ends it */
  sample(seconds: number, done: number, left: number): void;
  /** Bytes per second over the last few seconds. */
  rate(): number;
  /** undefined until there is something to judge by, and while nothing moves. */
  secondsLeft(): number | undefined;
}

/** What the eye compares with: short enough to see that a network has died. */
const rateSeconds = 5;
/** What the estimate rests on: long enough that one big layer among small ones does not shake it. */
const estimateSeconds = 30;
/**
 * How fast an estimate that was wrong becomes right: within a part of the time that is left, so that the end is not a
 * surprise.
 */
const correctionPart = 1 / 4;
const correctionSeconds = { least: 1.5, most: 15 };
/** After so long without a byte no estimate is worth anything. */
const stillSeconds = 10;
/** Before this nothing is known. */
const silentSeconds = 3;

/** Begins to measure at the first sample. */
export function createTimeLeft(): TimeLeft {
  const shortRate = createRate(rateSeconds);
  const longRate = createRate(estimateSeconds);
  let begin: number | undefined;
  let last = { seconds: 0, done: 0 };
  let movedAt = 0;
  let shown: number | undefined;
  return {
    sample(seconds, done, left) {
      if (begin === undefined) {
        begin = seconds;
        movedAt = seconds;
        last = { seconds, done };
        return;
      }
      const passed = seconds - last.seconds;
      if (passed <= 0) return;
      if (done !== last.done) movedAt = seconds;
      shortRate.add(passed, done - last.done);
      longRate.add(passed, done - last.done);
      last = { seconds, done };
      const rate = longRate.perSecond();
      if (left <= 0) shown = 0;
      else if (rate > 0 && seconds - begin >= silentSeconds) {
        const estimate = left / rate;
        if (shown === undefined) shown = estimate;
        else {
          const expected = Math.max(0, shown - passed);
          const correction = Math.min(
            correctionSeconds.most,
            Math.max(correctionSeconds.least, estimate * correctionPart),
          );
          shown = expected + (estimate - expected) * (1 - Math.exp(-passed / correction));
        }
      }
    },
    rate: () => Math.max(0, shortRate.perSecond()),
    secondsLeft: () => (last.seconds - movedAt < stillSeconds || shown === 0 ? shown : undefined),
  };
}

/** A mean that forgets; divided by its own weight, so that it is right from the first sample on. */
function createRate(seconds: number): { add(passed: number, bytes: number): void; perSecond(): number } {
  let bytesSum = 0;
  let secondsSum = 0;
  return {
    add(passed, bytes) {
      const kept = Math.exp(-passed / seconds);
      bytesSum = bytesSum * kept + bytes;
      secondsSum = secondsSum * kept + passed;
    },
    perSecond: () => (secondsSum === 0 ? 0 : bytesSum / secondsSum),
  };
}
