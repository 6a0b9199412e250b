import { RegtarError, type Problem } from '../errors.ts';
import { createPauses } from '../io/pauses.ts';
import { readFullySync, type RandomAccess } from '../io/random-access.ts';
import { createDamageLog, endWithoutMark, gaps } from './damage-log.ts';
import { isExtension, longTextBytes, readExtension, recordsFor, type Extended } from './extended.ts';
import {
  blockBytes,
  headerSize,
  headerTypeFlag,
  isHeaderValid,
  isSameMember,
  isZeroBlock,
  paddedSize,
  textEnd,
  typeFlags,
} from './header.ts';
import { hasBody, Member } from './member.ts';
import { startScanAhead, type ScanAhead } from './scan-ahead.ts';
import { searchHeader, type HeaderSearch } from './resynchronise.ts';
import { placeSparse } from './sparse-map.ts';
import { Window, windowBytes } from './window.ts';

export type { Member } from './member.ts';

/** How a scan is stopped and followed. */
export interface TarScanOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the offset reached. */
  readonly onProgress?: ((offset: number) => void) | undefined;
}

/** Members that are visited before the scan looks for something else to do. */
export const membersPerStep = 512;
const millisecondsPerTurn = 50;

/**
 * Hops from header to header with positioned reads and visits every member; bodies of files are not read, except for
 * small ones that lie in the window anyway.
 * @param visit always gets the same object
 * @returns damage: cuts, gaps, members that cannot be read. What is whole has been visited.
 * @see docs/decisions/0001-scan-with-positioned-reads.md
 */
export async function scanTar(
  access: RandomAccess,
  visit: (member: Member) => void,
  options: TarScanOptions = {},
): Promise<readonly Problem[]> {
  const scanner = new Scanner(access, visit);
  let scanAhead: ScanAhead | undefined;
  const pause = createPauses(millisecondsPerTurn);
  try {
    while (scanner.step(membersPerStep)) {
      if (scanAhead === undefined) scanAhead = scanAheadIfSlow(access, scanner);
      else scanAhead.moveTo(scanner.position);
      const turn = pause();
      if (turn === undefined) continue;
      options.onProgress?.(scanner.position);
      await turn;
      options.signal?.throwIfAborted();
    }
  } finally {
    scanAhead?.stop();
  }
  options.onProgress?.(access.size);
  return scanner.problems;
}

/**
 * Looks for the end of an archive: the first block of zeros where a header is due.
 * @param from offset of a header
 * @returns its offset; undefined where the archive is cut, damaged, or ends without a mark
 */
export async function findEndMark(
  access: RandomAccess,
  from: number,
  signal?: AbortSignal,
): Promise<number | undefined> {
  const scanner = new Scanner(access, () => undefined, { from, stopsAtEnd: true });
  const pause = createPauses(millisecondsPerTurn);
  while (scanner.step(membersPerStep)) {
    const turn = pause();
    if (turn === undefined) continue;
    await turn;
    signal?.throwIfAborted();
  }
  return scanner.endMark;
}

/** Less than this is scanned before others have started. In bytes. */
const worthReadingAhead = 1024 * 1024 * 1024;

function scanAheadIfSlow(access: RandomAccess, scanner: Scanner): ScanAhead | undefined {
  if (
    access.size - scanner.position < worthReadingAhead ||
    access.ranges === undefined ||
    scanner.takeSlowness() !== true
  )
    return undefined;
  return startScanAhead(access.ranges(0, access.size), scanner.position);
}

/**
 * A long name of up to two blocks with its header, the header behind it, and a link's body: what is looked at in one
 * go.
 */
const commonBytes = 5 * blockBytes;
const commonNameBytes = 2 * blockBytes;

