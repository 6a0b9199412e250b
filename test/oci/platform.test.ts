import { describe, expect, it } from 'vitest';
import {
  formatPlatform,
  hostPlatform,
  isUnknownPlatform,
  parsePlatform,
  platformMatches,
} from '../../src/oci/platform.ts';

describe('platforms as text', () => {
  it.each([
    ['linux/amd64', { os: 'linux', architecture: 'amd64' }],
    ['linux/arm/v7', { os: 'linux', architecture: 'arm', variant: 'v7' }],
    ['windows/amd64', { os: 'windows', architecture: 'amd64' }],
  ])('%s', (text, platform) => {
    expect(parsePlatform(text)).toEqual(platform);
    expect(formatPlatform(platform)).toBe(text);
  });

  it.each(['', 'linux', 'linux/', '/amd64', 'linux/arm/', 'linux/arm/v7/x', '//'])('%j is none', (text) => {
    expect(() => parsePlatform(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('an empty variant is none', () =>
    expect(formatPlatform({ os: 'linux', architecture: 'amd64', variant: '' })).toBe('linux/amd64'));
});

it.each([
  ['linux/amd64', 'linux/amd64', true],
  ['linux/amd64', 'linux/arm64', false],
  ['linux/amd64', 'windows/amd64', false],
  // Images say arm64 or arm64/v8 and mean the same.
  ['linux/arm64', 'linux/arm64/v8', true],
  ['linux/arm64/v8', 'linux/arm64', true],
  ['linux/arm64/v9', 'linux/arm64', false],
  ['linux/arm', 'linux/arm/v7', true],
  ['linux/arm/v7', 'linux/arm', true],
  ['linux/arm/v6', 'linux/arm/v7', false],
])('asked for %s, %s matches: %s', (wanted, actual, expected) => {
  expect(platformMatches(parsePlatform(wanted), parsePlatform(actual))).toBe(expected);
});

it('unknown/unknown is what no machine runs', () => {
  expect(isUnknownPlatform({ os: 'unknown', architecture: 'unknown' })).toBe(true);
  expect(isUnknownPlatform({ os: 'linux', architecture: 'unknown' })).toBe(false);
  expect(isUnknownPlatform(undefined)).toBe(false);
});

it("the host's platform is in the words of images", () =>
  expect(formatPlatform(hostPlatform())).toMatch(/^linux\/(?:amd64|arm64|386|arm|ppc64le|s390x|riscv64|loong64)$/));
