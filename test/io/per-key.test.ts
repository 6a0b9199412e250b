import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createFirsts, createOncePerKey, createTurns } from '../../src/io/per-key.ts';

/** Work that says when it begins, and ends when it is told to. */
function createWork() {
  const begun: string[] = [];
  const ends = new Map<
    string,
    { readonly resolve: (value: string) => void; readonly reject: (error: Error) => void }
  >();
  return {
    begun,
    work: (name: string) => (): Promise<string> => {
      begun.push(name);
      return new Promise((resolve, reject) => ends.set(name, { resolve, reject }));
    },
    async end(name: string): Promise<void> {
      ends.get(name)?.resolve(name);
      await nextTurn();
    },
    async fail(name: string): Promise<void> {
      ends.get(name)?.reject(new Error(name));
      await nextTurn();
    },
  };
}

describe('turns', () => {
  it('run one after the other for a key, and side by side for several', async () => {
    const { begun, work, end } = createWork();
    const turns = createTurns<string>();
    const results = [turns.run('k', work('a')), turns.run('k', work('b')), turns.run('other', work('c'))];
    expect(begun).toEqual(['a', 'c']);
    await end('a');
    expect(begun).toEqual(['a', 'c', 'b']);
    await end('b');
    await end('c');
    expect(await Promise.all(results)).toEqual(['a', 'b', 'c']);
  });

  it('go on after a failure, which only its own caller sees', async () => {
    const { begun, work, end, fail } = createWork();
    const turns = createTurns<string>();
    const first = expect(turns.run('k', work('a'))).rejects.toThrow('a');
    const second = turns.run('k', work('b'));
    await fail('a');
    await first;
    expect(begun).toEqual(['a', 'b']);
    await end('b');
    expect(await second).toBe('b');
  });
});

describe('firsts', () => {
  it('keep all others waiting until one has succeeded, and let them go on side by side', async () => {
    const { begun, work, end, fail } = createWork();
    const firsts = createFirsts<string>();
    const failed = expect(firsts.run('k', work('a'))).rejects.toThrow('a');
    const results = [firsts.run('k', work('b')), firsts.run('k', work('c')), firsts.run('k', work('d'), work('later'))];
    await fail('a');
    await failed;
    expect(begun).toEqual(['a', 'b']);
    await end('b');
    expect(begun).toEqual(['a', 'b', 'c', 'later']);
    await end('c');
    await end('later');
    expect(await Promise.all(results)).toEqual(['b', 'c', 'later']);
  });
});

it('once per key, all who ask share one result', async () => {
  const { begun, work, end } = createWork();
  const once = createOncePerKey<string, string>();
  const results = [once.get('a', work('a')), once.get('b', work('b')), once.get('a', work('never'))];
  expect(begun).toEqual(['a', 'b']);
  await end('a');
  await end('b');
  expect(await Promise.all([...results, once.get('a', work('never'))])).toEqual(['a', 'b', 'a', 'a']);
});
