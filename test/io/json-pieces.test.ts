import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonPieces } from '../../src/io/json-pieces.ts';

describe('JSON in pieces', () => {
  it('is what JSON.stringify writes', () => {
    const values = fc.anything({
      withNullPrototype: true,
      withObjectString: true,
      withUnicodeString: true,
      maxDepth: 4,
    });
    fc.assert(
      fc.property(fc.oneof(values, fc.array(values), fc.dictionary(fc.string(), values)), (value) => {
        fc.pre(JSON.stringify(value) !== undefined);
        expect([...jsonPieces(value)].join('')).toBe(JSON.stringify(value, undefined, 2));
      }),
    );
  });

  it.each([
    ['fields that JSON has no words for', { none: undefined, work: () => 1, list: [undefined, () => 1, 2], last: 1 }],
    ['a time', { at: new Date(0), list: [new Date(0)] }],
    ['empty lists and objects', { list: [], object: {}, nested: [[], {}] }],
    ['line breaks in texts', [{ text: 'a\nb', 'a\nkey': ['\n'] }]],
  ])('%s', (_title, value) => {
    expect([...jsonPieces(value)].join('')).toBe(JSON.stringify(value, undefined, 2));
  });

  it('a long list is never there whole', () => {
    const list = Array.from({ length: 20_000 }, (_, number) => ({ number, text: 'x'.repeat(100) }));
    const lengths = [...jsonPieces({ images: list })].map(({ length }) => length);
    expect(Math.max(...lengths)).toBeLessThan(128 * 1024);
    expect(lengths.length).toBeGreaterThan(20);
  });
});
