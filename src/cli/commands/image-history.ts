import type { Digest } from '../../oci/digest.ts';
import { formatImageReference, type NamedImage } from '../../oci/reference.ts';
import { unknownImage } from '../../select/unknown-image.ts';
import { tagHistory } from '../../names/chosen-tags.ts';
import type { OpenedBackup } from '../open-backup.ts';

/** One digest that a tag points to or once pointed to. */
export interface HistoryEntry {
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
  /** What the tag points to now. */
  readonly current: boolean;
  /** Whether the manifest is still in the backup, so that --at-digest can bring it back. */
  readonly present: boolean;
}

/**
 * Everything that a tag ever meant; storage keeps no order and no times of it.
 * @throws RegtarError REFERENCE_INVALID, TAG_UNKNOWN
 */
export function imageHistory({ catalog, store }: OpenedBackup, name: NamedImage): readonly HistoryEntry[] {
  const { repository, tag } = name;
  const history = tag === undefined ? undefined : tagHistory(catalog, repository, tag);
  if (tag === undefined || history === undefined) throw unknownImage(catalog, formatImageReference(name), name);
  const current = [...catalog.tags(repository)].find((entry) => entry.tag === tag)?.digest;
  return history.map((digest) => ({
    repository,
    tag,
    digest,
    current: digest === current,
    present: store.stat(digest) !== undefined,
  }));
}
