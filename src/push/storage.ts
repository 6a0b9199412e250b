import { toRegtarError, RegtarError } from '../errors.ts';
import type { CopyReport } from '../copy/events.ts';
import { resultWith } from '../copy/image-outcome.ts';
import { childrenFirst } from '../content/image-graph.ts';
import { blobPath, revisionLinkPath } from '../formats/registry/layout.ts';
import type { Place } from '../formats/registry/place.ts';
import { forEachParallel } from '../io/parallel.ts';
import { digestAlgorithm, type Digest } from '../oci/digest.ts';
import { imageKey } from '../oci/reference.ts';
import type { Plan, PlannedImage } from '../select/plan.ts';

/** Looks at a storage side by side: a bucket answers each look in milliseconds. */
const parallelLooks = 16;

/** What a storage has of a plan before the first byte. */
export interface StorageFacts {
  /**
   * Goes first, because it costs least to find out with it that the storage is another one's; undefined where nothing
   * is to be written.
   */
  readonly first: PlannedImage | undefined;
  /** Blobs that will be placed, each once. */
  readonly missing: { readonly blobs: number; readonly bytes: number };
}

/** @param images that will be written */
export async function inspectStorage(place: Place, images: readonly PlannedImage[]): Promise<StorageFacts> {
  const sizes = new Map<Digest, number>();
  for (const { travelling } of images) for (const { digest, size } of travelling) sizes.set(digest, size);
  const missing = { blobs: 0, bytes: 0 };
  await forEachParallel([...sizes], parallelLooks, async ([digest, size]) => {
    if (digestAlgorithm(digest) !== 'sha256' || (await place.stat(blobPath(digest))) !== undefined) return;
    missing.blobs++;
    missing.bytes += Math.max(0, size);
  });
  const bySize = images
    .map((image) => ({ image, bytes: image.target.blobs.reduce((sum, { size }) => sum + Math.max(0, size), 0) }))
    // What refers to another image comes after it.
    .sort(
      (left, right) =>
        Number(left.image.target.referrer) - Number(right.image.target.referrer) || left.bytes - right.bytes,
    )
    .map(({ image }) => image);
  for (const image of bySize) {
    const { repository, root } = image.target;
    if ((await place.stat(revisionLinkPath(repository, root.digest))) === undefined) return { first: image, missing };
  }
  // All were there before: the registry writes their links again, which shows, too.
  return { first: bySize[0], missing };
}

/**
 * Looks at the end whether everything that was named is still there, and what was placed in vain.
 * @returns the report with images that have lost a blob as failed, told once more by `onImage`
 */
export async function reviewStorage(
  place: Place,
  plan: Plan,
  report: CopyReport,
  placed: ReadonlySet<Digest>,
  onImage: (result: CopyReport['images'][number]) => void,
): Promise<CopyReport> {
  const arrived = new Set(report.images.filter(({ status }) => status === 'copied').map(imageKey));
  const images = plan.images.filter(({ source }) => arrived.has(imageKey(source)));
  const named = new Map<Digest, boolean>();
  for (const { target, node } of images) {
    for (const { digest } of target.blobs) named.set(digest, true);
    for (const { descriptor } of childrenFirst(node)) named.set(descriptor.digest, true);
  }
  await forEachParallel([...named.keys()], parallelLooks, async (digest) => {
    if (digestAlgorithm(digest) === 'sha256') named.set(digest, (await place.stat(blobPath(digest))) !== undefined);
  });
  const gone = new Map(
    images.flatMap((image) => {
      const lost = image.target.blobs.find(({ digest }) => named.get(digest) === false);
      return lost === undefined ? [] : [[imageKey(image.source), lost.digest] as const];
    }),
  );
  const unnamed = [...placed].filter((digest) => !named.has(digest)).sort();
  return {
    ...report,
    ...(unnamed.length > 0 && { unnamed }),
    images: report.images.map((result) => {
      const digest = gone.get(imageKey(result));
      if (digest === undefined) return result;
      const failed = resultWith(result, { status: 'failed' as const, error: vanished(place, result, digest) });
      onImage(failed);
      return failed;
    }),
  };
}

function vanished(place: Place, { repository, tag }: CopyReport['images'][number], digest: Digest): RegtarError {
  return toRegtarError(
    new RegtarError('TARGET_BLOB_DAMAGED', `blob ${digest} has disappeared from ${place.describe} during this push`, {
      where: { repository, tag, digest },
      hint: 'a garbage collection may have run meanwhile: run the same command again with --repair',
    }),
  );
}