/** A part of an archive that is scanned on its own. */
export interface ScannedPart {
  /** Offset of its first header; the archive's beginning where absent. */
  readonly from?: number;
  /**
   * How many bytes of a member's body the visitor is going to look at: where bytes have to be brought first, they are
   * asked for before it is called, because it cannot be called twice. It may look at the member's first byte. Absent:
   * none.
   */
  readonly bytesWanted?: (member: Member) => number;
  /**
   * Whether the first thing that is not a member ends the scan: `endMark` says if it was the archive's end. Absent:
   * the scan goes on.
   */
  readonly stopsAtEnd?: boolean;
  /**
   * Ends in front of anything but members that stand for themselves, so that what was seen does not depend on what
   * comes before `from`.
   * @defaultValue false
   */
  readonly plainOnly?: boolean;
}

/**
 * The steps of a scan. Where bytes have to be brought first, a step throws `NotAtHand`, has visited everything before
 * them and can be taken again.
 * A class, not closures: its hot state are numbers above 2^31, which a closure would allocate anew at every step.
 */
export class Scanner {
  /** Offset of the next header. */
  position: number;
  /** Where the archive ended, for callers that asked for its end alone. */
  endMark: number | undefined = undefined;
  private readonly damage = createDamageLog();
  private readonly window: Window;
  private readonly member: Member;
  private globals: Extended | undefined = undefined;
  private next: Extended | undefined = undefined;
  private isEnded = false;
  private search: (HeaderSearch & { readonly isZero: boolean }) | undefined = undefined;
  private readonly access: RandomAccess;
  private readonly visit: (member: Member) => void;
  private readonly bytesWanted: ((member: Member) => number) | undefined;
  private readonly stopsAtEnd: boolean;

  private readonly plainOnly: boolean;

  constructor(access: RandomAccess, visit: (member: Member) => void, part: ScannedPart = {}) {
    const { from = 0, bytesWanted, stopsAtEnd = false, plainOnly = false } = part;
    this.access = access;
    this.visit = visit;
    this.position = from;
    this.bytesWanted = bytesWanted;
    this.stopsAtEnd = stopsAtEnd;
    this.plainOnly = plainOnly;
    this.window = new Window(access);
    this.member = new Member(this.window.buffer, {
      byte: (position) => this.readByte(position),
      bytes: (start, size) => this.readBytes(start, size),
      text: (start, size) => this.readText(start, size),
      copy: (start, size, target, at) => this.copyBytes(start, size, target, at),
    });
  }

  get problems(): readonly Problem[] {
    const { problems } = this.damage;
    return this.isEnded || this.access.size === 0 ? problems : [...problems, endWithoutMark(this.access.size)];
  }

  /** Whether the medium keeps it waiting; undefined while that is not known. */
  takeSlowness(): boolean | undefined {
    return this.window.takeSlowness();
  }

  /** Whether anything was wrong so far. */
  get isDamaged(): boolean {
    return this.damage.problems.length > 0;
  }

  /** Whether a scan that begins at `position` would see what comes as this one does. */
  get isBetweenMembers(): boolean {
    return this.next === undefined && this.globals === undefined && this.search === undefined;
  }

  /** Visits up to `count` members, none that begins at `end` or behind it. @returns whether there may be more */
  step(count: number, end = Number.MAX_SAFE_INTEGER): boolean {
    for (let left = count; left > 0 && this.position < end; left--) {
      if (this.takeCommon()) continue;
      if (!this.advance()) return false;
      // A piece of a search is as long as many members.
      if (this.search !== undefined) return true;
    }
    return true;
  }

