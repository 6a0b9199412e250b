import type { Catalog } from '../content/contracts.ts';
import { RegtarError } from '../errors.ts';
import { parseImageReference, type NamedImage } from '../oci/reference.ts';
import { nearImages } from './near-names.ts';

/** An image that was named and a backup does not have, with the names that are near. */
export function unknownImage(catalog: Catalog, text: string, image: NamedImage): RegtarError {
  const near = nearImages(catalog, image);
  return new RegtarError('TAG_UNKNOWN', `${text} is not in the backup`, {
    where: { repository: image.repository },
    hint: near.length > 0 ? `similar names: ${near.join(', ')}` : 'run `regtar list` to see what it has',
  });
}

/** Which of some names, `repository:tag` or `repository@digest`, mean nothing in a backup. Lost tags are there. */
export function missingNames(catalog: Catalog, names: Iterable<string>): readonly string[] {
  const known = new Map<string, ReadonlySet<string>>();
  const partsOf = (repository: string): ReadonlySet<string> => {
    const tags = [...catalog.tags(repository), ...catalog.lostTags(repository)].map(({ tag }) => tag);
    return new Set([...tags, ...catalog.revisions(repository)]);
  };
  return [...names].filter((name) => {
    const { repository, tag, digest } = parseImageReference(name);
    let parts = known.get(repository);
    if (parts === undefined) known.set(repository, (parts = partsOf(repository)));
    return !parts.has(tag ?? digest ?? '');
  });
}
