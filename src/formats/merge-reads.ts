import type { Problem } from '../errors.ts';
import type { Catalog, ContentStore, TagEntry } from '../content/contracts.ts';
import { compareCodePoints } from '../oci/reference.ts';
import type { Digest } from '../oci/digest.ts';
import type { ReadImages } from './reader.ts';

/**
 * What two formats found in several SOURCEs, as one. A tag that both have means what the first says, and a problem
 * tells it.
 */
export function mergeReads(first: ReadImages, second: ReadImages): ReadImages {
  return {
    catalog: mergeCatalogs(first.catalog, second.catalog),
    store: mergeStores(first.store, second.store),
    notes: [...first.notes, ...second.notes],
  };
}

function mergeCatalogs(first: Catalog, second: Catalog): Catalog {
  const names = union(first.repositories(), second.repositories());
  const conflicts: Problem[] = [];
  const tagsOf = (repository: string): readonly TagEntry[] => {
    const entries = new Map<string, TagEntry>();
    for (const entry of [...first.tags(repository), ...second.tags(repository)]) {
      const known = entries.get(entry.tag);
      entries.set(entry.tag, known === undefined ? entry : { ...known, history: union(known.history, entry.history) });
    }
    return [...entries.values()].sort((left, right) => compareCodePoints(left.tag, right.tag));
  };
  for (const repository of first.repositories()) {
    const others = new Map([...second.tags(repository)].map(({ tag, digest }) => [tag, digest]));
    for (const { tag, digest } of others.size === 0 ? [] : first.tags(repository)) {
      const other = others.get(tag);
      if (other !== undefined && other !== digest)
        conflicts.push({
          code: 'TAG_CONFLICT',
          repository,
          tag,
          digest: other,
          message: `${repository}:${tag} is ${digest} in one SOURCE, which is used, and ${other} in another`,
        });
    }
  }
  const aliases = new Map([...(second.aliases ?? []), ...(first.aliases ?? [])]);
  return {
    problems: [...first.problems, ...second.problems, ...conflicts],
    repositories: () => names,
    tags: tagsOf,
    *lostTags(repository) {
      const found = new Set(tagsOf(repository).map(({ tag }) => tag));
      for (const lost of [...first.lostTags(repository), ...second.lostTags(repository)])
        if (!found.has(lost.tag)) {
          found.add(lost.tag);
          yield lost;
        }
    },
    revisions: (repository) => union(first.revisions(repository), second.revisions(repository)),
    layers: (repository) => union(first.layers(repository), second.layers(repository)),
    blobs: () => new Set([...first.blobs(), ...second.blobs()]),
    ...(aliases.size > 0 && { aliases }),
  };
}

function union<Text extends string>(left: Iterable<Text>, right: Iterable<Text>): readonly Text[] {
  return [...new Set([...left, ...right])].sort(compareCodePoints);
}

/** Places of the second come after those of the first. */
const secondMedium = 2 ** 40;

function mergeStores(first: ContentStore, second: ContentStore): ContentStore {
  const of = (digest: Digest): ContentStore => (first.stat(digest) === undefined ? second : first);
  // Both may share one spool, and neither knows what the other needs of it, so nothing is dropped early.
  return {
    stat: (digest) => of(digest).stat(digest),
    open: (digest, from, ring) => of(digest).open(digest, from, ring),
    readSmall: (digest) => of(digest).readSmall(digest),
    file: (digest) => of(digest).file(digest),
    hashedAs: (digest) => of(digest).hashedAs?.(digest),
    ranges: (digest) => of(digest).ranges?.(digest),
    far: (digest) => of(digest).far?.(digest),
    isFar: first.isFar === true || second.isFar === true,
    object: (digest) => of(digest).object?.(digest),
    position: (digest) =>
      first.stat(digest) === undefined ? secondMedium + second.position(digest) : first.position(digest),
  };
}
