import { expect, it } from 'vitest';
import { crowdOf } from '../../src/serve/crowds.ts';
import { answerTags } from '../../src/serve/lists.ts';

it('a list of any length comes in pages that a server can hold for many clients', () => {
  const tagNames = Array.from({ length: 25_000 }, (_, index) => `t${String(index).padStart(6, '0')}`);
  const collect = (query: string): { pages: number; tags: readonly string[] } => {
    const tags: string[] = [];
    for (let pages = 1, next: string | undefined = query; ; pages++) {
      const request = { method: 'GET', target: '', headers: {} };
      const answer = answerTags(request, new URLSearchParams(next), 'a/b', { tagNames });
      const page = JSON.parse(Buffer.from(answer.body[0] as Uint8Array).toString()) as { tags: readonly string[] };
      expect(page.tags.length).toBeLessThanOrEqual(10_000);
      tags.push(...page.tags);
      next = /^<\/v2\/a\/b\/tags\/list\?(.*)>; rel="next"$/.exec(answer.headers['Link'] ?? '')?.[1];
      if (next === undefined) return { pages, tags };
    }
  };
  for (const query of ['', 'n=99999999999999999999']) expect(collect(query)).toEqual({ pages: 3, tags: tagNames });
});

it.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8::6', '2001:db8:0:0'],
  ['fe80::1:2:3:4%eth0', 'fe80:0:0:0'],
  ['::1', '0:0:0:0'],
])('%s is counted as %s', (address, crowd) => {
  expect(crowdOf(address)).toBe(crowd);
});
