import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { RegtarError } from '../errors.ts';
import { concatRandomAccess, openRandomAccess } from '../io/random-access.ts';
import { skipZeros } from '../tar/resynchronise.ts';
import { findEndMark } from '../tar/scan.ts';
import { beginningOf, endsInZeros, isPlainFile, type PartBeginning } from './part-bytes.ts';
import {
  countFrom,
  firstSuffix,
  isFileEnding,
  isFirstSuffix,
  nextSuffixes,
  parsePartName,
  suffixesBeside,
  type PartName,
} from './part-names.ts';

/**
 * Finds the parts of a backup that was cut into files: `docker.tar.aa`, `.ab`, … (split), `.000`, `.001`, … (split -d,
 * 7-Zip), `.part1`, …. Names only say what may belong together; bytes decide. Backups that a log rotation numbered are
 * archives of their own.
 * @param path any of them
 * @returns all of them, in order; undefined when the file is a backup of its own
 * @throws RegtarError SOURCE_PART_MISSING, naming the first one that is not there
 */
export async function findParts(path: string, signal?: AbortSignal): Promise<readonly string[] | undefined> {
  const name = parsePartName(basename(path));
  if (name === undefined || !isPlainFile(path)) return undefined;
  const folder = dirname(path);
  const pathOf = (suffix: string): string => join(folder, `${name.stem}${suffix}`);
  const suffixes = suffixesBeside(namesIn(folder), name).filter((suffix) => isPlainFile(pathOf(suffix)));
  if (suffixes.length === 1) return undefined;
  const runs = countedRuns(suffixes, name);
  const run = runs.find((suffixesOfRun) => suffixesOfRun.includes(name.suffix)) ?? [name.suffix];
  const candidates: Candidate[] = [];
  for (const suffix of run)
    candidates.push({ suffix, path: pathOf(suffix), beginning: await beginningOf(pathOf(suffix)) });
  const parts = await partsAround(candidates, pathOf(name.suffix), signal);
  await refuseGap(parts, runs, name, pathOf);
  return parts.length === 1 ? undefined : parts.map((part) => part.path);
}

/** @throws RegtarError SOURCE_PART_MISSING for a first part that was named and is not there while others are */
export async function refuseMissingFirst(path: string): Promise<void> {
  const name = parsePartName(basename(path));
  if (name === undefined) return;
  const folder = dirname(path);
  for (const suffix of suffixesBeside(namesIn(folder), name)) {
    const other = join(folder, `${name.stem}${suffix}`);
    if (suffix !== name.suffix && isContinuation(await beginningOf(other))) throw missingPart(path, other);
  }
}

function missingPart(missing: string, other: string): RegtarError {
  return new RegtarError('SOURCE_PART_MISSING', `${missing} is missing, although ${other} is there`, {
    where: { path: missing },
    hint: 'put all parts into one folder; their sizes must be those of the originals',
  });
}

interface Candidate {
  readonly suffix: string;
  readonly path: string;
  readonly beginning: PartBeginning;
}

/** What no archive begins with, and no other file that says what it is. */
function isContinuation({ kind }: PartBeginning): boolean {
  return kind === 'data' || kind === 'zeros';
}

/** Names that follow each other without a gap. */
function countedRuns(suffixes: readonly string[], { kind }: PartName): readonly (readonly string[])[] {
  const all = new Set(suffixes);
  const used = new Set<string>();
  const runs: (readonly string[])[] = [];
  for (const suffix of suffixes) {
    if (used.has(suffix)) continue;
    const run = countFrom(suffix, all, kind);
    run.forEach((each) => used.add(each));
    runs.push(run);
  }
  return runs;
}

/** The candidates that are one archive with `path`. */
async function partsAround(
  candidates: readonly Candidate[],
  path: string,
  signal: AbortSignal | undefined,
): Promise<readonly Candidate[]> {
  for (let rest = candidates; ;) {
    const length = await lengthOfFirst(rest.slice(0, beginsAnew(rest)), signal);
    const parts = rest.slice(0, length);
    if (parts.some((part) => part.path === path) || length === rest.length) return parts;
    rest = rest.slice(length);
  }
}

