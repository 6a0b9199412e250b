import { expected } from '../../support/fixture.ts';
import { nameOf } from './reports.ts';

/** Digest by `repository:tag`: every tag of the fixture, as the registry answered it. */
export const tagDigests: Readonly<Record<string, string>> = Object.fromEntries(
  expected.tags.map((tag) => [nameOf(tag), tag.digest]),
);

/** A manifest that travels without any tag, because it refers to something that travels. The other referrer is a child of the index that names it. */
export const referrerDigests: Readonly<Record<string, string>> = byDigest('subject', 'base');

/** Manifests that nothing names and nothing refers from. */
const untaggedDigests: Readonly<Record<string, string>> = byDigest('nothing');

/** What `--untagged` brings out of the fixture: everything. */
export const allDigests = { ...tagDigests, ...referrerDigests, ...untaggedDigests };

/** A tag's digest. @throws Error when the fixture has no such tag */
export function digestOfTag(name: string): string {
  const digest = tagDigests[name];
  if (digest === undefined) throw new Error(`the fixture has no ${name}`);
  return digest;
}

function byDigest(reachedBy: string, repository?: string): Record<string, string> {
  const found = expected.revisions.filter(
    (revision) => revision.reachedBy === reachedBy && (repository ?? revision.repository) === revision.repository,
  );
  return Object.fromEntries(found.map(({ repository, digest }) => [`${repository}@${digest}`, digest]));
}
