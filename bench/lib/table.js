// @ts-check
import { median } from './race.js';

/**
 * @typedef {import('./bench.js').Result} Result
 * @typedef {import('./bench.js').Goal} Goal
 * @typedef {import('./race.js').Measured} Measured
 */

/** @param {readonly { row: string, result: Result }[]} results @returns {string} a Markdown table */
export function renderTable(results) {
  const head = ['row', 'regtar', 'peak', 'the other', 'ratio', 'goal', ''];
  const lines = results
    .filter(({ result }) => !isEmptyMemoryRow(result))
    .map(({ row, result }) => {
      const { ours, theirs, goal } = result;
      const title = `${row}: ${result.title}${result.remark === undefined ? '' : ` (${result.remark})`}`;
      return [
        title,
        seconds(ours),
        peak(ours),
        theirs === undefined ? '' : `${theirs.name}: ${seconds(theirs)}`,
        figure(result),
        goalText(goal),
        verdict(result),
      ];
    });
  return [head, head.map(() => '---'), ...lines]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
}

/** @param {Result} result @returns {number | undefined} in the goal's unit */
export function figureOf({ ours, theirs, goal, bytes, percent }) {
  if ('peakMiB' in goal) return ours.failure === undefined ? ours.peakMiB : undefined;
  if (ours.seconds.length === 0) return undefined;
  if ('percent' in goal) return percent;
  if ('seconds' in goal) return median(ours.seconds);
  if ('gigabytesPerSecond' in goal) return bytes === undefined ? undefined : bytes / 1e9 / median(ours.seconds);
  if (theirs === undefined || theirs.seconds.length === 0) return undefined;
  const ratio = median(ours.seconds) / median(theirs.seconds);
  return 'atMost' in goal ? ratio : 1 / ratio;
}

/** @param {Result} result @returns {boolean | undefined} undefined where nothing could be measured */
export function isReached(result) {
  const found = figureOf(result);
  if (found === undefined) return undefined;
  const { goal } = result;
  if ('atMost' in goal) return found <= goal.atMost;
  if ('timesFaster' in goal) return found >= goal.timesFaster;
  if ('peakMiB' in goal) return found <= goal.peakMiB;
  if ('percent' in goal) return found <= goal.percent;
  if ('seconds' in goal) return found <= goal.seconds;
  return found >= goal.gigabytesPerSecond;
}

// The row with the times says already that nothing could be measured.
/** @param {Result} result */
function isEmptyMemoryRow({ ours, theirs, goal }) {
  return 'peakMiB' in goal && theirs === undefined && ours.peakMiB === undefined;
}

/** @param {Measured} measured */
function seconds(measured) {
  if (measured.failure !== undefined) return 'not available';
  if (measured.seconds.length === 0) return '';
  const middle = median(measured.seconds).toFixed(2);
  return measured.seconds.length === 1
    ? `${middle} s`
    : `${middle} s (${Math.min(...measured.seconds).toFixed(2)}–${Math.max(...measured.seconds).toFixed(2)})`;
}

/** @param {Measured} measured */
function peak({ peakMiB }) {
  return peakMiB === undefined ? '' : `${Math.round(peakMiB)} MiB`;
}

/** @param {Result} result */
function figure(result) {
  const found = figureOf(result);
  if (found === undefined) return '';
  if ('peakMiB' in result.goal) return `${Math.round(found)} MiB`;
  if ('percent' in result.goal) return `${found.toFixed(1)} %`;
  if ('seconds' in result.goal) return `${found.toFixed(1)} s`;
  if ('gigabytesPerSecond' in result.goal) return `${found.toFixed(2)} GB/s`;
  return 'atMost' in result.goal ? `${found.toFixed(2)} ×` : `${found.toFixed(1)} × faster`;
}

/** @param {Goal} goal */
function goalText(goal) {
  if ('atMost' in goal) return `≤ ${goal.atMost} ×`;
  if ('timesFaster' in goal) return `≥ ${goal.timesFaster} × faster`;
  if ('peakMiB' in goal) return `≤ ${goal.peakMiB} MiB`;
  if ('percent' in goal) return `≤ ${goal.percent} %`;
  if ('seconds' in goal) return `≤ ${goal.seconds} s`;
  return `≥ ${goal.gigabytesPerSecond} GB/s`;
}

/** @param {Result} result */
function verdict(result) {
  const reached = isReached(result);
  return reached === undefined ? '' : reached ? 'reached' : 'missed';
}
