import { expect, it } from 'vitest';
import { compareVersions, parseVersion, parseVersionRange } from '../../src/select/versions.ts';

it.each([
  ['1.2.3', '1.2.3'],
  ['v1.27', '1.27.0'],
  ['3', '3.0.0'],
  ['1.27-alpine', '1.27.0-alpine'],
  ['1.0.0_build.5', '1.0.0'],
  ['latest', undefined],
  ['1.2.3.4', undefined],
  ['sha-1234567', undefined],
  ['20260102T030405', undefined],
])('%s is read as %s', (tag, version) => {
  expect(parseVersion(tag)?.version).toBe(version);
});

it('versions are ordered as semver orders them, and what is none comes first', () => {
  const tags = ['v1.10', '1.9.1', 'edge', '1.10.0-rc1', '2'];
  expect(tags.sort(compareVersions)).toEqual(['edge', '1.9.1', '1.10.0-rc1', 'v1.10', '2']);
});

it.each([
  ['>=1.20 <2', ['1.20', 'v1.27.3'], ['1.19.9', '2.0', '1.27-alpine', 'latest']],
  ['~1.27', ['1.27', '1.27.9'], ['1.28', '1.27-alpine']],
  ['>=1.20.0-0', ['1.27-alpine', '1.20', '3'], ['1.19', 'edge']],
])('%s takes and leaves', (range, inside, outside) => {
  const takes = parseVersionRange(range);
  expect(inside.filter((tag) => !takes(tag))).toEqual([]);
  expect(outside.filter(takes)).toEqual([]);
});
