import { setImmediate as nextTurn } from 'node:timers/promises';
import { RegtarError, type Problem } from '../errors.ts';
import { limits } from '../io/limits.ts';
import { readFullySync, type RandomAccess } from '../io/random-access.ts';
import { parseLongText, parsePax, type Extended } from './extended.ts';
import { blockBytes, headerLinkName, headerModified, headerName, headerSize, headerTypeFlag, isHeaderValid, isZeroBlock, paddedSize, parseNumber, typeFlags } from './header.ts';
import { findNextHeader } from './resynchronise.ts';
import { placeRuns, readMapInBody, readOldGnuRuns, type PlacedRun, type SparseRun } from './sparse.ts';
import { openWindow, type Window } from './window.ts';

export type MemberKind = 'file' | 'hardlink' | 'symlink' | 'directory' | 'other';

/** One real member. The object is reused for the next: keep its fields, never the member. */
export interface Member {
  path: string;
  kind: MemberKind;
  /** Target of a link as stored; empty for other kinds. */
  target: string;
  /** Seconds since 1970. */
  modified: number;
  /** Effective size in bytes. */
  size: number;
  /** Offset of the body. */
  start: number;
  /** Data runs of a sparse member. */
  runs: readonly PlacedRun[] | undefined;
  /** The body of files up to `limits.linkBytes`, valid until the visitor returns. */
  bytes: Uint8Array | undefined;
}

export interface ScanOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the offset reached. */
  readonly onProgress?: ((offset: number) => void) | undefined;
  /** Where to begin and where to stop, for readers of one part of an archive. */
  readonly from?: number;
}

/** A name of more than this is an attack or damage, and would be held in memory. */
const longTextBytes = 1024 * 1024;
/** GNU tar pads with zeros to its blocking factor; more zeros than any factor makes are damage. */
const plausiblePadding = 1024 * 1024;
const membersPerTurn = 4096;

/**
 * Hops from header to header with positioned reads and visits every member; bodies of files are not read, except for small ones
 * that lie in the window anyway.
 * @returns damage: cuts, gaps, members that cannot be read. What is whole has been visited.
 * @see docs/storage.md
 */
