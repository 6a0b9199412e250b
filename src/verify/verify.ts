import type { Catalog, ContentStore } from '../content/contracts.ts';
import { createDigestSet, type DigestSet } from '../content/digest-set.ts';
import { hollowReasonIn, isNearlyEmpty } from '../content/hollow.ts';
import { childrenFirst, createGraphReader } from '../content/image-graph.ts';
import { filtered, repeatable } from '../io/repeatable.ts';
import type { Problem } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { checkLinks } from './check-links.ts';
import { collectImages, type NarrowImage, type VerifyFilter, type VerifiedImage } from './collect-images.ts';
import { collectProblems } from './collect-problems.ts';
import { hashBlobs } from './hash-blobs.ts';
import { isDamage } from './is-damage.ts';
import { absentVolumes } from './absent-volumes.ts';
import { createJudge } from './judge-image.ts';
import type { ImageState, ImageVerdict, StateCounts, VerifyEvent, VerifyReport } from './verify-report.ts';

/** How thoroughly a backup is verified, and of what. */
export interface VerifyOptions {
  /** Follow links and compare sizes, hash manifests only. @defaultValue false */
  readonly quick?: boolean;
  /** Threads that hash. @defaultValue as many as there are processors, four at most */
  readonly jobs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: VerifyEvent) => void) | undefined;
  /** Only these images, and only the blobs that they need. @defaultValue all images, and every blob */
  readonly filter?: VerifyFilter | undefined;
  /**
   * What of an image is judged, such as some platforms; undefined leaves it out.
   * @defaultValue all of it
   */
  readonly narrow?: NarrowImage | undefined;
}

/**
 * Reads every blob again, follows every link, and says of each image what is left of it.
 * @throws RegtarError SOURCE_CHANGED, SOURCE_UNREADABLE, INTERRUPTED; damage is in the report
 */
export async function verifyBackup(
  opened: { readonly catalog: Catalog; readonly store: ContentStore },
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const started = performance.now();
  const { catalog, store } = opened;
  const { quick = false, filter, narrow, signal, onEvent = () => undefined } = options;
  const isPart = filter !== undefined || narrow !== undefined;
  const graph = createGraphReader(store);
  const images = await collectImages(catalog, store, graph, { filter, narrow, signal });
  const referenced = referencedBlobs(images, catalog, store);
  const blobs = checkedBlobs(catalog, referenced, isPart);
  const sizeOf = (digest: Digest): number => store.stat(digest)?.size ?? 0;
  const bloated = new Map(quick ? [] : bloatedBlobs(images, blobs, { store, aliases: catalog.aliases }));
  const hashed = filtered(quick ? [] : blobs, (digest) => !bloated.has(digest));
  const checked = total(hashed, sizeOf);
  onEvent({ type: 'start', blobs: checked.count, bytes: checked.bytes });

  const corrupt = corruptManifests(images);
  for (const [digest, problem] of bloated) {
    corrupt.set(digest, problem);
    onEvent({ type: 'damage', digest, message: problem.message });
  }
  if (!quick) {
    await hashBlobs(store, hashed, {
      jobs: options.jobs,
      signal,
      onBytes: (count) => onEvent({ type: 'bytes', bytes: count }),
      onDamage: (digest, error) => {
        corrupt.set(digest, { code: error.code, digest, message: error.message });
        onEvent({ type: 'damage', digest, message: error.message });
      },
    });
  }
  const judge = createJudge(store, (digest) => corrupt.has(digest));
  const verdicts = images.map((image) => verdictOf(image, judge));
  const links = checkLinks(catalog, store, images, isPart);
  const found = collectProblems(store, images, corrupt, { quick, unneeded: links.missing });
  const names = new Set(images.map(({ repository }) => repository));
  const inherited = isPart
    ? catalog.problems.filter(({ repository }) => repository === undefined || names.has(repository))
    : catalog.problems;
  const problems = [...inherited, ...found.problems, ...links.problems, ...absentVolumes(images, store)];
  // What lies here for images of other volumes is not garbage.
  const isUnused = (digest: Digest): boolean => !referenced.has(digest) && store.absent?.kept.has(digest) !== true;
  const unreferenced = total(filtered(isPart ? [] : blobs, isUnused), sizeOf);
  return {
    images: count(verdicts.filter(isTagged)),
    untagged: count(verdicts.filter((verdict) => !isTagged(verdict))),
    blobs: {
      checked: checked.count,
      bytes: checked.bytes,
      corrupt: found.corrupt.size,
      missing: found.missing.size,
      unreferenced: unreferenced.count,
      corruptBytes: sum([...found.corrupt].map(sizeOf)),
      missingBytes: sum([...found.missing.values()]),
      unreferencedBytes: unreferenced.bytes,
    },
    sound: verdicts.every(({ state }) => state === 'whole' || state === 'elsewhere') && !problems.some(isDamage),
    quick,
    problems,
    verdicts,
    seconds: (performance.now() - started) / 1000,
  };
}

