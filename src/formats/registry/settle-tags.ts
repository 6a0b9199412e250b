import type { Problem } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import type { BlobTable } from '../blob-table.ts';
import { historyOf, type RepositoryRecord, type TagRecord } from './records.ts';

interface NamedTag {
  readonly repository: string;
  readonly tag: string;
}

/** Decides what each tag means when all members have passed, and says so where it had to decide. */
export function settleTags(
  repositories: ReadonlyMap<string, RepositoryRecord>,
  blobs: Pick<BlobTable, 'digest' | 'location'>,
  report: (problem: Problem) => void,
): void {
  const digestOf = (number: number): Digest => blobs.digest(number);
  for (const [repository, { tags, revisions }] of repositories) {
    const known = new Set(revisions);
    for (const [tag, record] of tags) {
      const lost = record.currentState === 'read' ? undefined : settleLostTag(record, { repository, tag }, digestOf);
      if (lost !== undefined) report(lost);
      const { current } = record;
      if (current !== undefined && !known.has(current))
        report(missingRevision({ repository, tag }, digestOf(current), blobs.location(current) !== undefined));
    }
  }
}

/** An empty link means its only history entry; everything else stays lost. */
function settleLostTag(
  record: TagRecord,
  { repository, tag }: NamedTag,
  digestOf: (number: number) => Digest,
): Problem | undefined {
  const name = `${repository}:${tag}`;
  if (record.currentState === 'absent')
    return {
      code: 'TAG_NO_CURRENT',
      repository,
      tag,
      message: `${name} has no current link: a registry lists it and answers 404`,
    };
  if (record.currentState !== 'empty') return undefined;
  const history = historyOf(record);
  const [only] = history;
  if (only === undefined || history.length > 1)
    return {
      code: 'TAG_AMBIGUOUS',
      repository,
      tag,
      message:
        `${name} has an empty link and ${history.length} candidates: ${listed(history.map(digestOf))}; ` +
        'choose with --at-digest',
    };
  record.current = only;
  return {
    code: 'LINK_RECOVERED',
    repository,
    tag,
    digest: digestOf(only),
    message: `the empty link of ${name} was recovered from its only history entry`,
  };
}

function missingRevision({ repository, tag }: NamedTag, digest: Digest, isStored: boolean): Problem {
  const fate = isStored ? 'its blob is still there and is used' : 'and its blob is gone too';
  return {
    code: 'TAG_REVISION_MISSING',
    repository,
    tag,
    digest,
    message: `${repository}:${tag} points to ${digest}, whose revision link is gone: it was deleted, ${fate}`,
  };
}

const candidatesInMessage = 10;

function listed(candidates: readonly Digest[]): string {
  const rest = candidates.length - candidatesInMessage;
  return candidates.length === 0
    ? 'none'
    : `${candidates.slice(0, candidatesInMessage).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
