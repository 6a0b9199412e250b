import type { ErrorCode, Problem } from '../errors.ts';

/** What is wrong with an archive, in its order; what is whole stays usable. */
export interface DamageLog {
  readonly problems: readonly Problem[];
  /** The archive ends inside something. */
  cut(offset: number, where: string, path?: string): void;
  /** A part of the archive that is not a member. */
  gap(from: number, to: number, what: string): void;
  /**
   * A part of zeros where a header is due: told unless it is what the end of an archive looks like.
   * @param behind what follows: nothing, a header like the archive's first, or any other
   */
  zeros(from: number, to: number, behind: 'nothing' | 'beginning' | 'member'): void;
  /** A member that cannot be read. */
  member(code: ErrorCode, offset: number, message: string, path?: string): void;
}

/** Rubbish of terabytes must not fill the memory with what is wrong with it. */
const mostProblems = 10_000;

/** Nothing is wrong yet. */
export function createDamageLog(): DamageLog {
  const problems: Problem[] = [];
  /** Where the archive began that is being read: several may follow each other. */
  let archiveStart = 0;
  const report = (problem: Problem): void => {
    if (problems.length < mostProblems) problems.push(problem);
    else if (problems.length === mostProblems)
      problems.push({
        code: 'TAR_HEADER_INVALID',
        message: `more than ${mostProblems} places of the archive are damaged; the others are not listed`,
      });
  };
  const gap = (from: number, to: number, what: string): void =>
    report({
      code: 'TAR_HEADER_INVALID',
      offset: from,
      message: `bytes ${from} to ${to} of the archive: this part ${what}; members in it are lost`,
    });
  return {
    problems,
    cut: (offset, where, path) =>
      report({
        code: 'TAR_CUT',
        offset,
        path,
        message: `the archive is cut at byte ${offset}, ${where}; what comes before is used`,
      }),
    gap,
    zeros(from, to, behind) {
      if (behind === 'nothing' ? to - from <= longestPadding : endsArchive(archiveStart, from, to)) archiveStart = to;
      else if (behind === 'member') gap(from, to, gaps.zeros);
      else {
        report({ code: 'TAR_PADDING', offset: from, message: paddingMessage(from, to, behind === 'nothing') });
        archiveStart = to;
      }
    },
    member: (code, offset, message, path) => report({ code, offset, path, message: `${message} (at byte ${offset})` }),
  };
}

/** Why bytes of an archive belong to no member. */
export const gaps = {
  zeros: 'holds zeros only',
  noHeader: 'has no valid header',
  trailing: 'is not part of the archive',
} as const;

/** A tar that is made for tapes may be padded to a record as long as this, in bytes: that is not worth a message. */
const longestPadding = 1024 * 1024;

/** Copies are written in whole pages: one that stopped left zeros from such a place on. */
const pageBytes = 4096;

/** Zeros that begin with an end mark lose nothing for certain: `--record-size` and padded copies make them. */
function paddingMessage(from: number, to: number, isLast: boolean): string {
  const where = `bytes ${from} to ${to} of the archive are zeros behind its end mark`;
  if (!isLast) return `${where}, and another archive follows: nothing is missing where it was padded`;
  return from % pageBytes === 0
    ? `${where}: padding, or a copy that stopped there; compare its size or checksum with the original's`
    : `${where}: padding`;
}

const endBytes = 1024;
const recordBytes = 10_240;

/**
 * Between two archives there are two blocks of zeros, or as many as fill the record of 10 KiB that nearly all tars
 * write; any other zeros were members.
 */
function endsArchive(start: number, from: number, to: number): boolean {
  const length = to - from;
  return (
    length === endBytes || (length > endBytes && length < endBytes + recordBytes && (to - start) % recordBytes === 0)
  );
}

/** How a missing end mark is reported. */
export function endWithoutMark(size: number): Problem {
  return {
    code: 'TAR_CUT',
    offset: size,
    message: `the archive ends at byte ${size} without an end-of-archive mark: it may have been cut there`,
  };
}
