import type { Catalog, ContentStore } from '../content/contracts.ts';
import { imageCreated } from '../content/image-created.ts';
import type { GraphReader } from '../content/image-graph.ts';
import { findReferrers, isReferrer, referrerTagSubject } from '../content/referrers.ts';
import { RegtarError } from '../errors.ts';
import { compareCodePoints } from '../oci/reference.ts';
import type { ImageFilter } from './filter.ts';
import type * as Versions from './versions.ts';

/** What tells newer from older: when storage wrote the tag, when the image was built, or the order of versions. */
export type Clock = 'pushed' | 'created' | 'version';

/** Which of the tags that names let through: by time, by version, by number. */
export interface TagChoice {
  /** So many of each repository. */
  readonly newest?: number | undefined;
  /** Seconds since 1970; a tag of this very second is in. */
  readonly since?: number | undefined;
  /** Seconds since 1970; a tag of this very second is out. */
  readonly until?: number | undefined;
  /** A range of versions, as npm writes them. Tags that are not versions are out. */
  readonly semver?: string | undefined;
  /** @defaultValue `pushed` */
  readonly by?: Clock | undefined;
}

/** A filter that knows the choice. */
export interface ChosenTags {
  readonly filter: ImageFilter;
  /** What chose, in words, with the span of its clock. */
  readonly told: string;
  /** Tags that names let through and the choice did not, as `repository:tag`. */
  readonly passedOver: ReadonlySet<string>;
}

/** A tag that takes part: signatures and fallback tags of referrers follow their subjects instead. */
interface Tag {
  readonly repository: string;
  readonly tag: string;
  /** Seconds since 1970. */
  readonly time: number | undefined;
}

/** Whether anything is chosen at all. */
export function isChoice({ newest, since, until, semver }: TagChoice): boolean {
  return [newest, since, until, semver].some((part) => part !== undefined);
}

/**
 * Narrows a filter to what a choice takes: names first, then dates and versions, the newest last. Signatures, fallback
 * tags and tagged referrers neither count nor age: they come with what they refer to. Equal times are ordered by
 * version, then by name.
 * @throws RegtarError TIMES_UNUSABLE where the clock tells nothing, USAGE for a range of versions that is none
 */
export async function chooseTags(
  source: { readonly catalog: Catalog; readonly store: ContentStore; readonly graph: GraphReader },
  filter: ImageFilter,
  choice: TagChoice,
): Promise<ChosenTags> {
  // Loaded on use: most runs choose nothing by time or version.
  const versions = await import('./versions.ts');
  const clock = choice.by ?? 'pushed';
  const needsTime =
    clock !== 'version' && [choice.newest, choice.since, choice.until].some((part) => part !== undefined);
  const inRange = choice.semver === undefined ? undefined : versions.parseVersionRange(choice.semver);
  const span = needsTime ? requireTimes(source, clock) : undefined;
  const chosen = new Map<string, ReadonlySet<string>>();
  const passedOver = new Set<string>();
  const counts = { all: 0, taken: 0, undated: 0 };
  for (const repository of source.catalog.repositories()) {
    const tags = takingPart(source, repository, filter, needsTime ? clock : undefined);
    const dated = tags.filter(({ tag, time }) => isBetween(time, choice) && (inRange?.(tag) ?? true));
    const taken = choice.newest === undefined ? dated : newestOf(dated, choice.newest, clock, versions);
    counts.all += tags.length;
    counts.taken += taken.length;
    if (needsTime) counts.undated += tags.filter(({ time }) => time === undefined).length;
    const names = new Set(taken.map(({ tag }) => tag));
    for (const { tag } of tags) if (!names.has(tag)) passedOver.add(`${repository}:${tag}`);
    chosen.set(repository, withFollowers(source, repository, names));
  }
  const isChosen: ImageFilter = (name) =>
    filter(name) && (name.tag === undefined || chosen.get(name.repository)?.has(name.tag) === true);
  const { namesRevision, excludes } = filter;
  return {
    filter: Object.assign(isChosen, { ...(namesRevision && { namesRevision }), ...(excludes && { excludes }) }),
    told: tell(choice, clock, span, counts),
    passedOver,
  };
}

type Source = Parameters<typeof chooseTags>[0];

/** Every time that a whole backup has by a clock, signatures aside. */
function* timesOf({ catalog, store, graph }: Source, clock: Clock): Generator<number> {
  for (const repository of catalog.repositories()) {
    for (const { tag, digest, pushed } of catalog.tags(repository)) {
      if (referrerTagSubject(tag) !== undefined) continue;
      const time = clock === 'created' ? imageCreated(graph, store, digest) : pushed;
      if (time !== undefined) yield time;
    }
  }
}

