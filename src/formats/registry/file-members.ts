import type { Problem } from '../../errors.ts';
import { emptyDigest, type Digest } from '../../oci/digest.ts';
import type { Location } from '../../source/backup.ts';
import { BlobTable } from '../blob-table.ts';
import type { HeldMember } from './held-member.ts';
import { fileCurrentLink, judgeDigestLink } from './judge-links.ts';
import type { StoragePath } from './layout.ts';
import { createPathReader, type PathReader } from './path-reader.ts';
import { addHistory, createRecords, withNumber, type Records } from './records.ts';

/** What the members of a storage mean, filed as they pass. */
export interface FiledMembers extends Pick<Records, 'repositories'> {
  readonly paths: PathReader;
  readonly blobs: BlobTable;
  /** Digests that links of another algorithm stand for, and the digest that their bytes are kept under. */
  readonly aliases: Map<Digest, Digest>;
  /** Blobs that a member has no bytes of, and the member's path. */
  readonly emptyBlobs: ReadonlyMap<Digest, string>;
  /** Files a member's meaning, with the bytes of links and the place of blobs. */
  file(path: StoragePath, member: HeldMember): void;
  /** A tag's folder shows that it was there once, even where everything else is lost. */
  fileTagFolder(path: { readonly repository: string; readonly tag: string }): void;
}

/** Nothing has passed yet. */
export function createFiledMembers(options: {
  readonly nameOf: (source: number) => string;
  readonly report: (problem: Problem) => void;
}): FiledMembers {
  const { nameOf, report } = options;
  const blobs = new BlobTable();
  const records = createRecords();
  const aliases = new Map<Digest, Digest>();
  const emptyBlobs = new Map<Digest, string>();
  let lastNumber = -1;
  const paths = createPathReader((bytes, at) => {
    lastNumber = blobs.numberAt(bytes, at);
    return lastNumber < 0 ? undefined : blobs.digest(lastNumber);
  });
  // The path reader has just looked for most of them.
  const numberOf = (digest: Digest): number =>
    lastNumber >= 0 && digest === blobs.digest(lastNumber) ? lastNumber : blobs.numberOf(digest);

  /**
   * The same path twice in one archive: the last is what tar would leave on disk. In several archives: the first, which
   * a delta repeats.
   */
  const placeBlob = (number: number, location: Location): void => {
    const known = blobs.location(number);
    if (known === undefined || known.source === location.source) blobs.place(number, location);
  };
  const checkLink = (
    path: Extract<StoragePath, { kind: 'layer-link' | 'revision-link' }>,
    member: HeldMember,
  ): void => {
    const judged = judgeDigestLink(path, member);
    if (judged === undefined) return;
    if ('storedAs' in judged) {
      blobs.numberOf(judged.storedAs);
      aliases.set(path.digest, judged.storedAs);
    } else report(judged);
  };

  return {
    paths,
    blobs,
    aliases,
    emptyBlobs,
    repositories: records.repositories,
    file(path, member) {
      switch (path.kind) {
        case 'blob':
          // Where a blob is there twice, once without bytes, the other one is read: its digest proves it.
          if (member.location.size === 0 && path.digest !== emptyDigest) emptyBlobs.set(path.digest, member.path);
          else placeBlob(numberOf(path.digest), member.location);
          return;
        case 'layer-link': {
          const record = records.repository(path.repository);
          record.layers = withNumber(record.layers, numberOf(path.digest));
          return checkLink(path, member);
        }
        case 'revision-link': {
          const record = records.repository(path.repository);
          record.revisions = withNumber(record.revisions, numberOf(path.digest));
          return checkLink(path, member);
        }
        case 'tag-index':
          return addHistory(records.tag(path.repository, path.tag), numberOf(path.digest));
        case 'tag-current': {
          const { repository, tag } = path;
          return fileCurrentLink(records.tag(repository, tag), member, { repository, tag, blobs, nameOf, report });
        }
        case 'tag-folder':
        case 'ignored':
        case 'tarsum':
        case 'v1':
        case 'invalid':
        case 'climbing':
          return;
      }
    },
    fileTagFolder: ({ repository, tag }) => void records.tag(repository, tag),
  };
}
