import type { Problem } from '../../errors.ts';
import { digestAlgorithm, isDigest, type Digest } from '../../oci/digest.ts';
import type { BlobTable } from '../blob-table.ts';
import { linkText, type HeldMember } from './held-member.ts';
import type { StoragePath } from './layout.ts';
import { addHistory, type TagRecord } from './records.ts';

/**
 * Judges a revision or layer link. Its digest stands in its path; a content that says otherwise is damage, an empty one
 * is repaired by the path.
 * @returns the digest that bytes are kept under, where the link is of another algorithm; what is wrong; undefined for
 * a link that says what its path says
 * @see Distribution 3, which keeps bytes under their sha256 digest; the link of another algorithm leads there
 */
export function judgeDigestLink(
  { digest, repository }: Extract<StoragePath, { kind: 'layer-link' | 'revision-link' }>,
  member: HeldMember,
): { readonly storedAs: Digest } | Problem | undefined {
  const content = linkText(member);
  if (content === digest) return undefined;
  if (content !== undefined && isDigest(content) && digestAlgorithm(content) !== digestAlgorithm(digest))
    return { storedAs: content };
  const where = { path: member.path, repository, digest };
  return content === ''
    ? { code: 'LINK_RECOVERED', ...where, message: 'an empty link was recovered from its own path' }
    : { code: 'LINK_INVALID', ...where, message: 'a link does not hold the digest of its path; the path is used' };
}

/** What a tag's current link is filed with. */
export interface CurrentLinkOptions {
  readonly repository: string;
  readonly tag: string;
  /** Numbers of digests. */
  readonly blobs: Pick<BlobTable, 'digest' | 'numberOf'>;
  /** Of several backups, for people. */
  readonly nameOf: (source: number) => string;
  readonly report: (problem: Problem) => void;
}

/** Files what a tag's current link says. Of several backups the last decides, unless a crash emptied its link. */
export function fileCurrentLink(record: TagRecord, member: HeldMember, options: CurrentLinkOptions): void {
  const { repository, tag, report } = options;
  const content = linkText(member);
  const digest = content !== undefined && isDigest(content) ? options.blobs.numberOf(content) : undefined;
  const source = member.location.source ?? 0;
  if (record.current !== undefined && record.source !== source && record.current !== digest) {
    report(conflict(record, record.current, member, digest, options));
    addHistory(record, record.current);
    // A link that a crash emptied says nothing against the older backup.
    if (digest === undefined) return;
  }
  record.modified = member.modified;
  record.source = source;
  record.current = digest;
  record.currentState = digest !== undefined ? 'read' : content === '' ? 'empty' : 'invalid';
  if (record.currentState === 'invalid')
    report({
      code: 'LINK_INVALID',
      path: member.path,
      repository,
      tag,
      message: `the link of ${repository}:${tag} does not hold a digest`,
    });
}

/** Two backups say different things of a tag. */
function conflict(
  record: TagRecord,
  beforeNumber: number,
  member: HeldMember,
  number: number | undefined,
  { repository, tag, blobs, nameOf }: CurrentLinkOptions,
): Problem {
  const before = blobs.digest(beforeNumber);
  const digest = number === undefined ? undefined : blobs.digest(number);
  const [older, newer] = [nameOf(record.source), nameOf(member.location.source ?? 0)];
  return {
    code: 'TAG_CONFLICT',
    path: member.path,
    repository,
    tag,
    digest: digest ?? before,
    message:
      `${repository}:${tag} is ${before} in ${older} (${dateOf(record.modified)}) and ` +
      `${digest ?? 'a damaged link'} in ${newer} (${dateOf(member.modified)}); ` +
      `${digest === undefined ? older : newer} is used`,
  };
}

function dateOf(seconds: number): string {
  return new Date(Math.min(Math.max(seconds, 0), 8e12) * 1000).toISOString().slice(0, 10);
}
