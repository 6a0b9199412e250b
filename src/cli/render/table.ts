import Table from 'cli-table3';
import { printable } from '../../io/printable.ts';

/** How a table is set. */
export interface TableOptions {
  /** Columns of numbers, counted from 0. */
  readonly right?: readonly number[];
  /** Further columns that are never shortened, counted from 0: dates, digests. */
  readonly whole?: readonly number[];
  /** What the terminal holds: longer rows are shortened. @defaultValue whole, as a pipe gets it */
  readonly columns?: number | undefined;
}

const gap = '  ';

/** Rows of text in columns, without frames: it pastes well and survives a slow serial line. */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  const none = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
    right: '',
    'right-mid': '',
    middle: gap,
  };
  const table = new Table({
    head: [...head],
    chars: none,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, index) => (options.right?.includes(index) ? 'right' : 'left')),
  });
  const cells = rows.map((row) => row.map((cell) => printable(cell)));
  table.push(
    ...(options.columns === undefined
      ? cells
      : fitRows(head, cells, options.columns, [...(options.right ?? []), ...(options.whole ?? [])])),
  );
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** A name is told from its neighbours by fewer characters only in small backups. */
const shortestCell = 12;

/**
 * Shortens cells until a row fits a terminal, so that none is wrapped: digests to twelve digits first, then the longest
 * texts in their middle, since names differ at the end as often as at the beginning.
 */
function fitRows(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number,
  kept: readonly number[],
): string[][] {
  const room = columns - gap.length * (head.length - 1);
  const widthsOf = (cells: readonly (readonly string[])[]): number[] =>
    head.map((title, index) => cells.reduce((most, row) => Math.max(most, row[index]?.length ?? 0), title.length));
  const sum = (widths: readonly number[]): number => widths.reduce((total, width) => total + width, 0);
  if (sum(widthsOf(rows)) <= room) return rows.map((row) => [...row]);
  const shortened = rows.map((row) => row.map(shortenDigests));
  const widths = widthsOf(shortened);
  while (sum(widths) > room) {
    const texts = widths.filter((_, index) => !kept.includes(index));
    const longest = Math.max(...texts);
    if (longest <= shortestCell) break;
    const column = widths.findIndex((width, index) => width === longest && !kept.includes(index));
    // Several columns as long as this one give way in turn.
    const next = Math.max(shortestCell, ...texts.filter((width) => width < longest));
    const isAlone = texts.filter((width) => width === longest).length === 1;
    widths[column] = isAlone ? Math.max(next, longest - (sum(widths) - room)) : longest - 1;
  }
  return shortened.map((row) => row.map((cell, index) => shortenMiddle(cell, widths[index] ?? cell.length)));
}

function shortenDigests(text: string): string {
  return text.replace(/(sha(?:256|512)[:-][0-9a-f]{12})[0-9a-f]{52,}/g, '$1…');
}

function shortenMiddle(text: string, width: number): string {
  if (text.length <= width) return text;
  const end = Math.floor((width - 1) / 2);
  return `${text.slice(0, width - 1 - end)}…${text.slice(text.length - end)}`;
}