function takingPart(
  { catalog, store, graph }: Source,
  repository: string,
  filter: ImageFilter,
  clock: Clock | undefined,
): readonly Tag[] {
  const stored = [...catalog.tags(repository)]
    .filter((entry) => filter({ repository, ...entry }) && !isReferrer(graph, entry))
    .map(({ tag, digest, pushed }) => ({
      repository,
      tag,
      time: clock === 'created' ? imageCreated(graph, store, digest) : pushed,
    }));
  // A tag that lost its meaning still was pushed: a choice of the newest reports it.
  const lost = [...catalog.lostTags(repository)]
    .filter(({ tag }) => filter({ repository, tag, digest: '' }))
    .map(({ tag, pushed }) => ({ repository, tag, time: clock === 'created' ? undefined : pushed }));
  return [...stored, ...lost];
}

function isBetween(time: number | undefined, { since, until }: TagChoice): boolean {
  if (since === undefined && until === undefined) return true;
  return time !== undefined && time >= (since ?? -Infinity) && time < (until ?? Infinity);
}

function newestOf(tags: readonly Tag[], count: number, clock: Clock, { compareVersions, isVersion }: typeof Versions) {
  const ordered = (clock === 'version' ? tags.filter(({ tag }) => isVersion(tag)) : tags).toSorted(
    (left, right) =>
      (clock === 'version' ? 0 : (right.time ?? 0) - (left.time ?? 0)) ||
      compareVersions(right.tag, left.tag) ||
      compareCodePoints(right.tag, left.tag),
  );
  return ordered.slice(0, count);
}

function withFollowers(
  { catalog, graph }: Source,
  repository: string,
  names: ReadonlySet<string>,
): ReadonlySet<string> {
  if (names.size === 0) return names;
  const tags = [...catalog.tags(repository)];
  const roots = tags.filter(({ tag }) => names.has(tag)).map(({ digest }) => digest);
  const followers = findReferrers(graph, roots, tags, []).flatMap(({ tag }) => (tag === undefined ? [] : [tag]));
  return new Set([...names, ...followers]);
}

/** First and last time of a whole backup. */
interface Span {
  readonly first: number;
  readonly last: number;
}

/** The whole backup is asked, not what names let through: two tags of one second are common, a thousand are a copy. */
function requireTimes(source: Source, clock: Clock): Span {
  let first = Infinity;
  let last = -Infinity;
  let dated = 0;
  for (const time of timesOf(source, clock)) {
    dated++;
    first = Math.min(first, time);
    last = Math.max(last, time);
  }
  if (dated === 0)
    throw unusable(
      clock === 'created' ? 'no image of this backup says when it was created' : 'this source keeps no push times',
      clock,
    );
  if (dated > 1 && first === last)
    throw unusable(
      clock === 'created'
        ? `all ${dated} tags are on images that were created at the same time, ${formatDay(first)}: they were ` +
            'built to be reproducible'
        : `all ${dated} tags have the same push time, ${formatDay(first)}: this storage was copied without its times`,
      clock,
    );
  return { first, last };
}

function unusable(message: string, clock: Clock): RegtarError {
  return new RegtarError('TIMES_UNUSABLE', message, {
    hint:
      clock === 'created'
        ? 'order tags as versions with --by version, or leave --by out to go by push time'
        : 'go by the image with --by created or by the tag with --by version; `tar -p`, `cp -a` and `rsync ' +
          '-t` keep times',
  });
}

function tell(
  choice: TagChoice,
  clock: Clock,
  span: Span | undefined,
  { all, taken, undated }: { readonly all: number; readonly taken: number; readonly undated: number },
): string {
  const names: Readonly<Record<Clock, string>> = { pushed: 'push time', created: 'creation time', version: 'version' };
  const ways = [
    ...(choice.semver === undefined ? [] : [`version range ${choice.semver}`]),
    ...(span === undefined ? [] : [`${names[clock]} (${formatDay(span.first)} to ${formatDay(span.last)})`]),
    ...(clock === 'version' && choice.newest !== undefined ? ['version order'] : []),
  ];
  const left = undated > 0 ? `; ${undated} have no ${names[clock]} and count as the oldest` : '';
  return `chosen by ${ways.join(' and ')}: ${taken} of ${all} tags${left}`;
}

/** The local day, as people give it to `--since`. */
function formatDay(seconds: number): string {
  const date = new Date(Math.min(Math.max(seconds, 0), 8e12) * 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