export async function scanTar(access: RandomAccess, visit: (member: Member) => void, options: ScanOptions = {}): Promise<Problem[]> {
  const problems: Problem[] = [];
  const window = openWindow(access);
  const member: Member = { path: '', kind: 'other', target: '', modified: 0, size: 0, start: 0, runs: undefined, bytes: undefined };
  const globals: Extended = {};
  let next: Extended = {};
  let position = options.from ?? 0;
  let isEnded = false;

  for (let count = 1; position < access.size; count++) {
    if (count % membersPerTurn === 0) {
      options.onProgress?.(position);
      await nextTurn();
      options.signal?.throwIfAborted();
    }
    const at = window.load(position, blockBytes);
    if (at === undefined) {
      if (!isEnded) problems.push(cut(position, 'inside a header'));
      return problems;
    }
    if (window.buffer[at] === 0 && isZeroBlock(window.words, at)) {
      const found = findNextHeader(access, position + blockBytes, options.signal);
      if (found.position - position > plausiblePadding && found.position < access.size) problems.push(gap(position, found.position, 'holds zeros only'));
      if (found.position >= access.size && found.hasRubbish) problems.push(gap(position, access.size, 'is no part of the archive'));
      if (found.position < access.size && found.hasRubbish) problems.push(gap(position, found.position, 'holds no header'));
      isEnded = true;
      next = {};
      position = found.position;
      continue;
    }
    const size = isHeaderValid(window.buffer, window.words, at) ? headerSize(window.buffer, at) : undefined;
    if (size === undefined) {
      const found = findNextHeader(access, position + blockBytes, options.signal);
      problems.push(gap(position, found.position, isEnded ? 'is no part of the archive' : 'has no valid header'));
      next = {};
      position = found.position;
      continue;
    }
    isEnded = false;
    const typeFlag = headerTypeFlag(window.buffer, at);
    const body = position + blockBytes;
    if (isExtension(typeFlag)) {
      if (body + size > access.size) {
        problems.push(cut(access.size, 'inside an extended header'));
        return problems;
      }
      readExtension(access, window, typeFlag, body, size, typeFlag === typeFlags.paxGlobal ? globals : next, position, problems);
      position = body + paddedSize(size);
      continue;
    }
    const extended = hasRecords(globals) ? { ...globals, ...next } : next;
    next = {};
    const stored = extended.size ?? size;
    fillMember(member, window.buffer, at, typeFlag, extended, body, stored);
    let bodyStart = body;
    let isReadable = true;
    if (typeFlag === typeFlags.sparse || extended.sparse !== undefined) {
      const end = placeSparse(access, window.buffer, at, typeFlag, extended, member, stored, position, problems);
      isReadable = end !== undefined;
      bodyStart = end ?? body;
    }
    const occupied = hasBody(member.kind, typeFlag) ? stored - (typeFlag === typeFlags.sparse ? 0 : bodyStart - body) : 0;
    if (bodyStart + occupied > access.size) {
      problems.push({ ...cut(access.size, `inside ${member.path}`), path: member.path });
      return problems;
    }
    if (member.kind === 'file' && isReadable && member.size <= limits.linkBytes && member.runs === undefined) {
      // Loading may move the window: nothing of the header is needed any more.
      const bytesAt = member.size === 0 ? 0 : window.load(bodyStart, member.size);
      member.bytes = bytesAt === undefined ? undefined : window.buffer.subarray(bytesAt, bytesAt + member.size);
    }
    if (isReadable) visit(member);
    position = bodyStart + paddedSize(occupied);
  }
  if (!isEnded && access.size > 0) {
    problems.push({ code: 'TAR_CUT', offset: access.size, message: `the archive ends at byte ${access.size} without an end-of-archive mark: it may have been cut there` });
  }
  options.onProgress?.(access.size);
  return problems;
}

function isExtension(typeFlag: number): boolean {
  return typeFlag === typeFlags.longName || typeFlag === typeFlags.longLink || typeFlag === typeFlags.pax || typeFlag === typeFlags.solarisPax || typeFlag === typeFlags.paxGlobal;
}

function readExtension(access: RandomAccess, window: Window, typeFlag: number, start: number, size: number, into: Extended, position: number, problems: Problem[]): void {
  if (size > longTextBytes) {
    problems.push({ code: 'TAR_NAME_TOO_LONG', offset: position, message: `an extended header of ${size} bytes at byte ${position} was passed over` });
    return;
  }
  const at = size <= 16 * 1024 ? window.load(start, size) : undefined;
  let bytes: Uint8Array;
  if (at === undefined) {
    bytes = new Uint8Array(size);
    readFullySync(access, bytes, 0, size, start);
  } else bytes = window.buffer.subarray(at, at + size);
  try {
    if (typeFlag === typeFlags.longName) into.path = parseLongText(bytes);
    else if (typeFlag === typeFlags.longLink) into.target = parseLongText(bytes);
    else parsePax(bytes, into);
  } catch (error) {
    if (!(error instanceof RegtarError)) throw error;
    problems.push({ code: error.code, offset: position, message: `${error.message} (extended header at byte ${position})` });
  }
}

function fillMember(member: Member, buffer: Buffer, at: number, typeFlag: number, extended: Extended, body: number, stored: number): void {
  member.path = extended.sparse?.name ?? extended.path ?? headerName(buffer, at);
  member.kind = memberKind(typeFlag, member.path);
  member.target = member.kind === 'hardlink' || member.kind === 'symlink' ? (extended.target ?? headerLinkName(buffer, at)) : '';
  member.modified = extended.modified ?? headerModified(buffer, at);
  member.size = member.kind === 'file' ? stored : 0;
  member.start = body;
  member.runs = undefined;
  member.bytes = undefined;
}

