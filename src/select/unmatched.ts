import type { Catalog } from '../content/contracts.ts';
import { compareCodePoints } from '../oci/reference.ts';
import { matchesImage, type FilterOptions } from './filter.ts';
import { mapMatches } from './rename.ts';
import { nearestOf, nearRepositories } from './near-names.ts';

/** In words, for the globs of a filter that match nothing in a backup: what does not match, and what would. */
export function unmatchedGlobs(catalog: Catalog, { include = [], exclude = [] }: FilterOptions): readonly string[] {
  return [
    ...include.flatMap((glob) => explainGlob(catalog, '--include', glob)),
    ...exclude.flatMap((glob) => explainGlob(catalog, '--exclude', glob)),
  ];
}

/** The same for maps of names. */
export function unmatchedMaps(catalog: Catalog, maps: readonly string[]): readonly string[] {
  const repositories = [...catalog.repositories()];
  return maps.flatMap((map) => {
    if (repositories.some(mapMatches(map))) return [];
    const [from = ''] = map.split('=');
    return [
      `--map '${map}' matches no repository${wider(from, (glob) => count(catalog, glob)) ?? near(catalog, from)}`,
    ];
  });
}

function explainGlob(catalog: Catalog, option: string, glob: string): readonly string[] {
  if (count(catalog, glob, 1) > 0) return [];
  return [`${option} '${glob}' matches nothing${wider(glob, (other) => count(catalog, other)) ?? near(catalog, glob)}`];
}

/** How many tags and untagged manifests a glob matches; not more than `enough`. */
function count(catalog: Catalog, glob: string, enough = Infinity): number {
  const matches = matchesImage(glob);
  let found = 0;
  for (const repository of catalog.repositories()) {
    for (const { tag, digest } of catalog.tags(repository))
      if (matches({ repository, tag, digest }) && ++found >= enough) return found;
    for (const { tag } of catalog.lostTags(repository))
      if (matches({ repository, tag, digest: '' }) && ++found >= enough) return found;
    if (found === 0 || glob.includes('@'))
      for (const digest of catalog.revisions(repository))
        if (matches({ repository, digest }) && ++found >= enough) return found;
  }
  return found;
}

/** `team/*` where only `team/**` would match. */
function wider(glob: string, matched: (glob: string) => number): string | undefined {
  const wide = glob.replace(/(?<!\*)\*(?!\*)(?=$|:|\/)/g, '**');
  if (wide === glob) return undefined;
  const found = matched(wide);
  if (found === 0) return undefined;
  return `: * stays within one component, and '${wide}' matches ${found === 1 ? '1 image' : `${found} images`}`;
}

function near(catalog: Catalog, glob: string): string {
  const plain = glob.replace(/[:@].*$/, '').replace(/(?:^|\/)\*+.*$/, '');
  const repositories = [...catalog.repositories()];
  const folders = new Set(repositories.flatMap(foldersAbove));
  const names =
    plain === ''
      ? []
      : repositories.includes(plain)
        ? nearTags(catalog, plain, glob)
        : [
            ...new Set([
              ...nearestOf(plain, folders).map((name) => `${name}/**`),
              ...nearRepositories(plain, repositories),
            ]),
          ];
  return names.length === 0
    ? '; `regtar list` shows what there is'
    : `; similar names: ${names.slice(0, 3).join(', ')}`;
}

function nearTags(catalog: Catalog, repository: string, glob: string): readonly string[] {
  const tags = [...catalog.tags(repository)].map(({ tag }) => tag);
  const near = nearestOf(glob.slice(repository.length + 1).replaceAll('*', ''), tags);
  return (near.length > 0 ? near : tags.sort(compareCodePoints).slice(-3)).map((tag) => `${repository}:${tag}`);
}

function foldersAbove(repository: string): readonly string[] {
  const parts = repository.split('/');
  return parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join('/'));
}