  /**
   * A plain file or folder, with or without GNU's long name before it: nearly every member of a backup, so it is read
   * without making anything that is kept.
   * @returns false for everything else, and for all that is wrong: `advance` looks at that again
   */
  private takeCommon(): boolean {
    const { access, window, position } = this;
    if (this.next !== undefined || this.globals !== undefined) return false;
    const held = Math.min(commonBytes, access.size - position);
    const first = held < blockBytes ? undefined : window.load(position, held);
    if (first === undefined) return false;
    const { buffer, words } = window;
    let at = first;
    let nameStart = first;
    let nameEnd = 0;
    if (buffer[first + 156] === typeFlags.longName) {
      const nameBytes = headerSize(buffer, first);
      if (nameBytes === undefined || nameBytes > commonNameBytes || !isHeaderValid(buffer, words, first)) return false;
      nameStart = first + blockBytes;
      at = nameStart + paddedSize(nameBytes);
      if (at + blockBytes > first + held) return false;
      nameEnd = textEnd(buffer, words, nameStart, nameBytes);
    } else {
      // ustar's prefix and name are not a piece of text.
      if (buffer[first + 345] !== 0 && buffer[first + 262] === 0) return false;
      nameEnd = textEnd(buffer, words, first, 100);
    }
    const typeFlag = buffer[at + 156];
    const isFile = typeFlag === typeFlags.file;
    if ((!isFile && typeFlag !== typeFlags.directory) || !isHeaderValid(buffer, words, at)) return false;
    const size = headerSize(buffer, at);
    if (size === undefined || nameEnd <= nameStart || (isFile && buffer[nameEnd - 1] === 47) /* / */) return false;
    const body = position + (at - first) + blockBytes;
    const bodyBytes = isFile ? size : 0;
    if (body + bodyBytes > access.size) return false;
    this.isEnded = false;
    this.member.fillPlain(isFile ? 'file' : 'directory', at, nameStart, nameEnd, body, bodyBytes);
    if (this.bytesWanted !== undefined) this.bringBody(this.bytesWanted);
    this.position = body + paddedSize(bodyBytes);
    this.visit(this.member);
    return true;
  }

  /** Takes what comes next, by all the rules. @returns false at the end */
  private advance(): boolean {
    const { access, window, position } = this;
    if (position >= access.size) return false;
    if (this.search !== undefined) return this.searchOn(this.search);
    const at = window.load(position, blockBytes);
    if (at === undefined) {
      if (!this.isEnded) this.damage.cut(access.size, 'inside a header');
      this.isEnded = true;
      return false;
    }
    const isZero = window.buffer[at] === 0 && isZeroBlock(window.words, at);
    const size = !isZero && isHeaderValid(window.buffer, window.words, at) ? headerSize(window.buffer, at) : undefined;
    if (size === undefined && this.stopsAtEnd) {
      if (isZero) this.endMark = position;
      return false;
    }
    if (size === undefined) {
      if (this.plainOnly) return false;
      this.search = { ...searchHeader(access, position + blockBytes), isZero };
      return true;
    }
    this.isEnded = false;
    const typeFlag = headerTypeFlag(window.buffer, at);
    if (this.plainOnly && typeFlag === typeFlags.paxGlobal) return false;
    if (!isExtension(typeFlag)) return this.visitMember(at, typeFlag, size) || this.endHere();
    if (position + blockBytes + size > access.size) {
      this.damage.cut(access.size, 'inside an extended header');
      return this.endHere();
    }
    this.extend(typeFlag, size);
    return true;
  }

  /** @returns false when the archive ends inside the member */
  private visitMember(at: number, typeFlag: number, size: number): boolean {
    const { member, access } = this;
    const extended = recordsFor(this.globals, this.next);
    const stored = extended?.size ?? size;
    const body = this.position + blockBytes;
    member.fill(at, extended, body, stored);
    const isSparse = typeFlag === typeFlags.sparse || extended?.sparse !== undefined;
    const data = isSparse
      ? this.sparseData(at, extended, stored)
      : { start: body, size: hasBody(member.kind, typeFlag) ? stored : 0, isReadable: true };
    if (data.start + data.size > access.size) {
      this.damage.cut(access.size, `inside ${member.path}`, member.path);
      this.next = undefined;
      return false;
    }
    if (this.bytesWanted !== undefined) this.bringBody(this.bytesWanted);
    this.next = undefined;
    this.position = data.start + paddedSize(data.size);
    if (data.isReadable && extended?.isUnusable !== true) this.visit(member);
    return true;
  }

