import { RegtarError } from '../errors.ts';
import type { ContentStore } from '../content/contracts.ts';
import { heldBytes } from '../io/held-bytes.ts';
import { digestAlgorithm, type Digest } from '../oci/digest.ts';
import type { Backup, Location } from '../source/backup.ts';
import type { PlacedBlobs } from './blob-table.ts';

/** Files above this are looked at for holes, once each. */
const largeBytes = 1024 ** 3;

/**
 * The blobs of a backup, read where they lie.
 * @param placed where that is, or a catalog that knows it
 */
export function openContentStore(backup: Backup, placed: PlacedBlobs | { readonly stored: PlacedBlobs }): ContentStore {
  const stored = 'stored' in placed ? placed.stored : placed;
  const locate = (digest: Digest): Location => {
    const location = stored.get(digest)?.location;
    if (location !== undefined) return location;
    throw new RegtarError('BLOB_MISSING', `blob ${digest} is not in the backup`, {
      where: { digest },
      hint: 'run `regtar verify` to list everything that this backup lacks',
    });
  };
  const held = new Map<Digest, number>();
  const heldOf = (digest: Digest, location: Location): number => {
    const path = backup.file(location);
    const known =
      held.get(digest) ?? (path === undefined ? undefined : heldBytes(path, location.size)) ?? location.size;
    held.set(digest, known);
    return known;
  };
  return {
    describe: backup.describe,
    stat(digest) {
      // Asked for more often than anything else: without an object for the blob or its place.
      const number = stored.find(digest);
      const size = stored.bytes(number);
      if (size < 0) return undefined;
      const runs = stored.runs(number);
      if (runs !== undefined) return { size, held: runs.reduce((sum, run) => sum + run.size, 0) };
      return size <= largeBytes ? { size } : { size, held: heldOf(digest, locate(digest)) };
    },
    numbers: stored,
    open: (digest, from, ring) => backup.read(locate(digest), from, ring),
    readSmall: (digest) => backup.readSmall(locate(digest)),
    file: (digest) => backup.file(locate(digest)),
    hashedAs(digest) {
      const known = backup.spool?.digestOf(locate(digest));
      // A digest of another algorithm proves nothing about this one.
      return known === undefined || digestAlgorithm(known) !== digestAlgorithm(digest) ? undefined : known;
    },
    changed: () => backup.changed?.() === true,
    async keepOnly(digests) {
      if (backup.spool === undefined) return;
      const files = new Set<string | undefined>();
      for (const digest of digests) files.add(stored.get(digest)?.location?.file);
      await backup.spool.keepOnly(({ file }) => files.has(file));
    },
    ranges(digest) {
      const location = locate(digest);
      const path = backup.file(location);
      return path === undefined ? backup.ranges?.(location) : [{ path, start: 0, size: location.size }];
    },
    far: (digest) => backup.far?.(locate(digest)),
    isFar: backup.isFar,
    object: (digest) => backup.object?.(locate(digest)),
    position(digest) {
      const rank = stored.get(digest)?.rank ?? -1;
      return rank < 0 ? Number.MAX_SAFE_INTEGER : rank;
    },
  };
}
