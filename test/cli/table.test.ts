import { describe, expect, it } from 'vitest';
import { renderTable } from '../../src/cli/render/table.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const head = ['IMAGE', 'DIGEST', 'BYTES'];
const rows = [
  ['base:1', digest, '85.5 kB'],
  [`team/app/web:sha256-${'f'.repeat(64)}.sig`, digest, '944 B'],
  [`${'very/'.repeat(40)}long:latest`, digest, '1.3 kB'],
];

describe('a table', () => {
  it('is whole where no terminal shows it', () => {
    const text = renderTable(head, rows, { right: [2] });
    for (const row of rows) for (const cell of row) expect(text).toContain(cell);
  });

  it.each([60, 80, 120, 200])('wraps no row of a terminal with %i columns', (columns) => {
    const lines = renderTable(head, rows, { right: [2], columns }).split('\n');
    expect(lines).toHaveLength(rows.length + 1);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(columns);
  });

  it('shortens digests first, and keeps both ends of a name', () => {
    expect(renderTable(head, rows, { right: [2], columns: 80 }).split('\n')).toEqual([
      'IMAGE                                              DIGEST                  BYTES',
      'base:1                                             sha256:0123456789ab…  85.5 kB',
      'team/app/web:sha256-ffffffffffff….sig              sha256:0123456789ab…    944 B',
      'very/very/very/very/very…ry/very/very/long:latest  sha256:0123456789ab…   1.3 kB',
    ]);
  });

  it('shortens numbers, and columns that must stay whole, never', () => {
    const text = renderTable(head, rows, { right: [2], whole: [1], columns: 40 });
    expect(text).toContain(digest.slice(0, 19));
    expect(text).toContain('85.5 kB');
  });

  it('leaves rows that fit as they are', () => {
    const short = [['base:1', digest, '1 B']];
    expect(renderTable(head, short, { columns: 120 })).toBe(renderTable(head, short));
  });
});
