import { setImmediate as nextTurn } from 'node:timers/promises';
import { RegtarError, type Problem } from '../errors.ts';
import { limits } from '../io/limits.ts';
import { readFullySync, type RandomAccess } from '../io/random-access.ts';
import { createDamage, endWithoutMark, gaps, type Damage } from './damage.ts';
import { isExtension, longTextBytes, readExtension, recordsFor, type Extended } from './extended.ts';
import { blockBytes, headerSize, headerTypeFlag, isHeaderValid, isZeroBlock, paddedSize, typeFlags } from './header.ts';
import { emptyMember, fillMember, hasBody, type Member } from './member.ts';
import { findNextHeader } from './resynchronise.ts';
import { placeSparse } from './sparse-map.ts';
import { openWindow, windowBytes, type Window } from './window.ts';

export type { Member, MemberKind } from './member.ts';

export interface ScanOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the offset reached. */
  readonly onProgress?: ((offset: number) => void) | undefined;
}

const membersPerTurn = 4096;

/**
 * Hops from header to header with positioned reads and visits every member; bodies of files are not read, except for small ones
 * that lie in the window anyway.
 * @returns damage: cuts, gaps, members that cannot be read. What is whole has been visited.
 * @see docs/storage.md
 */
export async function scanTar(access: RandomAccess, visit: (member: Member) => void, options: ScanOptions = {}): Promise<readonly Problem[]> {
  const scanner = createScanner(access, visit, options.signal);
  while (scanner.step(membersPerTurn)) {
    options.onProgress?.(scanner.position);
    await nextTurn();
    options.signal?.throwIfAborted();
  }
  options.onProgress?.(access.size);
  return scanner.problems;
}

interface Scanner {
  /** Offset of the next header. */
  readonly position: number;
  readonly problems: readonly Problem[];
  /** Visits up to `count` members. @returns whether there may be more */
  step(count: number): boolean;
}

function createScanner(access: RandomAccess, visit: (member: Member) => void, signal: AbortSignal | undefined): Scanner {
  const damage = createDamage();
  const window = openWindow(access);
  const member = emptyMember();
  let globals: Extended | undefined;
  let next: Extended | undefined;
  let position = 0;
  let isEnded = false;

  /** Passes over what is no header. */
  const search = (isZero: boolean): void => {
    const found = findNextHeader(access, position + blockBytes, signal);
    const isLast = found.position >= access.size;
    if (!isZero || found.hasRubbish) damage.gap(position, found.position, isLast && (isZero || isEnded) ? gaps.trailing : gaps.noHeader);
    else damage.zeros(position, found.position, isLast);
    isEnded ||= isZero || found.hasZeros;
    next = undefined;
    position = found.position;
  };

  const extend = (typeFlag: number, size: number): void => {
    const bytes = size > longTextBytes ? undefined : readBytes(access, window, position + blockBytes, size);
    const into: Extended = typeFlag === typeFlags.paxGlobal ? (globals ??= {}) : (next ??= {});
    const wrong = readExtension(typeFlag, bytes, into);
    if (wrong !== undefined) damage.member(wrong.code, position, `${wrong.message}; the member behind it is passed over`);
    position += blockBytes + paddedSize(size);
  };

  /** @returns false when the archive ends inside the member */
  const visitMember = (at: number, typeFlag: number, size: number): boolean => {
    const extended = recordsFor(globals, next);
    next = undefined;
    const stored = extended?.size ?? size;
    const body = position + blockBytes;
    fillMember(member, window.buffer, at, extended, body, stored);
    const isSparse = typeFlag === typeFlags.sparse || extended?.sparse !== undefined;
    const data = isSparse ? sparseData(access, window, at, extended, member, stored, position, damage) : { start: body, size: hasBody(member.kind, typeFlag) ? stored : 0, isReadable: true };
    if (data.start + data.size > access.size) {
      damage.cut(access.size, `inside ${member.path}`, member.path);
      return false;
    }
    if (data.isReadable && extended?.isUnusable !== true) {
      // Loading may move the window: nothing of the header is needed any more.
      if (member.kind === 'file' && member.size <= limits.linkBytes && member.runs === undefined) member.bytes = readBytes(access, window, data.start, member.size);
      visit(member);
    }
    position = data.start + paddedSize(data.size);
    return true;
  };

  /** @returns false at the end */
  const advance = (): boolean => {
    if (position >= access.size) return false;
    const at = window.load(position, blockBytes);
    if (at === undefined) {
      if (!isEnded) damage.cut(access.size, 'inside a header');
      isEnded = true;
      return false;
    }
    if (window.buffer[at] === 0 && isZeroBlock(window.words, at)) {
      search(true);
      return true;
    }
    const size = isHeaderValid(window.buffer, window.words, at) ? headerSize(window.buffer, at) : undefined;
    if (size === undefined) {
      search(false);
      return true;
    }
    isEnded = false;
    const typeFlag = headerTypeFlag(window.buffer, at);
    if (!isExtension(typeFlag)) return visitMember(at, typeFlag, size) || cutHere();
    if (position + blockBytes + size > access.size) {
      damage.cut(access.size, 'inside an extended header');
      return cutHere();
    }
    extend(typeFlag, size);
    return true;
  };

  /** A cut has been told: the missing end mark is no news. */
  const cutHere = (): false => {
    isEnded = true;
    return false;
  };

  return {
    get position() {
      return position;
    },
    get problems() {
      return isEnded || access.size === 0 ? damage.problems : [...damage.problems, endWithoutMark(access.size)];
    },
    step(count) {
      for (let left = count; left > 0; left--) if (!advance()) return false;
      return true;
    },
  };
}

/** Bytes from the window where they fit into it; valid until it moves. */
function readBytes(access: RandomAccess, window: Window, start: number, size: number): Uint8Array | undefined {
  if (size === 0) return new Uint8Array(0);
  const at = size <= windowBytes ? window.load(start, size) : undefined;
  if (at !== undefined) return window.buffer.subarray(at, at + size);
  const bytes = new Uint8Array(size);
  return readFullySync(access, bytes, 0, size, start) < size ? undefined : bytes;
}

/** A sparse member that cannot be read right is told by name and passed over by the size that it occupies. */
function sparseData(access: RandomAccess, window: Window, at: number, extended: Extended | undefined, member: Member, stored: number, position: number, damage: Damage): { readonly start: number; readonly size: number; readonly isReadable: boolean } {
  try {
    return { ...placeSparse(access, window.buffer, at, extended, member, stored, position), isReadable: true };
  } catch (error) {
    if (!(error instanceof RegtarError)) throw error;
    damage.member(error.code, position, `${member.path}: ${error.message}`, member.path);
    return { start: position + blockBytes, size: stored, isReadable: false };
  }
}
