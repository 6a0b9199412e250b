import type { ErrorCode, Problem } from '../errors.ts';

/** What is wrong with an archive, in its order; what is whole stays usable. */
export interface Damage {
  readonly problems: readonly Problem[];
  /** The archive ends inside something. */
  cut(offset: number, where: string, path?: string): void;
  /** A part of the archive that is no member. */
  gap(from: number, to: number, what: string): void;
  /** A member that cannot be read. */
  member(code: ErrorCode, offset: number, message: string, path?: string): void;
}

/** Rubbish of terabytes must not fill the memory with what is wrong with it. */
const mostProblems = 10_000;

export function createDamage(): Damage {
  const problems: Problem[] = [];
  const report = (problem: Problem): void => {
    if (problems.length < mostProblems) problems.push(problem);
    else if (problems.length === mostProblems) problems.push({ code: 'TAR_HEADER_INVALID', message: `more than ${mostProblems} places of the archive are damaged; the others are not listed` });
  };
  return {
    problems,
    cut: (offset, where, path) => report({ code: 'TAR_CUT', offset, ...(path !== undefined && { path }), message: `the archive is cut at byte ${offset}, ${where}; what comes before is used` }),
    gap: (from, to, what) => report({ code: 'TAR_HEADER_INVALID', offset: from, message: `bytes ${from} to ${to} of the archive: this part ${what}; members in it are lost` }),
    member: (code, offset, message, path) => report({ code, offset, ...(path !== undefined && { path }), message: `${message} (at byte ${offset})` }),
  };
}

export const gaps = {
  zeros: 'holds zeros only',
  noHeader: 'has no valid header',
  trailing: 'is no part of the archive',
} as const;

/** GNU tar pads with zeros to its blocking factor; more zeros than any factor makes are damage. In bytes. */
export const plausiblePadding = 1024 * 1024;

/** How the end of an archive without its end mark is told. */
export function endWithoutMark(size: number): Problem {
  return { code: 'TAR_CUT', offset: size, message: `the archive ends at byte ${size} without an end-of-archive mark: it may have been cut there` };
}