/** Both digests of the same bytes are checked: the one that manifests name and the one by which they are stored. */
function checkedBlobs(catalog: Catalog, referenced: DigestSet, isFiltered: boolean): Iterable<Digest> {
  return repeatable(function* () {
    for (const digest of catalog.blobs()) if (!isFiltered || referenced.has(digest)) yield digest;
    for (const alias of catalog.aliases?.keys() ?? []) if (referenced.has(alias)) yield alias;
  });
}

function total(digests: Iterable<Digest>, sizeOf: (digest: Digest) => number): { count: number; bytes: number } {
  const totals = { count: 0, bytes: 0 };
  for (const digest of digests) {
    totals.count++;
    totals.bytes += sizeOf(digest);
  }
  return totals;
}

/** Every digest that an image names, whether it is there or not. */
function referencedBlobs(images: readonly VerifiedImage[], { aliases }: Catalog, store: ContentStore): DigestSet {
  const referenced = createDigestSet(store);
  for (const { digest, root } of images) {
    if (digest !== undefined) referenced.add(digest);
    for (const node of root === undefined ? [] : childrenFirst(root)) {
      referenced.add(node.descriptor.digest);
      for (const { digest: blob } of node.blobs) {
        referenced.add(blob);
        const stored = aliases?.get(blob);
        if (stored !== undefined) referenced.add(stored);
      }
      for (const { descriptor } of node.lostChildren) referenced.add(descriptor.digest);
    }
  }
  return referenced;
}

/**
 * So far above what manifests say a blob need not be read to be wrong, in bytes: a member with holes may claim
 * terabytes of zeros.
 */
const bloatBytes = 1024 ** 3;

function* bloatedBlobs(
  images: readonly VerifiedImage[],
  blobs: Iterable<Digest>,
  { store, aliases }: { readonly store: ContentStore; readonly aliases: Catalog['aliases'] },
): Generator<readonly [Digest, Problem]> {
  const large = new Map<Digest, { size: number; readonly mediaTypes: Set<string> }>();
  const isSuspect = (found: Digest): boolean => {
    const stat = store.stat(found);
    return stat !== undefined && (stat.size > bloatBytes || isNearlyEmpty(stat));
  };
  for (const digest of filtered(blobs, isSuspect)) large.set(digest, { size: 0, mediaTypes: new Set() });
  if (large.size === 0) return;
  for (const { digest, size, mediaType } of needed(images)) {
    for (const found of [large.get(digest), large.get(aliases?.get(digest) ?? digest)]) {
      // Layers of schema 1 have no size.
      if (found !== undefined) found.size = Math.max(found.size, size < 0 ? Infinity : size);
      found?.mediaTypes.add(mediaType);
    }
  }
  for (const [digest, { size, mediaTypes }] of large) {
    const stat = store.stat(digest) ?? { size: 0 };
    const reason =
      mediaTypes.size > 0 && stat.size - size > bloatBytes
        ? `it has ${stat.size} bytes instead of ${size}`
        : hollowReasonIn(store, digest, stat, [...mediaTypes]);
    if (reason === undefined) continue;
    yield [digest, { code: 'BLOB_CORRUPT', digest, message: `blob ${digest} is damaged: ${reason}` }];
  }
}

function* needed(images: readonly VerifiedImage[]): Generator<Descriptor> {
  for (const { root } of images) for (const { blobs } of root === undefined ? [] : childrenFirst(root)) yield* blobs;
}

/** Manifests that were found to be damaged when they were read. */
function corruptManifests(images: readonly VerifiedImage[]): Map<Digest, Problem> {
  const corrupt = new Map<Digest, Problem>();
  const note = (
    digest: Digest,
    { code, message }: { readonly code: Problem['code']; readonly message: string },
  ): void => {
    if (code === 'BLOB_CORRUPT' || code === 'BLOB_UNREADABLE') corrupt.set(digest, { code, digest, message });
  };
  for (const { digest, error, root } of images) {
    if (digest !== undefined && error !== undefined) note(digest, error);
    for (const node of root === undefined ? [] : childrenFirst(root))
      for (const { descriptor, problem } of node.lostChildren) note(descriptor.digest, problem);
  }
  return corrupt;
}

function verdictOf(
  { repository, tag, digest, root }: VerifiedImage,
  judge: ReturnType<typeof createJudge>,
): ImageVerdict {
  const judged = root === undefined ? ({ state: 'lost', platforms: { whole: [], lost: [] } } as const) : judge(root);
  return { repository, tag, digest, ...judged };
}

function isTagged({ tag }: ImageVerdict): boolean {
  return tag !== undefined;
}

function count(verdicts: readonly ImageVerdict[]): StateCounts {
  const { elsewhere, ...counts } = countStates(verdicts);
  return elsewhere === 0 ? counts : { ...counts, elsewhere };
}

function countStates(verdicts: readonly ImageVerdict[]): Record<ImageState, number> {
  const counts = { whole: 0, partial: 0, lost: 0, elsewhere: 0 };
  for (const { state } of verdicts) counts[state]++;
  return counts;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
