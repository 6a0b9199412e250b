import type { Reading } from '../progress/meter.ts';
import { printable } from '../../io/printable.ts';
import { formatBytes, formatCount, formatSeconds, plural } from '../../io/sizes.ts';

/** What stands behind the bar, below it, and which images are under way: three lines, none longer than `columns`. */
export function renderProgress(
  reading: Reading,
  columns: number,
): { readonly numbers: string; readonly counts: string; readonly names: string } {
  return {
    numbers: numbersOf(reading).join('  '),
    counts: countsOf(reading, columns),
    names: namesOf(reading, columns),
  };
}

/** The same in one line, for logs. */
export function renderProgressLine(reading: Reading): string {
  const { images } = reading;
  return firstThatFits(80, [
    [
      `${formatCount(images.done)} of ${plural(images.all, 'image')}`,
      ...numbersOf(reading),
      ...(images.failed > 0 ? [`${formatCount(images.failed)} failed`] : []),
    ].join(', '),
    [
      `${formatCount(images.done)}/${formatCount(images.all)}`,
      ...numbersOf(reading),
      ...(images.failed > 0 ? [`${formatCount(images.failed)} failed`] : []),
    ].join(', '),
  ]);
}

/** A run of bytes without images, as `verify` makes. */
export function renderByteLine(reading: Reading): string {
  return numbersOf(reading).join(', ');
}

function numbersOf({ bytes, bytesPerSecond, secondsLeft }: Reading): string[] {
  return [
    `${formatBytes(bytes.done)} of ${formatBytes(bytes.all)}`,
    `${formatBytes(bytesPerSecond)}/s`,
    ...(secondsLeft === undefined ? [] : [`${formatLeft(secondsLeft)} left`]),
  ];
}

/** In steps that fit its size: seconds cannot be promised and only flicker. */
function formatLeft(seconds: number): string {
  const step = seconds < 10 ? 1 : seconds < 60 ? 5 : seconds < 600 ? 10 : seconds < 3600 ? 60 : 300;
  const rounded = Math.ceil(seconds / step) * step;
  if (rounded < 60) return `${rounded} s`;
  if (rounded < 600) return formatSeconds(rounded);
  const minutes = Math.round(rounded / 60);
  return minutes < 60 ? `${minutes} m` : `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}

function countsOf({ images, spared }: Reading, columns: number): string {
  const others = [
    ['present', images.present],
    ['skipped', images.skipped],
    ['failed', images.failed],
  ] as const;
  const counts = others.filter(([, count]) => count > 0).map(([name, count]) => `${formatCount(count)} ${name}`);
  const full = [`${formatCount(images.done)} of ${plural(images.all, 'image')}`, ...counts];
  const short = [`${formatCount(images.done)}/${formatCount(images.all)}`, ...counts];
  const tail = spared > 0 ? [`${formatBytes(spared)} mounted or present`] : [];
  return firstThatFits(columns, [
    [...full, ...tail].join(', '),
    [...short, ...tail].join(', '),
    full.join(', '),
    short.join(', '),
  ]);
}

function namesOf({ underWay }: Reading, columns: number): string {
  const names = underWay.map(printable);
  for (let shown = names.length; shown > 0; shown--) {
    const text =
      `${names.slice(0, shown).join(', ')}` + `${shown < names.length ? ` and ${names.length - shown} more` : ''}`;
    if (text.length <= columns) return text;
  }
  // The end of a name tells more than its beginning.
  const [first] = names;
  if (first === undefined) return '';
  const more = names.length > 1 ? ` and ${names.length - 1} more` : '';
  return `…${first.slice(-Math.max(1, columns - more.length - 1))}${more}`;
}

function firstThatFits(columns: number, texts: readonly string[]): string {
  return texts.find((text) => text.length <= columns) ?? (texts.at(-1) ?? '').slice(0, columns);
}
