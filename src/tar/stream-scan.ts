import { RegtarError, type Problem } from '../errors.ts';
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
  typeFlags,
} from './header.ts';
import { hasBody, Member } from './member.ts';
import { placeSparse } from './sparse-map.ts';
import { createStreamBuffer, type StreamBuffer } from './stream-buffer.ts';

/** Takes the body of one member, in order. For sparse members these are the stored runs, one after the other. */
export interface BodyTaker {
  /** `chunk` is valid until it returns; a promise holds the stream back. */
  write(chunk: Uint8Array): Promise<void> | void;
  /** @param isWhole false when the archive ended inside the member: what was written must not be used */
  end(isWhole: boolean): Promise<void> | void;
}

/** How a scan is stopped and followed. */
export interface StreamScanOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the offset reached. */
  readonly onProgress?: ((offset: number) => void) | undefined;
}

/** A map of a sparse member longer than this is refused in streams, where nothing can be looked up later. */
const sparseMapBytes = 1024 * 1024;

/**
 * Reads an archive that cannot be sought, in one pass, by the same rules as the seeking scan.
 * @param begin is called with each member; what it returns takes the member's body
 * @returns damage; what is whole has been visited
 * @throws what `chunks` throws
 */
export async function scanTarStream(
  chunks: AsyncIterable<Uint8Array>,
  begin: (member: Member) => BodyTaker | undefined,
  options: StreamScanOptions = {},
): Promise<readonly Problem[]> {
  const damage = createDamageLog();
  const input = createStreamBuffer(chunks, options);
  const header = Buffer.from(new ArrayBuffer(blockBytes));
  const member = new Member(header);
  const words = new Int32Array(header.buffer, 0, blockBytes / 4);
  let globals: Extended | undefined;
  let next: Extended | undefined;
  let isEnded = false;
  /** Where the part began that is not a member, and whether anything but zeros is in it. */
  let lost: { readonly from: number; isZero: boolean; readonly isAfterEnd: boolean } | undefined;

  const first = Buffer.alloc(blockBytes);

  const tellLost = (to: number, isLast: boolean): void => {
    if (lost === undefined) return;
    if (!lost.isZero) damage.gap(lost.from, to, isLast && lost.isAfterEnd ? gaps.trailing : gaps.noHeader);
    else damage.zeros(lost.from, to, isLast ? 'nothing' : isSameMember(first, header) ? 'beginning' : 'member');
    lost = undefined;
  };

  while (await input.need(blockBytes)) {
    const position = input.position;
    header.set(input.peek(blockBytes));
    if (position === 0) first.set(header);
    const isZero = header[0] === 0 && isZeroBlock(words, 0);
    const size = !isZero && isHeaderValid(header, words, 0) ? headerSize(header, 0) : undefined;
    input.drop(blockBytes);
    if (size === undefined) {
      lost ??= { from: position, isZero: true, isAfterEnd: isZero || isEnded };
      lost.isZero &&= isZero;
      isEnded ||= isZero;
      next = undefined;
      continue;
    }
    tellLost(position, false);
    isEnded = false;
    const typeFlag = headerTypeFlag(header, 0);
    if (isExtension(typeFlag)) {
      const isHeld = size <= longTextBytes;
      if (isHeld ? !(await input.need(size)) : !(await input.skip(size))) return cutAt('inside an extended header');
      const into: Extended = typeFlag === typeFlags.paxGlobal ? (globals ??= {}) : (next ??= {});
      const wrong = readExtension(typeFlag, isHeld ? input.peek(size) : undefined, into);
      if (wrong !== undefined) damage.member(wrong.code, position, `${wrong.message}; the member behind it is skipped`);
      if (isHeld) input.drop(size);
      await input.skip(paddedSize(size) - size);
      continue;
    }
    const extended = recordsFor(globals, next);
    next = undefined;
    const stored = extended?.size ?? size;
    member.fill(0, extended, position + blockBytes, stored);
    const path = member.path;
    let data: { readonly start: number; readonly size: number } | undefined = {
      start: member.start,
      size: hasBody(member.kind, typeFlag) ? stored : 0,
    };
    if (typeFlag === typeFlags.sparse || extended?.sparse !== undefined) {
      data = await sparseData(position, stored, typeFlag, extended);
      await input.skip((data?.start ?? position + blockBytes) - input.position);
    }
    const taker = data === undefined || extended?.isUnusable === true ? undefined : begin(member);
    const bodyBytes = data?.size ?? stored;
    const isWhole =
      taker === undefined ? await input.skip(bodyBytes) : await input.pass(bodyBytes, (chunk) => taker.write(chunk));
    await taker?.end(isWhole);
    if (!isWhole) return cutAt(`inside ${path}`, path);
    // The end of the very last member need not be padded.
    await input.skip(paddedSize(bodyBytes) - bodyBytes);
  }
  const rest = input.held;
  if (rest > 0 && !isEnded && lost === undefined) return cutAt('inside a header');
  if (rest > 0 && lost !== undefined) lost.isZero &&= input.peek(rest).every((byte) => byte === 0);
  tellLost(input.position + rest, true);
  return isEnded || input.position === 0
    ? damage.problems
    : [...damage.problems, endWithoutMark(input.position + rest)];

  function cutAt(where: string, path?: string): readonly Problem[] {
    damage.cut(input.position + input.held, where, path);
    return damage.problems;
  }

  async function sparseData(
    position: number,
    stored: number,
    typeFlag: number,
    extended: Extended | undefined,
  ): Promise<{ readonly start: number; readonly size: number } | undefined> {
    try {
      const isMapNext = typeFlag === typeFlags.sparse || extended?.sparse?.isMapInBody === true;
      if (isMapNext) await input.need(sparseMapBytes);
      return placeSparse(accessTo(input), header, 0, extended, member, stored, position);
    } catch (error) {
      if (!(error instanceof RegtarError)) throw error;
      damage.member(error.code, position, `${member.path}: ${error.message}`, member.path);
      return undefined;
    }
  }
}

/** What is held of the stream, as if it could be sought. */
function accessTo(input: StreamBuffer): {
  readSync(buffer: Uint8Array, offset: number, length: number, position: number): number;
} {
  return {
    readSync(buffer, offset, length, position) {
      const at = position - input.position;
      const piece = input.peek(input.held).subarray(at, at + length);
      buffer.set(piece, offset);
      return piece.length;
    },
  };
}
