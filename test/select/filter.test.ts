import { describe, expect, it } from 'vitest';
import { createFilter } from '../../src/select/filter.ts';

const digest = `sha256:${'0a'.repeat(32)}`;
const tagged = (name: string): boolean[] =>
  ['nginx:1.2', 'library/nginx:1.2', 'a/b/c:latest', 'a/b/c:sha256-0a.sig'].map((text) => {
    const [repository = '', tag = ''] = text.split(':');
    return createFilter({ include: [name] })({ repository, tag, digest });
  });

describe('a glob of --include and --exclude', () => {
  it.each([
    ['nginx', [true, false, false, false]],
    ['*', [true, false, false, false]],
    ['**', [true, true, true, true]],
    ['**/nginx', [true, true, false, false]],
    ['a/**', [false, false, true, true]],
    ['library/nginx:1.*', [false, true, false, false]],
    ['*:1.2', [true, false, false, false]],
    // What people type for "this tag, whatever the repository".
    ['**:latest', [false, false, true, false]],
    ['**:sha256-*', [false, false, false, true]],
    ['**/*:1.2', [true, true, false, false]],
    ['{library/nginx:1.2,a/**:latest}', [false, true, true, false]],
    [`a/**@${digest}`, [false, false, true, true]],
  ] as const)('%s', (glob, matches) => expect(tagged(glob)).toEqual(matches));
});
