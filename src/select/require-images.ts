import type { Catalog } from '../content/contracts.ts';
import { RegtarError } from '../errors.ts';
import type { Plan } from './plan.ts';

/**
 * An empty plan is never what was intended.
 * @param reasons in words, where they are known: globs that match nothing, a choice that takes nothing
 * @throws RegtarError NOTHING_SELECTED
 */
export function requireImages(plan: Plan, catalog: Catalog, reasons: readonly string[] = []): void {
  if (plan.images.length + plan.refused.length > 0) return;
  throw nothingSelected(catalog, reasons);
}

/** Why nothing was chosen, and what to do about it. */
export function nothingSelected(catalog: Catalog, reasons: readonly string[] = []): RegtarError {
  const repositories = [...catalog.repositories()];
  const hasTags = repositories.some((repository) => !isEmpty(catalog.tags(repository)));
  if (hasTags)
    return new RegtarError('NOTHING_SELECTED', 'no image of this backup was chosen', {
      hint:
        reasons.length > 0
          ? reasons.join('\n      ')
          : '`regtar list` shows what there is; a glob without `:` matches whole repositories, and `*` stays ' +
            'within one component',
    });
  if (repositories.some((repository) => !isEmpty(catalog.lostTags(repository))))
    return new RegtarError('NOTHING_SELECTED', 'no tag of this backup names a certain image', {
      hint: '`regtar verify` says why; --at-digest chooses an image for a tag',
    });
  if (repositories.some((repository) => !isEmpty(catalog.revisions(repository)))) {
    return new RegtarError('NOTHING_SELECTED', 'this backup has images but no tags', {
      hint:
        'give their names with --tag-map (Harbor 2.15 and newer, and GitLab with its metadata database, keep tags ' +
        'elsewhere), or take images by digest with --untagged',
    });
  }
  const [problem] = catalog.problems;
  return new RegtarError(
    'NOTHING_SELECTED',
    `this backup has no images${problem === undefined ? '' : `: ${problem.message}`}`,
    { hint: 'is it whole? `regtar verify` says what is there' },
  );
}

function isEmpty(items: Iterable<unknown>): boolean {
  for (const _ of items) return false;
  return true;
}