function memberKind(typeFlag: number, path: string): MemberKind {
  switch (typeFlag) {
    case typeFlags.file:
    case typeFlags.fileOld:
      // Before ustar a folder was a file whose name ends with a slash.
      return path.endsWith('/') ? 'directory' : 'file';
    case typeFlags.contiguous:
    case typeFlags.sparse:
      return 'file';
    case typeFlags.hardlink:
      return 'hardlink';
    case typeFlags.symlink:
      return 'symlink';
    case typeFlags.directory:
      return 'directory';
    default:
      return 'other';
  }
}

/** Links carry no body even where old writers filled in the size of what they link to. */
function hasBody(kind: MemberKind, typeFlag: number): boolean {
  return kind === 'file' || (kind === 'other' && typeFlag !== 51 && typeFlag !== 52 && typeFlag !== 54) || (kind === 'directory' && typeFlag !== typeFlags.directory);
}

/** @returns where the data begins, or undefined when the member cannot be read right */
function placeSparse(access: RandomAccess, buffer: Buffer, at: number, typeFlag: number, extended: Extended, member: Member, stored: number, position: number, problems: Problem[]): number | undefined {
  try {
    const { runs, start, realSize } = typeFlag === typeFlags.sparse ? oldGnuMap(access, buffer, at, position) : paxMap(access, extended, member.start, stored);
    member.runs = placeRuns(runs, start, stored - (typeFlag === typeFlags.sparse ? 0 : start - member.start), realSize);
    member.size = realSize;
    member.start = start;
    return start;
  } catch (error) {
    if (!(error instanceof RegtarError)) throw error;
    problems.push({ code: error.code, path: member.path, offset: position, message: `${member.path}: ${error.message}` });
    return undefined;
  }
}

function oldGnuMap(access: RandomAccess, buffer: Buffer, at: number, position: number): { runs: SparseRun[]; start: number; realSize: number } {
  const runs: SparseRun[] = [];
  const realSize = parseNumber(buffer, at + 483, 12);
  if (realSize === undefined) throw new RegtarError('TAR_SPARSE', 'a sparse member without a usable size', { side: 'source' });
  let start = position + blockBytes;
  let more = readOldGnuRuns(buffer, at + 386, 4, at + 482, runs);
  const block = Buffer.alloc(blockBytes);
  while (more) {
    if (readFullySync(access, block, 0, blockBytes, start) < blockBytes) throw new RegtarError('TAR_SPARSE', 'a sparse member whose map is cut', { side: 'source' });
    more = readOldGnuRuns(block, 0, 21, 504, runs);
    start += blockBytes;
  }
  return { runs, start, realSize };
}

function paxMap(access: RandomAccess, extended: Extended, start: number, stored: number): { runs: readonly SparseRun[]; start: number; realSize: number } {
  const records = extended.sparse;
  if (records?.realSize === undefined) throw new RegtarError('TAR_SPARSE', 'a sparse member without a usable size', { side: 'source' });
  if (!records.isMapInBody) return { runs: records.runs, start, realSize: records.realSize };
  for (let length = 64 * 1024; ; length *= 4) {
    const body = new Uint8Array(Math.min(length, stored));
    const map = readMapInBody(body.subarray(0, readFullySync(access, body, 0, body.length, start)));
    if (map !== undefined) return { runs: map.runs, start: start + map.mapBytes, realSize: records.realSize };
    if (body.length >= stored || length > limits.manifestBytes) throw new RegtarError('TAR_SPARSE', 'a sparse member whose map is cut or too long', { side: 'source' });
  }
}

function hasRecords(extended: Extended): boolean {
  for (const _key in extended) return true;
  return false;
}

function cut(offset: number, where: string): Problem {
  return { code: 'TAR_CUT', offset, message: `the archive is cut at byte ${offset}, ${where}; what comes before is used` };
}

function gap(from: number, to: number, what: string): Problem {
  return { code: 'TAR_HEADER_INVALID', offset: from, message: `bytes ${from} to ${to} of the archive: this part ${what}; members in it are lost` };
}
