import { RegtarError, type ErrorCode } from '../errors.ts';
import { typeFlags } from './header.ts';
import type { SparseRun } from './sparse.ts';

/** A name of more than this is an attack or damage, and would be held in memory. */
export const longTextBytes = 1024 * 1024;

/**
 * What extended records say of the next real member. They wait for it, over other extended records in between.
 * @see POSIX pax, "pax Extended Header"; GNU tar manual, "GNU Formats and sparse members"
 */
export interface Extended {
  path?: string | undefined;
  target?: string | undefined;
  size?: number | undefined;
  modified?: number | undefined;
  sparse?: SparseRecords;
  /** A record could not be read: the next member's name or size is not known, so the member must not be used. */
  isUnusable?: boolean;
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

/** Whether a member is not a file of its own but says something of the next one. */
export function isExtension(typeFlag: number): boolean {
  return (
    typeFlag === typeFlags.longName ||
    typeFlag === typeFlags.longLink ||
    typeFlag === typeFlags.pax ||
    typeFlag === typeFlags.solarisPax ||
    typeFlag === typeFlags.paxGlobal
  );
}

/**
 * Adds what one extended member says to `into`.
 * @param bytes its body, or undefined when it is longer than `longTextBytes`
 * @returns what is wrong with it; the next member is unusable then
 */
export function readExtension(
  typeFlag: number,
  bytes: Uint8Array | undefined,
  into: Extended,
): { readonly code: ErrorCode; readonly message: string } | undefined {
  if (bytes === undefined) {
    into.isUnusable = true;
    return { code: 'TAR_NAME_TOO_LONG', message: 'an extended header is too long' };
  }
  try {
    if (typeFlag === typeFlags.longName) into.path = parseLongText(bytes);
    else if (typeFlag === typeFlags.longLink) into.target = parseLongText(bytes);
    else parsePax(bytes, into);
    return undefined;
  } catch (error) {
    if (!(error instanceof RegtarError)) throw error;
    into.isUnusable = true;
    return { code: error.code, message: error.message };
  }
}

/** What holds for the next member: its own records before the global ones. @returns undefined when there are none */
export function recordsFor(globals: Extended | undefined, next: Extended | undefined): Extended | undefined {
  return globals === undefined || next === undefined ? (next ?? globals) : { ...globals, ...next };
}

/** Text of a GNU `L` or `K` record: up to the first NUL. */
function parseLongText(body: Uint8Array): string {
  const nul = body.indexOf(0);
  return Buffer.from(body.buffer, body.byteOffset, nul < 0 ? body.length : nul).toString('utf8');
}

/**
 * Adds the records of one `x` or `g` member to `into`.
 * @throws RegtarError TAR_HEADER_INVALID when a record's length does not fit
 */
function parsePax(body: Uint8Array, into: Extended): void {
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.length);
  let at = 0;
  let pendingOffset: number | undefined;
  while (at < buffer.length && buffer[at] !== 0) {
    const space = buffer.indexOf(32, at);
    const length = space < 0 ? Number.NaN : Number(buffer.toString('latin1', at, space));
    const end = at + length;
    if (!Number.isSafeInteger(length) || end <= space || end > buffer.length || buffer[end - 1] !== 10)
      throw invalid('a pax record has a wrong length');
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
  // An empty value takes back what a global record said.
  if (value === '') return forget(into, key);
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
    case 'SCHILY.realsize':
    case 'SUN.holesdata':
      // Sparse forms of other tars: the map that follows is none of GNU's, so the member must be refused.
      sparseOf(into);
      break;
    case 'GNU.sparse.map': {
      const numbers = value.split(',').map(number);
      for (let index = 0; index + 1 < numbers.length; index += 2)
        sparseOf(into).runs.push({ at: numbers[index] ?? 0, size: numbers[index + 1] ?? 0 });
      break;
    }
    default:
      // Owners, permissions, access times: nothing that a blob is made of.
      break;
  }
}

function forget(into: Extended, key: string): void {
  if (key === 'path') into.path = undefined;
  else if (key === 'linkpath') into.target = undefined;
  else if (key === 'size') into.size = undefined;
  else if (key === 'mtime') into.modified = undefined;
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
  return new RegtarError('TAR_HEADER_INVALID', reason);
}
