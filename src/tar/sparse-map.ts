import { RegtarError } from '../errors.ts';
import { limits } from '../io/limits.ts';
import { readFullySync, type RandomAccess } from '../io/random-access.ts';
import type { Extended } from './extended.ts';
import { blockBytes, headerTypeFlag, parseNumber, typeFlags } from './header.ts';
import type { Member } from './member.ts';
import { placeRuns, readMapInBody, readOldGnuRuns, type SparseRun } from './sparse.ts';

interface SparseMap {
  readonly runs: readonly SparseRun[];
  /** Offset of the data behind the map. */
  readonly start: number;
  /** Effective size in bytes. */
  readonly realSize: number;
}

/**
 * Gives a sparse member its size and its runs.
 * @param position offset of the member's header, which lies at `at` in `buffer`
 * @param stored bytes that the header says the member occupies
 * @returns offset and size of the data
 * @throws RegtarError TAR_SPARSE when it cannot be read right
 */
export function placeSparse(
  access: Pick<RandomAccess, 'readSync'>,
  buffer: Buffer,
  at: number,
  extended: Extended | undefined,
  member: Member,
  stored: number,
  position: number,
): { readonly start: number; readonly size: number } {
  const isOldGnu = headerTypeFlag(buffer, at) === typeFlags.sparse && extended?.sparse === undefined;
  const { runs, start, realSize } = isOldGnu
    ? oldGnuMap(access, buffer, at, position)
    : paxMap(access, extended, member.start, stored);
  // The old form's size counts the data alone, the newer one's the map too.
  const size = isOldGnu ? stored : stored - (start - member.start);
  member.runs = placeRuns(runs, start, size, realSize);
  member.size = realSize;
  member.start = start;
  return { start, size };
}

function oldGnuMap(access: Pick<RandomAccess, 'readSync'>, buffer: Buffer, at: number, position: number): SparseMap {
  const runs: SparseRun[] = [];
  const realSize = parseNumber(buffer, at + 483, 12);
  if (realSize === undefined) throw invalid('it has no usable size');
  let start = position + blockBytes;
  let more = readOldGnuRuns(buffer, at + 386, 4, at + 482, runs);
  const block = Buffer.alloc(blockBytes);
  while (more) {
    if (readFullySync(access, block, 0, blockBytes, start) < blockBytes || runs.length > mostRuns)
      throw invalid('its map is cut or too long');
    more = readOldGnuRuns(block, 0, 21, 504, runs);
    start += blockBytes;
  }
  return { runs, start, realSize };
}

/** Four times as many as the largest map in a body can name. */
const mostRuns = limits.manifestBytes;

function paxMap(
  access: Pick<RandomAccess, 'readSync'>,
  extended: Extended | undefined,
  start: number,
  stored: number,
): SparseMap {
  const records = extended?.sparse;
  if (records?.realSize === undefined) throw invalid('it has no usable size');
  if (!records.isMapInBody) return { runs: records.runs, start, realSize: records.realSize };
  for (let length = 64 * 1024; ; length *= 4) {
    const body = new Uint8Array(Math.min(length, stored));
    const map = readMapInBody(body.subarray(0, readFullySync(access, body, 0, body.length, start)));
    if (map !== undefined) return { runs: map.runs, start: start + map.mapBytes, realSize: records.realSize };
    if (body.length >= stored || length > limits.manifestBytes) throw invalid('its map is cut or too long');
  }
}

function invalid(reason: string): RegtarError {
  return new RegtarError('TAR_SPARSE', `a sparse member cannot be read: ${reason}`, {
    hint: "make the backup again without tar's --sparse",
  });
}
