import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonList } from '../../src/io/json-list.ts';

const bytesOf = (text: string): Buffer => Buffer.from(text);

describe('a list that is not parsed at once', () => {
  it('has what JSON.parse finds, for whatever is around it', () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const object = fc.dictionary(fc.constantFrom('a', 'list', 'z', '"', '\\', '{'), value, { noNullPrototype: true });
    fc.assert(
      fc.property(object, fc.array(value), fc.constantFrom(undefined, 2, '\t\r '), (beside, items, indent) => {
        const text = JSON.stringify({ ...beside, list: items }, undefined, indent);
        const list = parseJsonList(bytesOf(text), 'list', 'x');
        const read = JSON.parse(text) as { readonly list: unknown[] };
        expect(list?.fields).toEqual({ ...read, list: [] });
        expect(Array.from({ length: list?.length ?? -1 }, (_, index) => list?.item(index))).toEqual(read.list);
      }),
    );
  });

  it('is the last of its name, however the name is written', () => {
    const list = parseJsonList(bytesOf('{"list":[1],"l\\u0069st":[2,3]}'), 'list', 'x');
    expect([list?.length, list?.item(0), list?.item(1)]).toEqual([2, 2, 3]);
    expect(parseJsonList(bytesOf('{"list":[1],"list":null}'), 'list', 'x')).toBeUndefined();
  });

  it.each([
    ...['', '[]', '[1]', 'null', '{}', '{"list":{}}', '{"list":"[]"}', '{"list":[', '{"list":[1', '{"list":[1]'],
    ...['{"list":[1,]}', '{"list":[,1]}', '{"list":[1 2]}', '{"list":[1]}}', '{"list":[1],}', '{"list":[1]] }'],
    ...['{"list" [1]}', '{"list":["]}', '{list:[1]}', '{"list":[]} x', '\ufeff{"list":[]}', '{"list":[{]}]}x'],
  ])('is not found in %s', (text) => {
    expect(parseJsonList(bytesOf(text), 'list', 'x')).toBeUndefined();
  });

  it('has undefined for what is not JSON', () => {
    const list = parseJsonList(bytesOf('{"list":[1,{x},[2},tru,"\n"]}'), 'list', 'x');
    expect(list?.length).toBe(5);
    expect([0, 1, 2, 3, 4].map((index) => list?.item(index))).toEqual([1, undefined, undefined, undefined, undefined]);
  });

  it('survives bytes of all kinds', () => {
    const noise = fc.string({ unit: fc.constantFrom(...'{}[],:"\\ a1\n') });
    fc.assert(
      fc.property(noise, (text) => {
        const document = `{"list":[${text}]}`;
        const list = parseJsonList(bytesOf(document), 'list', 'x');
        let read: unknown;
        try {
          read = JSON.parse(document);
        } catch {
          return;
        }
        const items = (read as { readonly list: readonly unknown[] }).list;
        if (Array.isArray(items)) expect(list?.length).toBe(items.length);
        else expect(list).toBeUndefined();
      }),
    );
  });
});
