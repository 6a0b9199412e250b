import { compareCodePoints } from '../oci/reference.ts';

/** How parts are counted: `aa`, `ab`, … or `1`, `2`, …. */
export type PartKind = 'letters' | 'digits';

/** A file name that may be that of a part. */
export interface PartName {
  readonly stem: string;
  readonly suffix: string;
  readonly kind: PartKind;
}

/**
 * Reads a name as that of a part: `docker.tar.aa` (split), `.000` (split -d, 7-Zip), `.part1`, `-1`.
 * @returns undefined for names that cannot be one: a dot or `part` must stand before the suffix, and `.tar` or `.gz` is
 * none
 */
export function parsePartName(name: string): PartName | undefined {
  const match = /^(.+\.)([a-z]{2,6})$/.exec(name) ?? /^(.+[._-](?:part[._-]?)?)([0-9]{1,8})$/.exec(name);
  const [, stem, suffix] = match ?? [];
  if (stem === undefined || suffix === undefined || isFileEnding(suffix)) return undefined;
  return { stem, suffix, kind: /^[0-9]/.test(suffix) ? 'digits' : 'letters' };
}

/** What ends the names of whole files; `bz` and `gz` may be counted, too. */
export function isFileEnding(suffix: string): boolean {
  return /^(?:tar|tgz|tzst|gz|zst|xz|bz|lz|zip|img|iso|txt|json|bin)$/.test(suffix);
}

/** The suffixes of everything that may belong to the same parts, in order, `name`'s own among them. */
export function suffixesBeside(names: readonly string[], name: PartName): readonly string[] {
  const form = name.kind === 'letters' ? /^[a-z]{2,6}$/ : /^[0-9]{1,8}$/;
  const suffixes = new Set([name.suffix]);
  for (const other of names) {
    if (!other.startsWith(name.stem)) continue;
    const suffix = other.slice(name.stem.length);
    if (form.test(suffix)) suffixes.add(suffix);
  }
  return [...suffixes].sort(
    (left, right) =>
      (name.kind === 'digits' ? Number(left) - Number(right) : left.length - right.length) ||
      compareCodePoints(left, right),
  );
}

/** Whether counting begins here: at `aa`, at 0 or at 1. */
export function isFirstSuffix(suffix: string, kind: PartKind): boolean {
  return kind === 'letters' ? /^a+$/.test(suffix) : Number(suffix) <= 1;
}

/** Where counting would begin that reaches `suffix`. */
export function firstSuffix(suffix: string, kind: PartKind): string {
  return kind === 'letters' ? 'a'.repeat(suffix.length) : '1'.padStart(suffix.length, '0');
}

/** The suffixes that follow each other without a gap, from `start` on. */
export function countFrom(start: string, suffixes: ReadonlySet<string>, kind: PartKind): readonly string[] {
  const run: string[] = [];
  for (let next: string | undefined = start; next !== undefined;) {
    run.push(next);
    next = nextSuffixes(next, kind).find((suffix) => suffixes.has(suffix));
  }
  return run;
}

/**
 * What may follow, the likelier first. split widens its suffixes before they run out: `yz` is followed by `zaaa`, `89`
 * by `9000`.
 */
export function nextSuffixes(suffix: string, kind: PartKind): readonly string[] {
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
