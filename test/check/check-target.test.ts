import { expect, it } from 'vitest';
import { checkTarget } from '../../src/check/check-target.ts';
import type { CheckedTarget } from '../../src/check/contract.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Report } from '../../src/report/report.ts';

const digest = digestOf(Buffer.from('image'));
const reportOf = (tags: readonly string[]): Report =>
  ({
    state: 'finished',
    target: { kind: 'oci', name: 'out' },
    images: tags.map((tag) => ({ repository: 'a', status: 'copied', arrived: { repository: 'a', tag, digest } })),
  }) as unknown as Report;

/** Everything is missing there, and nothing is waited for. */
const nothing = {
  describe: 'nothing',
  parallel: 2,
  digestOf: async () => undefined,
  placeOf: () => '',
} as unknown as CheckedTarget;
const tags = Array.from({ length: 100 }, (_, index) => `${99 - index}`);

it('tells differences in the order of the report', async () => {
  let last: Promise<unknown> = Promise.resolve();
  const target: CheckedTarget = {
    ...nothing,
    parallel: 8,
    // Later ones are answered first.
    digestOf: ({ tag }) => {
      const answered = tag === '99' ? new Promise((resolve) => setImmediate(resolve)) : last;
      last = answered;
      return (Number(tag) % 2 === 0 ? Promise.resolve() : answered).then(() => undefined);
    },
  };
  const { differences } = await checkTarget(target, reportOf(tags), { rename: (name) => name });
  expect(differences.map(({ tag }) => tag)).toEqual(tags);
});

it('stops when it is told to, although a folder answers everything at once', async () => {
  const stop = new AbortController();
  let asked = 0;
  const target: CheckedTarget = {
    ...nothing,
    digestOf: async () => {
      if (asked++ === 0) setImmediate(() => stop.abort(new Error('stopped')));
      // As long as a slow disk takes, so that there is a pause before the last.
      for (const end = performance.now() + 2; performance.now() < end;);
      return undefined;
    },
  };
  const checked = checkTarget(target, reportOf(tags), { rename: (name) => name, signal: stop.signal });
  await expect(checked).rejects.toThrow('stopped');
  expect(asked).toBeLessThan(tags.length);
});
