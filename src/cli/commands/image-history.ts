import { RegtarError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseImageReference } from '../../oci/reference.ts';
import { tagHistory } from '../../names/choose-tags.ts';
import type { OpenedBackup } from '../open-backup.ts';

/** One digest that a tag means or meant. */
export interface HistoryEntry {
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
  /** What the tag means now. */
  readonly current: boolean;
  /** Whether the manifest is still in the backup, so that --at-digest can bring it back. */
  readonly present: boolean;
}

/** Everything that a tag ever meant; storage keeps no order and no times of it. @throws RegtarError REFERENCE_INVALID, TAG_UNKNOWN */
export function imageHistory({ catalog, store }: OpenedBackup, text: string): readonly HistoryEntry[] {
  const { repository, tag } = parseImageReference(text);
  const history = tag === undefined ? undefined : tagHistory(catalog, repository, tag);
  if (tag === undefined || history === undefined)
    throw new RegtarError('TAG_UNKNOWN', `${text} is no tag of the backup`, {
      where: { repository },
      hint: 'run `regtar list` to see what is',
    });
  const current = [...catalog.tags(repository)].find((entry) => entry.tag === tag)?.digest;
  return history.map((digest) => ({
    repository,
    tag,
    digest,
    current: digest === current,
    present: store.stat(digest) !== undefined,
  }));
}
