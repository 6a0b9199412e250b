import { codeFacts, type Problem } from '../../errors.ts';
import { printable } from '../../io/printable.ts';
import { plural } from '../../io/sizes.ts';

const linesShown = 20;

/** Whether the backup itself lost members, so that "everything" cannot be promised. */
export function losesMembers(problems: readonly Problem[]): boolean {
  return problems.some(isLoss);
}

/** One line a problem, losses first; a long list is for `verify`. */
export function renderProblems(problems: readonly Problem[], verbose: boolean): string[] {
  const sorted = [...problems.filter(isLoss), ...problems.filter((problem) => !isLoss(problem))];
  const shown = verbose ? sorted : sorted.slice(0, linesShown);
  const rest = sorted.length - shown.length;
  return [
    ...shown.map(({ code, message }) => `regtar: ${code}: ${printable(message)}`),
    ...(rest > 0 ? [`… and ${plural(rest, 'more problem')}: \`regtar verify\` lists all`] : []),
  ];
}

function isLoss({ code }: Problem): boolean {
  return codeFacts[code].harm === 'loss';
}
