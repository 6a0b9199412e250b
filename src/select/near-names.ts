import type { Catalog } from '../content/contracts.ts';
import { referrerTagSubject } from '../content/referrers.ts';
import type { NamedImage } from '../oci/reference.ts';
import { editDistance } from './nearest.ts';

const namesShown = 3;

/**
 * Names of a backup that may have been meant, the nearest first: tags where the repository is there, else
 * repositories, with the tag where they have it.
 */
export function nearImages(catalog: Catalog, { repository, tag }: NamedImage): readonly string[] {
  const repositories = [...catalog.repositories()];
  if (repositories.includes(repository)) {
    const tags = [...catalog.tags(repository)].map((entry) => entry.tag);
    const own = tags.filter((name) => referrerTagSubject(name) === undefined);
    const near = nearestOf(tag ?? '', own);
    return (near.length > 0 ? near : own.slice(0, namesShown)).map((name) => `${repository}:${name}`);
  }
  return nearRepositories(repository, repositories).map((name) =>
    tag !== undefined && [...catalog.tags(name)].some((entry) => entry.tag === tag) ? `${name}:${tag}` : name,
  );
}

/** Repositories that end or begin alike, else those that are a few slips away. */
export function nearRepositories(name: string, repositories: readonly string[]): readonly string[] {
  const last = name.slice(name.lastIndexOf('/') + 1);
  const alike = repositories.filter(
    (other) => other.endsWith(`/${name}`) || name.endsWith(`/${other}`) || other.startsWith(`${name}/`),
  );
  const sameLast = repositories.filter((other) => other === last || other.endsWith(`/${last}`));
  return [...new Set([...alike, ...sameLast, ...nearestOf(name, repositories)])].slice(0, namesShown);
}

/** The few that are nearest, and near enough. */
export function nearestOf(word: string, candidates: Iterable<string>): readonly string[] {
  const limit = Math.min(3, Math.ceil(word.length / 2));
  return [...candidates]
    .flatMap((candidate) => {
      // A word cannot be nearer than its length is.
      if (Math.abs(candidate.length - word.length) > limit) return [];
      const distance = editDistance(word, candidate);
      return distance <= limit ? [{ candidate, distance }] : [];
    })
    .sort((left, right) => left.distance - right.distance)
    .slice(0, namesShown)
    .map(({ candidate }) => candidate);
}
