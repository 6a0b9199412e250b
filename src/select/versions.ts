import compare from 'semver/functions/compare.js';
import parse from 'semver/functions/parse.js';
import Range from 'semver/classes/range.js';
import type { SemVer } from 'semver';
import { RegtarError } from '../errors.ts';

const versionPattern = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(-[0-9A-Za-z.-]+)?(?:[+_]([0-9A-Za-z.-]+))?$/;

/**
 * Reads a tag as a version. `1.27` is 1.27.0, a leading `v` does not count, `1.27-alpine` is a prerelease, and the `_`
 * that Helm writes where tags allow no `+` begins build metadata.
 * @returns undefined where a tag is not a version
 */
export function parseVersion(tag: string): SemVer | undefined {
  const match = versionPattern.exec(tag);
  if (match === null) return undefined;
  const [, major = '0', minor = '0', patch = '0', prerelease = '', build] = match;
  return parse(`${major}.${minor}.${patch}${prerelease}${build === undefined ? '' : `+${build}`}`) ?? undefined;
}

/** Whether a tag can be read as a version. */
export function isVersion(tag: string): boolean {
  return parseVersion(tag) !== undefined;
}

/** Ascending; tags that are not versions come before all that are. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [parseVersion(left), parseVersion(right)];
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  return compare(a, b);
}

/**
 * Reads a range such as `>=1.20 <2` or `~1.27`. Prereleases, variants such as `1.27-alpine` among them, match where the
 * range itself names a prerelease: `>=1.20.0-0`.
 * @returns whether a tag is in it
 * @throws RegtarError USAGE
 */
export function parseVersionRange(text: string): (tag: string) => boolean {
  const range = rangeOf(text);
  return (tag) => {
    const version = parseVersion(tag);
    return version !== undefined && range.test(version);
  };
}

function rangeOf(text: string): Range {
  try {
    return new Range(text, { includePrerelease: /\d-[0-9A-Za-z]/.test(text) });
  } catch (cause) {
    throw new RegtarError('USAGE', `"${text}" is not a range of versions`, {
      cause,
      hint: "write it as npm does: '>=1.20 <2', '~1.27', '1.x || 3.x'",
    });
  }
}
