import { codeFacts, RegtarError, type Problem } from '../errors.ts';
import type { Catalog, LostTag, TagEntry } from '../content/contracts.ts';
import type { Digest } from '../oci/digest.ts';
import { compareCodePoints } from '../oci/reference.ts';

/** Repository → tag → what it is to mean. */
export type TagChoices = ReadonlyMap<string, ReadonlyMap<string, Digest>>;

/**
 * A catalog whose tags mean what was chosen; all other tags keep their meaning. What a tag meant before stays in its
 * history.
 */
export function withChosenTags<Some extends Catalog>(
  catalog: Some,
  choices: TagChoices,
  problems: readonly Problem[] = [],
): Some {
  const isChosen = (repository: string | undefined, tag: string | undefined): boolean =>
    repository !== undefined && tag !== undefined && choices.get(repository)?.has(tag) === true;
  return {
    ...catalog,
    tags(repository: string): Iterable<TagEntry> {
      const chosen = choices.get(repository);
      return chosen === undefined
        ? catalog.tags(repository)
        : mergeTags([...catalog.tags(repository)], [...catalog.lostTags(repository)], chosen);
    },
    lostTags: (repository: string): Iterable<LostTag> =>
      [...catalog.lostTags(repository)].filter(({ tag }) => !isChosen(repository, tag)),
    problems: [
      ...catalog.problems.filter(
        ({ code, repository, tag }) => !(codeFacts[code].tag !== undefined && isChosen(repository, tag)),
      ),
      ...problems,
    ],
  };
}

/**
 * Lets a tag mean an entry of its history again: for empty links with several candidates, and to go back to an older
 * image.
 * @throws RegtarError TAG_UNKNOWN when the backup has no such tag, or the tag never meant this digest
 */
export function withTagAt<Some extends Catalog>(
  catalog: Some,
  wanted: { readonly repository: string; readonly tag: string; readonly digest: Digest },
): Some {
  const { repository, tag, digest } = wanted;
  const history = tagHistory(catalog, repository, tag);
  if (history === undefined)
    throw new RegtarError('TAG_UNKNOWN', `${repository}:${tag} is not in the backup`, {
      side: 'usage',
      where: { repository, tag },
      hint: 'run `regtar list` to see what it has',
    });
  if (!history.includes(digest)) {
    throw new RegtarError('TAG_UNKNOWN', `${repository}:${tag} never pointed to ${digest}`, {
      side: 'usage',
      where: { repository, tag, digest },
      hint:
        history.length > 0
          ? `it pointed to ${history.join(', ')}`
          : 'its history is empty; name the image by its digest: repository@sha256:…',
    });
  }
  return withChosenTags(catalog, new Map([[repository, new Map([[tag, digest]])]]));
}

/** Every digest that a tag ever pointed to, lost tags included; undefined where there is no such tag. */
export function tagHistory(catalog: Catalog, repository: string, tag: string): readonly Digest[] | undefined {
  for (const entry of catalog.tags(repository)) if (entry.tag === tag) return entry.history;
  for (const entry of catalog.lostTags(repository)) if (entry.tag === tag) return entry.candidates;
  return undefined;
}

function* mergeTags(
  stored: readonly TagEntry[],
  lost: readonly LostTag[],
  chosen: ReadonlyMap<string, Digest>,
): Generator<TagEntry> {
  const entries = new Map(stored.map((entry) => [entry.tag, entry]));
  const losses = new Map(lost.map((entry) => [entry.tag, entry]));
  for (const [tag, digest] of chosen) {
    const history = entries.get(tag)?.history ?? losses.get(tag)?.candidates ?? [];
    const pushed = (entries.get(tag) ?? losses.get(tag))?.pushed;
    entries.set(tag, {
      tag,
      digest,
      history: history.includes(digest) ? history : [...history, digest],
      ...(pushed !== undefined && { pushed }),
    });
  }
  yield* [...entries.values()].sort((left, right) => compareCodePoints(left.tag, right.tag));
}
