import { formatCount } from '../../io/sizes.ts';

const namesShown = 3;

/** The first few of many names; all of them where verbose. */
export function someOf(names: readonly string[], verbose: boolean): string {
  const shown = verbose ? names : names.slice(0, namesShown);
  const left = names.length - shown.length;
  return `${shown.join(', ')}${left > 0 ? ` and ${formatCount(left)} more (-v names all)` : ''}`;
}
