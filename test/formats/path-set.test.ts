import { expect, it } from 'vitest';
import { PathSet } from '../../src/formats/archive/path-set.ts';

it('says of thousands of paths what a set of texts says, also of those that were taken back', () => {
  const paths = new PathSet();
  const texts = new Set<string>();
  for (let step = 0; step < 20_000; step++) {
    const path = `repositories/team/_layers/sha256/${(step * 7919) % 12_000}/link`;
    if (step % 5 === 4) {
      paths.delete(path);
      texts.delete(path);
    } else {
      const isNew = !texts.has(path);
      texts.add(path);
      if (paths.add(path) !== isNew) expect(path).toBe('told apart');
    }
  }
  const all = Array.from({ length: 12_000 }, (_, number) => `repositories/team/_layers/sha256/${number}/link`);
  expect(all.filter((path) => paths.has(path))).toEqual(all.filter((path) => texts.has(path)));
});
