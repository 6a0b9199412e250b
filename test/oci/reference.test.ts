import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareCodePoints,
  formatImageReference,
  isRepository,
  isTag,
  parseImageReference,
} from '../../src/oci/reference.ts';
import { digests, repositories, tags } from '../support/arbitraries.ts';

const digest = `sha256:${'0f'.repeat(32)}`;

describe('repositories', () => {
  it.each([
    'a',
    'nginx',
    'library/nginx',
    'a/b/c/d/e/f',
    '0',
    'a.b',
    'a_b',
    'a__b',
    'a-b',
    'a---b',
    'a.b_c__d-e',
    `${'a'.repeat(255)}`,
    '10.0.0.1/app',
    'a/'.repeat(127) + 'a',
  ])('%s is one', (name) => expect(isRepository(name)).toBe(true));

  it.each([
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    'A',
    'library/Nginx',
    '_a',
    'a_',
    '-a',
    'a-',
    '.a',
    'a.',
    'a..b',
    'a___b',
    'a._b',
    'a b',
    'a:b',
    'a@b',
    'a\n',
    'ä',
    'a/../b',
    '.',
    '..',
    'a/.',
    'a'.repeat(256),
    '_manifests',
    'a/_layers',
    'a\0b',
    'a\u001b[0m',
  ])('%j is none', (name) => expect(isRepository(name)).toBe(false));

  it('a long name that is nearly one is refused at once', () => {
    const started = performance.now();
    expect(isRepository(`${'a-'.repeat(127)}!`)).toBe(false);
    expect(isRepository(`${'a'.repeat(50_000)}!`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(200);
  });
});

describe('tags', () => {
  it.each(['v1', 'latest', '1.27', 'A', '_', '__', '_.-', '0', 'a'.repeat(128), 'sha256-0a.sig', 'v1.0-rc.1_x'])(
    '%s is one',
    (tag) => expect(isTag(tag)).toBe(true),
  );
  it.each(['', '-v1', '.v1', 'a'.repeat(129), 'a/b', 'a:b', 'a b', 'a+b', 'v1\n', 'ü', '..', 'a\u0007'])(
    '%j is none',
    (tag) => expect(isTag(tag)).toBe(false),
  );
});

describe('references', () => {
  it.each([
    ['nginx:1.27', { repository: 'nginx', tag: '1.27' }],
    ['a/b/c:v1', { repository: 'a/b/c', tag: 'v1' }],
    [`a/b@${digest}`, { repository: 'a/b', digest }],
    [`a/b:v1@${digest}`, { repository: 'a/b', tag: 'v1', digest }],
  ])('%s', (text, expected) => expect(parseImageReference(text)).toEqual(expected));

  it.each([
    '',
    'nginx',
    'nginx:',
    ':v1',
    '@',
    `@${digest}`,
    'nginx@sha256:12',
    `nginx@${digest.toUpperCase()}`,
    'Nginx:v1',
    'a:b:c',
    'localhost:5000/a:v1',
    'a/b:v1@',
    `a@${digest}@${digest}`,
    'a:v1 ',
    '-a:v1',
  ])('%j is none', (text) => {
    expect(() => parseImageReference(text)).toThrow(
      expect.objectContaining({ code: 'REFERENCE_INVALID', side: 'usage' }),
    );
  });

  it('parse(format(x)) = x', () => {
    fc.assert(
      fc.property(repositories, tags, (repository, tag) => {
        expect(parseImageReference(formatImageReference({ repository, tag }))).toEqual({ repository, tag });
      }),
    );
    fc.assert(
      fc.property(repositories, digests, (repository, some) => {
        expect(parseImageReference(formatImageReference({ repository, digest: some }))).toEqual({
          repository,
          digest: some,
        });
      }),
    );
  });
});

it('names sort as LC_ALL=C sort has them', () => {
  expect(['b', 'a/b', 'a-b', 'a', 'B', 'a0', 'a.b', '_'].sort(compareCodePoints)).toEqual([
    'B',
    '_',
    'a',
    'a-b',
    'a.b',
    'a/b',
    'a0',
    'b',
  ]);
});
