import { RegtarError } from '../errors.ts';
import { blobPath } from '../formats/registry/layout.ts';
import type { Place } from '../formats/registry/place.ts';
import { forEachParallel } from '../io/parallel.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { formatImageReference } from '../oci/reference.ts';
import { headBlob } from '../remote/blobs.ts';
import type { Registry } from '../remote/registry.ts';
import type { Plan, PlannedImage } from '../select/plan.ts';

/** Where the blobs are that the backup lacks. */
export interface Lacking {
  /** By digest: a repository of the target that has it, or undefined where its storage does. */
  readonly found: ReadonlyMap<Digest, string | undefined>;
  /** Images that need a blob which is nowhere. */
  readonly refused: ReadonlyMap<PlannedImage, RegtarError>;
  readonly inTarget: { readonly blobs: number; readonly bytes: number };
  readonly nowhere: { readonly blobs: number; readonly bytes: number };
}

/** How blobs are looked for. */
export interface FindLackingOptions {
  /** The target's storage, where it is at hand. */
  readonly place: Place | undefined;
  /** Repositories that had nothing before this run: nothing is asked of them. */
  readonly isFresh: (repository: string) => boolean;
  /** Of a set of volumes that are not all given: where a blob lies that is nowhere else. */
  readonly absent?: Plan['absent'];
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/**
 * Looks for every blob that the backup lacks in the target: first where it will be needed, then in the repositories
 * that had it where the backup comes from, under the names that they have here.
 */
export async function findLacking(
  registry: Registry,
  images: readonly PlannedImage[],
  homes: Plan['homes'],
  { place, isFresh, absent, jobs, signal }: FindLackingOptions,
): Promise<Lacking> {
  const needs = new Map<Digest, { readonly blob: Descriptor; readonly repositories: Set<string> }>();
  for (const { lacking = [], target } of images)
    for (const blob of lacking) {
      const need = needs.get(blob.digest) ?? { blob, repositories: new Set() };
      need.repositories.add(target.repository);
      needs.set(blob.digest, need);
    }
  const found = new Map<Digest, string | undefined>();
  const has = async (repository: string, digest: Digest): Promise<boolean> => {
    if (isFresh(repository)) return false;
    try {
      return (await headBlob(registry, repository, digest, { signal })) !== undefined;
    } catch (error) {
      // A project that is missing, or not for this account, has nothing for it.
      if (error instanceof RegtarError && error.where.status !== undefined && error.where.status < 500) return false;
      throw error;
    }
  };
  await forEachParallel([...needs], jobs, async ([digest, { repositories }]) => {
    if ((await place?.stat(blobPath(digest))) !== undefined) return void found.set(digest, undefined);
    for (const repository of new Set([...repositories, ...(homes?.get(digest) ?? [])]))
      if (await has(repository, digest)) return void found.set(digest, repository);
  });
  const refused = new Map<PlannedImage, RegtarError>();
  for (const image of images) {
    const lost = image.lacking?.find(({ digest }) => !found.has(digest));
    if (lost !== undefined) refused.set(image, nowhere(registry, image, lost, absent?.volumeOf(lost.digest)));
  }
  return {
    found,
    refused,
    inTarget: sumOf([...needs.values()].filter(({ blob }) => found.has(blob.digest))),
    nowhere: sumOf([...needs.values()].filter(({ blob }) => !found.has(blob.digest))),
  };
}

function sumOf(needs: readonly { readonly blob: Descriptor }[]): { blobs: number; bytes: number } {
  return { blobs: needs.length, bytes: needs.reduce((sum, { blob }) => sum + Math.max(0, blob.size), 0) };
}

function nowhere(
  { host }: Registry,
  { source }: PlannedImage,
  { digest }: Descriptor,
  volume: string | undefined,
): RegtarError {
  if (volume !== undefined)
    return new RegtarError(
      'VOLUME_MISSING',
      `${formatImageReference(source)} needs ${digest}, which is on ${volume} and not in ${host}`,
      {
        where: { repository: source.repository, tag: source.tag, digest },
        hint: `push ${volume} first, or give it, too: --source ${volume}`,
      },
    );
  return new RegtarError(
    'BLOB_MISSING',
    `${formatImageReference(source)} needs ${digest}, which is neither in the backup nor in ${host}`,
    {
      where: { repository: source.repository, tag: source.tag, digest },
      hint: 'push the base that this delta was made against first, or name it as a further --source',
    },
  );
}
