import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Gives everything else its turn: signals, timers, the display. Work that only awaits what is done already, as writing
 * small files is, keeps them waiting to its end, and the collector from what was made meanwhile and is weakly held.
 * @param millisecondsPerTurn short enough for a key press, long enough to cost nothing
 * @returns what is to be awaited between steps; undefined while it is too early
 */
export function createPauses(millisecondsPerTurn = 20): () => Promise<void> | undefined {
  let turn = performance.now();
  return () => {
    if (performance.now() - turn < millisecondsPerTurn) return undefined;
    return nextTurn().then(() => void (turn = performance.now()));
  };
}
