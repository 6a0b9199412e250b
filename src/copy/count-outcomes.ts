import type { CopyEvent, CopyReport } from './events.ts';

/** How many images have each status; every status that `statuses` names is there, at least with 0. */
export function countStatuses<Status extends string>(
  images: Iterable<{ readonly status: Status }>,
  statuses: readonly Status[],
): Record<Status, number> {
  const counts = Object.fromEntries(statuses.map((status) => [status, 0])) as Record<Status, number>;
  for (const { status } of images) counts[status]++;
  return counts;
}

/** Blobs and manifests of a run by what became of them. */
export interface BlobCounts {
  add(blob: Pick<CopyEvent & { readonly type: 'blob' }, 'size' | 'outcome' | 'isFirst'>): void;
  /** As they stand. */
  totals(): CopyReport['blobs'];
}

/** Begins at 0. What is there already counts once, however many images need it. */
export function createBlobCounts(): BlobCounts {
  const counts = { copied: 0, present: 0, mounted: 0, placed: 0, bytes: 0, spared: 0 };
  const there = { serverCopied: 0, serverCopiedBytes: 0 };
  return {
    add({ size, outcome, isFirst }) {
      if (outcome === 'written' || outcome === 'placed') {
        if (outcome === 'placed') counts.placed++;
        else counts.copied++;
        counts.bytes += size;
        return;
      }
      if (outcome === 'server-copied') {
        there.serverCopied++;
        there.serverCopiedBytes += size;
        return;
      }
      counts.spared += size;
      if (outcome === 'mounted') counts.mounted++;
      else if (isFirst) counts.present++;
    },
    totals() {
      const { placed, ...others } = counts;
      return { ...others, ...(placed > 0 && { placed }), ...(there.serverCopied > 0 && there) };
    },
  };
}
