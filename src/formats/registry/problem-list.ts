import type { ErrorCode, Problem } from '../../errors.ts';

/**
 * What is wrong with a storage, bounded: millions of tags that all lack the same thing are told by the first of them
 * and a number.
 */
export interface ProblemList {
  report(problem: Problem): void;
  /** Everything reported so far, in its order, with a line for what was left out of each code. */
  all(): readonly Problem[];
}

/** More of one kind are not read, and each costs half a kilobyte. */
const mostOfOneCode = 10_000;

/** An empty list. */
export function createProblemList(): ProblemList {
  const problems: Problem[] = [];
  const counts = new Map<ErrorCode, number>();
  return {
    report(problem) {
      const count = (counts.get(problem.code) ?? 0) + 1;
      counts.set(problem.code, count);
      if (count <= mostOfOneCode) problems.push(problem);
    },
    all: () => [
      ...problems,
      ...[...counts].flatMap(([code, count]) =>
        count > mostOfOneCode ? [{ code, message: `${count - mostOfOneCode} more of this kind are not listed` }] : [],
      ),
    ],
  };
}
