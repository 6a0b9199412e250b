import { RegtarError } from '../errors.ts';
import type { SparseRun } from './sparse.ts';

/**
 * What extended records say of the next real member. They wait for it, whatever other extended records stand between.
 * @see POSIX pax, "pax Extended Header"; GNU tar manual, "GNU Formats and sparse members"
 */
export interface Extended {
  path?: string;
  target?: string;
  size?: number;
  modified?: number;
  sparse?: SparseRecords;
}

/** `GNU.sparse.*` records, formats 0.0, 0.1 and 1.0. */
export interface SparseRecords {
  name?: string;
  /** Effective size in bytes. */
  realSize?: number;
  /** Formats 0.0 and 0.1 carry the map in the records; in 1.0 it begins the body. */
  runs: SparseRun[];
  isMapInBody: boolean;
}

/** Text of a GNU `L` or `K` record: up to the first NUL. */
export function parseLongText(body: Uint8Array): string {
  const nul = body.indexOf(0);
  return Buffer.from(body.buffer, body.byteOffset, nul < 0 ? body.length : nul).toString('utf8');
}

/**
 * Adds the records of one `x` or `g` member to `into`.
 * @throws RegtarError TAR_HEADER_INVALID when a record's length does not fit
 */
export function parsePax(body: Uint8Array, into: Extended): void {
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.length);
  let at = 0;
  let pendingOffset: number | undefined;
  while (at < buffer.length && buffer[at] !== 0) {
    const space = buffer.indexOf(32, at);
    const length = space < 0 ? Number.NaN : Number(buffer.toString('latin1', at, space));
    const end = at + length;
    if (!Number.isSafeInteger(length) || end <= space || end > buffer.length || buffer[end - 1] !== 10) throw invalid('a pax record has a wrong length');
    const equals = buffer.indexOf(61, space);
    if (equals < 0 || equals >= end) throw invalid('a pax record has no "="');
    const key = buffer.toString('utf8', space + 1, equals);
    const value = buffer.toString('utf8', equals + 1, end - 1);
    if (key === 'GNU.sparse.offset') pendingOffset = number(value);
    else if (key === 'GNU.sparse.numbytes') sparseOf(into).runs.push({ at: pendingOffset ?? 0, size: number(value) });
    else applyRecord(into, key, value);
    at = end;
  }
}

function applyRecord(into: Extended, key: string, value: string): void {
  switch (key) {
    case 'path':
      into.path = value;
      break;
    case 'linkpath':
      into.target = value;
      break;
    case 'size':
      into.size = number(value);
      break;
    case 'mtime':
      into.modified = Math.floor(Number(value)) || 0;
      break;
    case 'GNU.sparse.name':
      sparseOf(into).name = value;
      break;
    case 'GNU.sparse.size':
    case 'GNU.sparse.realsize':
      sparseOf(into).realSize = number(value);
      break;
    case 'GNU.sparse.major':
      sparseOf(into).isMapInBody = value !== '0';
      break;
    case 'GNU.sparse.map': {
      const numbers = value.split(',').map(number);
      for (let index = 0; index + 1 < numbers.length; index += 2) sparseOf(into).runs.push({ at: numbers[index] ?? 0, size: numbers[index + 1] ?? 0 });
      break;
    }
    default:
      // Owners, permissions, access times: nothing that a blob is made of.
      break;
  }
}

function sparseOf(into: Extended): SparseRecords {
  into.sparse ??= { runs: [], isMapInBody: false };
  return into.sparse;
}

function number(text: string): number {
  const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw invalid('a pax record holds no usable number');
  return value;
}

function invalid(reason: string): RegtarError {
  return new RegtarError('TAR_HEADER_INVALID', reason, { side: 'source' });
}
