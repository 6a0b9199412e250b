import type { Problem } from '../errors.ts';
import { linkedPath } from '../formats/registry/layout.ts';
import { limits } from '../io/limits.ts';
import { makeDigest, type Digest } from '../oci/digest.ts';
import type { Member } from '../tar/member.ts';
import { scanTarStream, type BodyTaker } from '../tar/stream-scan.ts';
import type { Backup, Entry } from './backup.ts';
import { createBodyTakers, type BodyTakers, type TellMember } from './body-takers.ts';
import { createEntryLog } from './entry-log.ts';
import type { Spool } from './spool.ts';

/**
 * What a pass keeps: `all` for outputs, `small` (manifests, configs, links) where layers are not read, `digests` where
 * they are only to be hashed.
 */
export type Kept = 'all' | 'small' | 'digests';

/** What one pass over a stream leaves behind, beside its spool. */
export interface StreamPass {
  readonly problems: readonly Problem[];
  /** Every entry with its place in the spool. */
  readonly log: readonly Uint8Array[];
}

/** Contents up to this share one file: a file each would cost more than their bytes. */
const packedBytes = 64 * 1024;

/**
 * Reads a stream to its end. What lies under a blob's name is kept and hashed; other large contents are kept until the
 * end of the pass, since a blob may be a link to them, and dropped when none is.
 */
export async function passStream(
  chunks: AsyncIterable<Uint8Array>,
  spool: Spool,
  keep: Kept,
  visit: (entry: Entry) => void,
  options: Parameters<Backup['scan']>[1],
): Promise<StreamPass> {
  const log = createEntryLog();
  const tell: TellMember = (member, location, bytes, file) => {
    const { path, kind, target, modified } = member;
    const entry: Entry = { path, kind, target, modified, location, bytes };
    if (isWorthRepeating(member)) log.add(entry, file);
    visit(entry);
  };
  const takers = createBodyTakers(spool, tell);
  const isWanted = (path: string): boolean => options?.isWanted?.(path) === true;
  /** What links lead to. */
  const targets = new Set<string>();
  const begin = (member: Member): BodyTaker => {
    if (member.kind === 'file') return chooseTaker(member, takers, keep, isWanted);
    const target =
      member.kind === 'hardlink' || member.kind === 'symlink'
        ? linkedPath(member.path, member.target, member.kind)
        : undefined;
    // Blobs are kept anyway.
    if (target !== undefined && blobDigest(target) === undefined) targets.add(target);
    return takers.passing(member);
  };
  const problems = await scanTarStream(chunks, begin, options);
  spool.flush();
  takers.dropOthers((path, cleanPath) => isWanted(path) || targets.has(cleanPath));
  return { problems, log: log.pieces() };
}

/** Decides what becomes of a file's body. */
function chooseTaker(member: Member, takers: BodyTakers, keep: Kept, isWanted: (path: string) => boolean): BodyTaker {
  const { path, size, runs } = member;
  if (size <= packedBytes && runs === undefined) return takers.small(member);
  if (path.includes('/_uploads/')) return takers.passing(member);
  // An index of a hundred thousand images is larger than any manifest.
  if (isIndexFile(member) && isWanted(path)) return takers.small(member);
  const mayBeJson = size <= limits.manifestBytes && runs === undefined;
  if (keep === 'small') return mayBeJson ? takers.onlyJson(member, takers.passing) : takers.passing(member);
  const digest = blobDigest(path);
  const repeated = digest && takers.repeated(member, digest);
  if (repeated !== undefined) return repeated;
  // The holes of a sparse member are filled in a file.
  if (keep === 'all' || runs !== undefined) return takers.large(member, digest);
  return mayBeJson ? takers.onlyJson(member, (other) => takers.hashing(other, digest)) : takers.hashing(member, digest);
}

function isIndexFile({ path, size, runs }: Member): boolean {
  const most = path.endsWith('index.json') ? limits.layoutIndexBytes : limits.imageListBytes;
  return path.endsWith('.json') && size <= most && runs === undefined;
}

/** Folders mean nothing, but for those of tags, which may lack everything else. */
function isWorthRepeating(member: Member): boolean {
  return member.kind !== 'directory' || member.path.includes('/_manifests/tags/');
}

/** In a registry's storage and in OCI layouts. */
const blobPattern = /(?:^|\/)blobs\/(sha256|sha512)\/(?:[0-9a-f]{2}\/([0-9a-f]+)\/data|([0-9a-f]+))$/;

function blobDigest(path: string): Digest | undefined {
  const [, algorithm, stored, plain] = blobPattern.exec(path) ?? [];
  const hex = stored ?? plain;
  return algorithm === undefined || hex === undefined ? undefined : makeDigest(algorithm, hex);
}
