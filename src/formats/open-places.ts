import type { ContentStore } from '../content/contracts.ts';
import { createDigestSet } from '../content/digest-set.ts';
import type { Digest } from '../oci/digest.ts';
import type { Backup, Location } from '../source/backup.ts';
import { BlobTable } from './blob-table.ts';
import { bringManifests } from './bring-manifests.ts';
import { openContentStore } from './content-store.ts';

/** Where a folder of a SOURCE has blobs: each digest once. */
export type PlacedFiles = Iterable<readonly [Digest, Location]>;

/** The blobs of a SOURCE whose files are named by their digests. */
export interface OpenedPlaces {
  readonly store: ContentStore;
  /** In the order of the medium. */
  readonly blobs: Iterable<Digest>;
}

/**
 * Opens what several folders of a SOURCE hold as one store. A blob that more than one has is read in the first.
 * Manifests are not brought near: `bringPlaces` does that.
 */
export function openPlaces(backup: Backup, folders: readonly PlacedFiles[]): OpenedPlaces {
  return openRanked(backup, rankPlaces(folders));
}

/** The same with the manifests brought near. @param roots manifests that images begin with */
export async function bringPlaces(
  backup: Backup,
  folders: readonly PlacedFiles[],
  roots: Iterable<Digest>,
): Promise<OpenedPlaces> {
  const ranked = rankPlaces(folders);
  await bringManifests(backup, ranked.table, roots);
  return openRanked(backup, ranked);
}

interface RankedPlaces {
  readonly table: BlobTable;
  readonly blobs: Iterable<Digest>;
}

function openRanked(backup: Backup, { table, blobs }: RankedPlaces): OpenedPlaces {
  const store = openContentStore(backup, table);
  return { store: { ...store, leaves: createDigestSet(store) }, blobs };
}

function rankPlaces(folders: readonly PlacedFiles[]): RankedPlaces {
  const table = tableOf(folders);
  return { table, blobs: table.rank() };
}

function tableOf(folders: readonly PlacedFiles[]): BlobTable {
  const [first] = folders;
  if (folders.length === 1 && first instanceof BlobTable) return first;
  const table = new BlobTable();
  for (const folder of folders)
    for (const [digest, location] of folder) {
      const number = table.numberOf(digest);
      if (table.bytes(number) < 0) table.place(number, location);
    }
  return table;
}
