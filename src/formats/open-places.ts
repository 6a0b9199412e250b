import type { ContentStore } from '../content/contracts.ts';
import type { Digest } from '../oci/digest.ts';
import type { Backup, Location } from '../source/backup.ts';
import { bringManifests } from './bring-manifests.ts';
import { openContentStore } from './content-store.ts';
import { rankPlaces, type PlacedBlob } from './named-catalog.ts';

/**
 * Opens what several folders of a SOURCE hold as one store, their manifests brought near. A blob that more than one has
 * is read in the first.
 * @param roots manifests that images begin with
 */
export async function openPlaces(
  backup: Backup,
  folders: Iterable<ReadonlyMap<Digest, Location>>,
  roots: Iterable<Digest>,
): Promise<{ readonly placed: Map<Digest, PlacedBlob>; readonly store: ContentStore }> {
  const places = new Map<Digest, Location>();
  for (const folder of folders)
    for (const [digest, location] of folder) if (!places.has(digest)) places.set(digest, location);
  const placed = rankPlaces(places);
  await bringManifests(backup, placed, roots);
  return { placed, store: openContentStore(backup, placed) };
}
