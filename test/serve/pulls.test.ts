import { expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { createPullWatch, type Pull } from '../../src/serve/pulls.ts';

const digest = digestOf(Buffer.from('a manifest'));

function pull(agent: string): Pull | undefined {
  return createPullWatch()({
    request: { method: 'GET', target: '', headers: { 'user-agent': agent } },
    answer: { status: 200, headers: {}, body: [], manifest: { repository: 'a', tag: '1', digest, children: [] } },
    client: '10.0.0.1',
    isWhole: true,
    milliseconds: 1,
  });
}

it('a pull names what the client calls itself, as far as that is worth remembering', () => {
  expect(pull('docker/20.10')?.agent).toBe('docker/20.10');
  expect(pull('x'.repeat(60_000))?.agent).toBe(`${'x'.repeat(128)}…`);
});
