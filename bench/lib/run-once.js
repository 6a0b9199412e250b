// @ts-check

/** Nothing measured yet. @param {string} name @returns {import('./race.js').Measured} */
export function unmeasured(name) {
  return { name, seconds: [], peakMiB: undefined, failure: undefined, output: '' };
}

/**
 * One more run of a contender that needs a target of its own each time.
 * @param {import('./bench.js').Bench} bench
 * @param {import('./race.js').Measured} measured gets what the run took; a failed one is not tried again
 * @param {import('./run-command.js').Command} command
 * @param {string} [title] for the log
 */
export async function runOnce(bench, measured, command, title = measured.name) {
  if (measured.failure !== undefined) return;
  const [run] = await bench.race([{ name: title, command, prepare: bench.settle }], { exactly: 1 });
  if (!run) return;
  measured.seconds.push(...run.seconds);
  measured.failure = run.failure;
  if (run.peakMiB !== undefined) measured.peakMiB = Math.max(run.peakMiB, measured.peakMiB ?? 0);
}
