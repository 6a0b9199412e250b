import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { RegtarError } from '../errors.ts';
import { compareCodePoints } from '../oci/reference.ts';

/**
 * Finds the parts of a backup that was cut into files: `docker.tar.aa`, `.ab`, … (split), `.000`, `.001`, … (split -d, 7-Zip), `.part1`, ….
 * @param path any of them
 * @returns all of them, in order; undefined when the name is that of no part, or of a part that has no others
 * @throws RegtarError SOURCE_PART_MISSING, naming the first one that is not there
 */
export function findParts(path: string): readonly string[] | undefined {
  const name = parsePartName(basename(path));
  if (name === undefined || isExtension(name.suffix)) return undefined;
  const folder = dirname(path);
  const suffixes = new Set(namesIn(folder).flatMap((other) => suffixOf(other, name)));
  suffixes.add(name.suffix);
  if (suffixes.size === 1) return undefined;
  const ordered = inOrder([...suffixes], name.kind);
  const pathOf = (suffix: string): string => join(folder, `${name.stem}${suffix}`);
  const present = new Set<string>();
  let expected = firstSuffix(ordered, name.kind);
  for (;;) {
    const found = expected.find((suffix) => suffixes.has(suffix));
    if (found === undefined) break;
    present.add(found);
    expected = nextSuffixes(found, name.kind);
  }
  const [missing] = expected;
  // `docker.tar.gz` beside `docker.tar.aa` is a part only where everything up to `gy` is there.
  const left = ordered.find((suffix) => !present.has(suffix) && !isExtension(suffix));
  if (left !== undefined && missing !== undefined) throw missingPart(pathOf(missing), pathOf(left));
  return [...present].map(pathOf);
}

/** @throws RegtarError SOURCE_PART_MISSING for a first part that was named and is not there while others are */
export function refuseMissingFirst(path: string): void {
  const name = parsePartName(basename(path));
  if (name === undefined || isExtension(name.suffix)) return;
  const other = namesIn(dirname(path)).find((candidate) =>
    suffixOf(candidate, name).some((suffix) => !isExtension(suffix)),
  );
  if (other !== undefined) throw missingPart(path, join(dirname(path), other));
}

function missingPart(missing: string, other: string): RegtarError {
  return new RegtarError('SOURCE_PART_MISSING', `${missing} is missing, although ${other} is there`, {
    where: { path: missing },
    hint: 'put all parts into one folder; their sizes must be those of the originals',
  });
}

type PartKind = 'letters' | 'digits';

interface PartName {
  readonly stem: string;
  readonly suffix: string;
  readonly kind: PartKind;
}

/** A dot or `part` must stand before the suffix: `a.tar` and `mirror_000001.tar` are no parts. */
function parsePartName(name: string): PartName | undefined {
  const match = /^(.+\.)([a-z]{2,6})$/.exec(name) ?? /^(.+[._-](?:part[._-]?)?)([0-9]{1,8})$/.exec(name);
  const [, stem, suffix] = match ?? [];
  if (stem === undefined || suffix === undefined) return undefined;
  return { stem, suffix, kind: /^[0-9]/.test(suffix) ? 'digits' : 'letters' };
}

/** What ends the names of whole files. */
function isExtension(suffix: string): boolean {
  return /^(?:tar|tgz|tzst|gz|zst|xz|bz|lz|zip|img|iso|txt|json|bin)$/.test(suffix);
}

function suffixOf(other: string, name: PartName): string[] {
  if (!other.startsWith(name.stem)) return [];
  const suffix = other.slice(name.stem.length);
  return (name.kind === 'letters' ? /^[a-z]{2,6}$/ : /^[0-9]{1,8}$/).test(suffix) ? [suffix] : [];
}

function inOrder(suffixes: readonly string[], kind: PartKind): readonly string[] {
  return [...suffixes].sort(
    (left, right) =>
      (kind === 'digits' ? Number(left) - Number(right) : left.length - right.length) || compareCodePoints(left, right),
  );
}

function firstSuffix(ordered: readonly string[], kind: PartKind): readonly string[] {
  const [first = ''] = ordered;
  if (kind === 'letters') return ['a'.repeat(ordered[0]?.length ?? 2)];
  // Some count from 0, some from 1.
  return [Number(first) <= 1 ? first : '1'.padStart(first.length, '0')];
}

/** What may follow, the likelier first. split widens its suffixes before they run out: `yz` is followed by `zaaa`, `89` by `9000`. */
function nextSuffixes(suffix: string, kind: PartKind): readonly string[] {
  const [first, beforeLast, last] = kind === 'digits' ? ['0', '8', '9'] : ['a', 'y', 'z'];
  const plain = kind === 'digits' ? String(Number(suffix) + 1).padStart(suffix.length, '0') : nextLetters(suffix);
  const wide = new RegExp(`^(${last}*)${beforeLast}${last}+$`).exec(suffix)?.[1];
  const widened =
    wide !== undefined && suffix.length === 2 * wide.length + 2
      ? [last.repeat(wide.length + 1) + first.repeat(wide.length + 3)]
      : [];
  return [...(plain === undefined ? [] : [plain]), ...widened];
}

function nextLetters(suffix: string): string | undefined {
  const last = suffix.charCodeAt(suffix.length - 1);
  if (suffix === '') return undefined;
  if (last < 122 /* z */) return suffix.slice(0, -1) + String.fromCharCode(last + 1);
  const front = nextLetters(suffix.slice(0, -1));
  return front === undefined ? undefined : `${front}a`;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // The folder may be closed to us while the file itself is not.
    return [];
  }
}
