import type { ErrorCode, Problem } from '../../errors.ts';
import { plural } from './sizes.ts';

const linesShown = 20;

/** After these something may be missing that nobody can name. */
const lossCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TAR_CUT',
  'TAR_HEADER_INVALID',
  'TAR_SPARSE',
  'TAR_NAME_TOO_LONG',
  'SOURCE_UNREADABLE',
  'BLOB_UNREADABLE',
]);

/** Whether the backup itself lost members, so that "everything" cannot be promised. */
export function losesMembers(problems: readonly Problem[]): boolean {
  return problems.some(({ code }) => lossCodes.has(code));
}

/** One line a problem, losses first; a long list is for `verify`. */
export function renderProblems(problems: readonly Problem[], verbose: boolean): string[] {
  const isLoss = ({ code }: Problem): boolean => lossCodes.has(code);
  const sorted = [...problems.filter(isLoss), ...problems.filter((problem) => !isLoss(problem))];
  const shown = verbose ? sorted : sorted.slice(0, linesShown);
  const rest = sorted.length - shown.length;
  return [
    ...shown.map(({ code, message }) => `regtar: ${code}: ${message}`),
    ...(rest > 0 ? [`… and ${plural(rest, 'more problem')}: \`regtar verify\` lists all`] : []),
  ];
}