  private extend(typeFlag: number, size: number): void {
    const bytes = size > longTextBytes ? undefined : this.loadBytes(this.position + blockBytes, size);
    const into: Extended = typeFlag === typeFlags.paxGlobal ? (this.globals ??= {}) : (this.next ??= {});
    const wrong = readExtension(typeFlag, bytes, into);
    if (wrong !== undefined)
      this.damage.member(wrong.code, this.position, `${wrong.message}; the member behind it is skipped`);
    this.position += blockBytes + paddedSize(size);
  }

  /** Passes over what is not a header, a piece at a time. @returns whether there may be more */
  private searchOn({ step, isZero }: HeaderSearch & { readonly isZero: boolean }): boolean {
    const { access, damage, position } = this;
    const found = step();
    if (found === undefined) return true;
    const isLast = found.position >= access.size;
    const behind = isLast ? 'nothing' : this.isBeginning(found.position) ? 'beginning' : 'member';
    this.search = undefined;
    if (!isZero || found.hasRubbish)
      damage.gap(position, found.position, isLast && (isZero || this.isEnded) ? gaps.trailing : gaps.noHeader);
    else damage.zeros(position, found.position, behind);
    this.isEnded ||= isZero || found.hasZeros;
    this.next = undefined;
    this.position = found.position;
    return true;
  }

  /** Whether a header names the member with which the archive began: then another archive begins with it. */
  private isBeginning(position: number): boolean {
    const [first, header] = [this.readBytes(0, blockBytes), this.readBytes(position, blockBytes)];
    return first !== undefined && header !== undefined && isSameMember(first, header);
  }

  /** Throws where bytes have to be brought before the visitor may look at them. */
  private bringBody(bytesWanted: (member: Member) => number): void {
    const length = bytesWanted(this.member);
    if (length > 0) this.access.atHand?.(this.member.start, length);
  }

  /** The cut is already reported; do not report the missing end mark, too. */
  private endHere(): false {
    this.isEnded = true;
    return false;
  }

  /** A sparse member that cannot be read right is reported by name and skipped by the size that it occupies. */
  private sparseData(
    at: number,
    extended: Extended | undefined,
    stored: number,
  ): { readonly start: number; readonly size: number; readonly isReadable: boolean } {
    const { access, member, position, window } = this;
    try {
      return { ...placeSparse(access, window.buffer, at, extended, member, stored, position), isReadable: true };
    } catch (error) {
      if (!(error instanceof RegtarError)) throw error;
      this.damage.member(error.code, position, `${member.path}: ${error.message}`, member.path);
      return { start: position + blockBytes, size: stored, isReadable: false };
    }
  }

  /** Bytes from the window where they fit into it; valid until it moves. */
  private loadBytes(start: number, size: number): Uint8Array | undefined {
    const at = size <= windowBytes ? this.window.load(start, size) : undefined;
    return at === undefined ? this.readBytes(start, size) : this.window.buffer.subarray(at, at + size);
  }

  /** Bytes without moving the window, in which a member's header must stay. */
  private readBytes(start: number, size: number): Uint8Array | undefined {
    const at = this.window.peek(start, size);
    if (at !== undefined) return this.window.buffer.subarray(at, at + size);
    const bytes = new Uint8Array(size);
    return readFullySync(this.access, bytes, 0, size, start) < size ? undefined : bytes;
  }

  private readByte(position: number): number | undefined {
    const at = this.window.peek(position, 1);
    return at === undefined ? this.readBytes(position, 1)?.[0] : this.window.buffer[at];
  }

  private readText(start: number, size: number): string | undefined {
    const at = this.window.peek(start, size);
    if (at !== undefined) return this.window.buffer.toString('latin1', at, at + size);
    const bytes = this.readBytes(start, size);
    return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  }

  private copyBytes(start: number, size: number, target: Buffer, at: number): boolean {
    const held = this.window.peek(start, size);
    if (held === undefined) return readFullySync(this.access, target, at, size, start) === size;
    this.window.buffer.copy(target, at, held, held + size);
    return true;
  }
}
