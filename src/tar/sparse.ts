import { RegtarError } from '../errors.ts';
import { blockBytes, parseNumber } from './header.ts';

/** A run of data inside a sparse file: `at` is its offset in the file; between runs there are zeros. Both in bytes. */
export interface SparseRun {
  readonly at: number;
  readonly size: number;
}

/** Where a run's bytes lie in the archive. */
export interface PlacedRun extends SparseRun {
  readonly start: number;
}

/**
 * What ext4 takes at most, in bytes: 16 TiB. A header of 512 bytes may claim 8 PiB of zeros, which no reader should
 * have to produce.
 */
const largestFile = 2 ** 44;

/**
 * Gives each run its place, one after the other.
 * @throws RegtarError TAR_SPARSE when runs overlap, run backwards or leave the file
 */
export function placeRuns(
  runs: readonly SparseRun[],
  start: number,
  storedSize: number,
  realSize: number,
): PlacedRun[] {
  if (realSize > largestFile) throw invalid(`it claims ${realSize} bytes, which is more than a file can have`);
  const placed: PlacedRun[] = [];
  let position = start;
  let previousEnd = 0;
  for (const run of runs) {
    if (run.size === 0) continue;
    if (run.at < previousEnd || run.at + run.size > realSize) throw invalid('its map does not fit its size');
    placed.push({ ...run, start: position });
    position += run.size;
    previousEnd = run.at + run.size;
  }
  if (position - start > storedSize) throw invalid('its map needs more bytes than are stored');
  return placed;
}

/**
 * Reads the runs of an old GNU header (`n` entries of 24 bytes from `at` on).
 * @returns whether a further block of entries follows
 * @see GNU tar manual, "Old GNU Format"
 */
export function readOldGnuRuns(block: Buffer, at: number, count: number, flagAt: number, into: SparseRun[]): boolean {
  for (let index = 0; index < count; index++) {
    const entry = at + index * 24;
    if (block[entry] === 0) break;
    const offset = parseNumber(block, entry, 12);
    const size = parseNumber(block, entry + 12, 12);
    if (offset === undefined || size === undefined) throw invalid('its map holds no usable number');
    into.push({ at: offset, size });
  }
  return (block[flagAt] ?? 0) !== 0;
}

/**
 * Reads the map that begins the body in format 1.0: decimal lines, the count first, then offset and size of each run,
 * padded to a block.
 * @returns undefined while `body` is too short to hold the whole map
 */
export function readMapInBody(
  body: Uint8Array,
): { readonly runs: readonly SparseRun[]; readonly mapBytes: number } | undefined {
  let at = 0;
  const next = (): number | undefined => {
    const end = body.indexOf(10, at);
    if (end < 0) return undefined;
    const text = Buffer.from(body.buffer, body.byteOffset + at, end - at).toString('latin1');
    if (!/^[0-9]{1,16}$/.test(text)) throw invalid('its map holds no usable number');
    at = end + 1;
    return Number(text);
  };
  const count = next();
  if (count === undefined) return undefined;
  const runs: SparseRun[] = [];
  for (let index = 0; index < count; index++) {
    const offset = next();
    const size = offset === undefined ? undefined : next();
    if (offset === undefined || size === undefined) return undefined;
    runs.push({ at: offset, size });
  }
  return { runs, mapBytes: Math.ceil(at / blockBytes) * blockBytes };
}

function invalid(reason: string): RegtarError {
  return new RegtarError('TAR_SPARSE', `a sparse member cannot be read: ${reason}`, {
    hint: "make the backup again without tar's --sparse",
  });
}
