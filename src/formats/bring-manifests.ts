import { readManifest } from '../content/read-manifest.ts';
import { othersGoOn } from '../errors.ts';
import { limits } from '../io/limits.ts';
import type { Digest } from '../oci/digest.ts';
import { childManifests } from '../oci/manifest.ts';
import { isImageConfigType } from '../oci/media-types.ts';
import type { Backup, Location } from '../source/backup.ts';
import type { PlacedBlobs } from './blob-table.ts';
import { openContentStore } from './content-store.ts';

/**
 * Brings manifests and configs near where SOURCE lies elsewhere: plans read thousands of them one after the other and
 * cannot wait for each.
 * Manifests first, then what their indexes lead to, a level at a time, so that few requests wait for others.
 * @param stored where blobs lie
 * @param roots manifests that images begin with
 */
export async function bringManifests(backup: Backup, stored: PlacedBlobs, roots: Iterable<Digest>): Promise<void> {
  if (backup.bring === undefined) return;
  const store = openContentStore(backup, stored);
  const known = new Set<Digest>();
  const locate = (digests: Iterable<Digest>): Location[] =>
    [...digests].flatMap((digest) => {
      const location = stored.get(digest)?.location;
      return location === undefined || location.size > limits.manifestBytes ? [] : [location];
    });
  let level = new Set<Digest>(roots);
  const configs = new Set<Digest>();
  while (level.size > 0) {
    await backup.bring(locate(level));
    const next = new Set<Digest>();
    for (const digest of level) {
      known.add(digest);
      const { children, config } = partsOf(store, digest);
      for (const child of children) if (!known.has(child)) next.add(child);
      if (config !== undefined) configs.add(config);
    }
    level = next;
  }
  await backup.bring(locate(configs));
}

/** What cannot be read is reported where it is needed. */
function partsOf(
  store: Parameters<typeof readManifest>[0],
  digest: Digest,
): { readonly children: readonly Digest[]; readonly config?: Digest | undefined } {
  if (store.stat(digest) === undefined) return { children: [] };
  try {
    const { manifest } = readManifest(store, digest);
    if (manifest.kind === 'index') return { children: childManifests(manifest).map(({ digest: child }) => child) };
    const config = manifest.kind === 'image' ? manifest.config : undefined;
    return { children: [], config: config && isImageConfigType(config.mediaType) ? config.digest : undefined };
  } catch (error) {
    if (othersGoOn(error)) return { children: [] };
    throw error;
  }
}
