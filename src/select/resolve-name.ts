import type { Catalog } from '../content/contracts.ts';
import { formatImageReference, isRepository, parseNamedImage, type NamedImage } from '../oci/reference.ts';

/** Repositories that a catalog has. A set, since lists have thousands of names. */
export function repositoriesOf(catalog: Catalog): ReadonlySet<string> {
  return new Set(catalog.repositories());
}

/**
 * What a name means in a backup. A storage may have the host in its own names, so the whole name goes first, then the
 * name without the host; Docker's short names stand for `library/`. What is not there stays as it is.
 */
export function resolveName(repositories: ReadonlySet<string>, name: NamedImage): NamedImage {
  const { host, repository, ...rest } = name;
  if (host === undefined) return name;
  const whole = `${host}/${repository}`;
  const isHub = host === 'docker.io' || host === 'index.docker.io' || host === 'registry-1.docker.io';
  const spellings = [whole, repository, ...(isHub ? [`docker.io/${repository}`, `library/${repository}`] : [])];
  const found = spellings.find((spelling) => repositories.has(spelling));
  if (found !== undefined) return { repository: found, ...rest };
  return isRepository(whole) && !whole.includes(':') ? { repository: whole, ...rest } : { repository, ...rest };
}

/** The names of an images list as the backup has them. */
export function resolveNames(catalog: Catalog, names: ReadonlySet<string>): ReadonlySet<string> {
  const repositories = repositoriesOf(catalog);
  return new Set([...names].map((name) => formatImageReference(resolveName(repositories, parseNamedImage(name)))));
}
