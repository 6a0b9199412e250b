import type { ImmutableRule } from './world.ts';

/** Which names a rule speaks of: those that fit the pattern, or with `excludes` those that do not. */
export interface Selector {
  readonly pattern: string;
  readonly excludes: boolean;
}

/** A rule that holds where all of its selectors do. */
export function immutableRule(id: number, tags: readonly Selector[], repositories: readonly Selector[]): ImmutableRule {
  return {
    id,
    tags: (tag) => tags.every((selector) => selects(selector, tag)),
    repositories: (name) => repositories.every((selector) => selects(selector, name)),
  };
}

function selects({ pattern, excludes }: Selector, name: string): boolean {
  return globPattern(pattern).test(name) !== excludes;
}

/** The double-star globs of Harbor's rules: `**`, `*`, `?` and `{a,b}`. */
function globPattern(glob: string): RegExp {
  const source = glob.replace(/\*\*|\*|\?|\{[^}]*\}|[^*?{]/g, (part) => {
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.startsWith('{')) return `(?:${part.slice(1, -1).split(',').map(escape).join('|')})`;
    return escape(part);
  });
  return new RegExp(`^${source}$`);
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