/** @returns how many candidates go before the next that is plainly the beginning of another archive */
function beginsAnew([first, ...others]: readonly Candidate[]): number {
  const start = first?.beginning;
  // Notes beside a backup, numbered like it.
  if (start?.kind === 'foreign' && others.some(({ beginning }) => beginning.kind === 'tar')) return 1;
  const next = others.findIndex(
    ({ beginning }) =>
      beginning.kind === 'packed' ||
      // An archive has its first member once.
      (beginning.kind === 'tar' && start?.kind === 'tar' && beginning.path === start.path),
  );
  return next < 0 ? others.length + 1 : next + 1;
}

/**
 * Where a part begins like a tar, or one ends like it, headers are followed from the beginning: an archive that ends
 * with one part has its end mark there.
 * @returns how many candidates the first archive takes
 */
async function lengthOfFirst(candidates: readonly Candidate[], signal: AbortSignal | undefined): Promise<number> {
  if (candidates[0]?.beginning.kind !== 'tar' || !(await isAmbiguous(candidates))) return candidates.length;
  const pieces = [];
  try {
    for (const { path } of candidates) pieces.push(openRandomAccess(path));
    const starts: number[] = [];
    pieces.reduce((start, { size }) => (starts.push(start), start + size), 0);
    const access = concatRandomAccess(pieces);
    for (let from = 0; ;) {
      const end = await findEndMark(access, from, signal);
      if (end === undefined) return candidates.length;
      // Archives may follow each other inside one file, too: that is what `cat` makes.
      from = skipZeros(access, end, signal);
      const next = starts.indexOf(from);
      if (next > 0) return next;
      if (from >= access.size) return candidates.length;
    }
  } finally {
    pieces.forEach((piece) => piece.close());
  }
}

async function isAmbiguous(candidates: readonly Candidate[]): Promise<boolean> {
  for (const [index, { beginning, path }] of candidates.entries()) {
    if (index > 0 && beginning.kind === 'tar') return true;
    const next = candidates[index + 1];
    if (next !== undefined && next.beginning.kind !== 'zeros' && (await endsInZeros(path))) return true;
  }
  return false;
}

/**
 * Parts that are named like those of an archive, and of which one is not there.
 * @throws RegtarError SOURCE_PART_MISSING
 */
async function refuseGap(
  parts: readonly Candidate[],
  runs: readonly (readonly string[])[],
  name: PartName,
  pathOf: (suffix: string) => string,
): Promise<void> {
  const [first] = parts;
  const last = parts.at(-1);
  if (first === undefined || last === undefined) return;
  if (isFirstSuffix(first.suffix, name.kind)) {
    const next = runs
      .slice(runs.findIndex((run) => run.includes(first.suffix)) + 1)
      .find(([start = '', second]) => second !== undefined || !isFileEnding(start))?.[0];
    if (next === undefined || next.length < last.suffix.length || (await isComplete(first, last))) return;
    const { kind } = await beginningOf(pathOf(next));
    // The middle of an archive may look like text; so do notes beside a backup with one digit.
    const isSet = first.beginning.kind === 'foreign' || parts.length > 1 || first.suffix.length > 1;
    const mayFollow = kind === 'data' || kind === 'zeros' || (kind === 'foreign' && isSet);
    if (mayFollow) throw missingPart(pathOf(after(last.suffix, name)), pathOf(next));
    return;
  }
  const isCounted = parts.length > 1 || looksCounted(first.suffix, name);
  if (!isCounted || (!isContinuation(first.beginning) && parts.length === 1)) return;
  if (!isContinuation(first.beginning) && (await isComplete(first, last))) return;
  const before = runs[runs.findIndex((run) => run.includes(first.suffix)) - 1]?.at(-1);
  const isGap = before !== undefined && before.length === first.suffix.length;
  throw missingPart(pathOf(isGap ? after(before, name) : firstSuffix(first.suffix, name.kind)), first.path);
}

/** `ab` is what comes after `aa`; `bak` and `20231001` are words and dates. */
function looksCounted(suffix: string, { kind }: PartName): boolean {
  return kind === 'letters' ? suffix.startsWith('a') : suffix.length < 6;
}

function after(suffix: string, { kind }: PartName): string {
  return nextSuffixes(suffix, kind)[0] ?? suffix;
}

async function isComplete(first: Candidate, last: Candidate): Promise<boolean> {
  return first.beginning.kind === 'tar' && (await endsInZeros(last.path));
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // The folder may be closed to us while the file itself is not.
    return [];
  }
}
