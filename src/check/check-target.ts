import { codeFacts, RegtarError, toRegtarError } from '../errors.ts';
import { forEachParallel } from '../io/parallel.ts';
import { createPauses } from '../io/pauses.ts';
import { createOncePerKey } from '../io/per-key.ts';
import { digestAlgorithm, digestOf, isDigest, type Digest } from '../oci/digest.ts';
import { DigestNumbers } from '../oci/digest-numbers.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { childManifests, manifestBlobs, parseManifest } from '../oci/manifest.ts';
import { isForeignLayerType, mediaTypes } from '../oci/media-types.ts';
import { imageKey, isTag } from '../oci/reference.ts';
import type { Report, ReportImage } from '../report/report.ts';
import type { CheckedTarget, CheckReport, Difference, DifferenceKind, ExpectedImage } from './contract.ts';

/** How thoroughly a target is compared. */
export interface CheckOptions {
  /** Turns a repository of the report, without the path that everything was put beneath, into the target's. */
  readonly rename: (repository: string) => string;
  /** Read every blob and hash it. @defaultValue false: then sizes count */
  readonly deep?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called when an image begins and when it is done. */
  readonly onImage?: ((image: ExpectedImage, difference: Difference | 'begins' | 'same') => void) | undefined;
}

/**
 * Compares a target with a report: every image that arrived must be there under its name, with its digest, whole. What
 * else is there does not matter.
 */
export async function checkTarget(target: CheckedTarget, report: Report, options: CheckOptions): Promise<CheckReport> {
  const started = performance.now();
  const differences: Difference[] = [];
  const counts = {
    checked: 0,
    same: 0,
    elsewhere: 0,
    missing: 0,
    other: 0,
    incomplete: 0,
    damaged: 0,
    unknown: 0,
    notExpected: 0,
  };
  const blobs = createBlobChecks(target, report, options);
  const expected = report.images.flatMap((image) => {
    const name = expectedOf(report, image, options.rename);
    if (name === undefined) counts.notExpected++;
    return name === undefined ? [] : [name];
  });
  const pause = createPauses();
  await forEachParallel(expected, target.parallel, async (image) => {
    await pause();
    options.signal?.throwIfAborted();
    options.onImage?.(image, 'begins');
    const difference = await checkImage(target, image, blobs, options.signal);
    counts.checked++;
    if (difference === undefined) counts.same++;
    else if (difference === elsewhere) counts.elsewhere++;
    else {
      counts[difference.kind]++;
      differences.push(difference);
    }
    options.onImage?.(image, difference === undefined || difference === elsewhere ? 'same' : difference);
  });
  const order = new Map(differences.map((difference) => [imageKey(difference), 0]));
  for (const [index, image] of expected.entries())
    if (order.size > 0 && order.has(imageKey(image))) order.set(imageKey(image), index);
  const rank = (difference: Difference): number => order.get(imageKey(difference)) ?? 0;
  return {
    target: target.describe,
    deep: options.deep === true,
    images: withoutNone(counts),
    blobs: blobs.totals(),
    differences: differences.sort((left, right) => rank(left) - rank(right)),
    seconds: (performance.now() - started) / 1000,
  };
}

/**
 * undefined where the report does not say that the image arrived.
 * @throws RegtarError REPORT_INVALID for tags and digests that are not valid, since they become parts of paths
 */
function expectedOf(
  report: Report,
  { status, arrived, bytes = 0 }: ReportImage,
  rename: CheckOptions['rename'],
): ExpectedImage | undefined {
  if (arrived === undefined || (status !== 'copied' && status !== 'present')) return undefined;
  if (!isDigest(arrived.digest) || (arrived.tag !== undefined && !isTag(arrived.tag)))
    throw new RegtarError(
      'REPORT_INVALID',
      `the report has an image "${arrived.tag ?? ''}" with the digest "${arrived.digest}"`,
      { hint: 'give a file that `regtar export --report` or `regtar push --report` wrote' },
    );
  const beneath = report.target.path === undefined ? '' : `${report.target.path}/`;
  const repository = arrived.repository.startsWith(beneath)
    ? arrived.repository.slice(beneath.length)
    : arrived.repository;
  return { repository: rename(repository), tag: arrived.tag, digest: arrived.digest, bytes };
}

async function checkImage(
  target: CheckedTarget,
  image: ExpectedImage,
  blobs: BlobChecks,
  signal: AbortSignal | undefined,
): Promise<Difference | typeof elsewhere | undefined> {
  const differs = (kind: DifferenceKind, message: string, found?: Digest): Difference => ({
    repository: image.repository,
    ...(image.tag !== undefined && { tag: image.tag }),
    digest: image.digest,
    kind,
    ...(found !== undefined && { found }),
    message,
  });
  try {
    const found = await target.digestOf(image);
    const volume = found === undefined ? target.volumeOf?.(image) : undefined;
    if (volume !== undefined)
      return target.isSetMeant === true ? differs('missing', `is on ${volume}, which is not there`) : elsewhere;
    if (found === undefined) return differs('missing', 'is not there');
    if (found !== image.digest) return differs('other', `is ${found}`, found);
    const wrong = await checkManifest(target, image, image.digest, blobs, new Set());
    return wrong === undefined || wrong === elsewhere ? wrong : differs(wrong.kind, wrong.message);
  } catch (thrown) {
    signal?.throwIfAborted();
    const error = toRegtarError(thrown);
    // What is damaged says so itself; of what could not be read, nothing is known.
    return differs(codeFacts[error.code].harm === 'damage' ? 'damaged' : 'unknown', `${error.code}: ${error.message}`);
  }
}

/** What lies on a volume of a set that was not given is neither right nor wrong. */
const elsewhere = 'elsewhere';

function withoutNone<Counts extends { readonly elsewhere: number }>(
  counts: Counts,
): Omit<Counts, 'elsewhere'> & { readonly elsewhere?: number } {
  const { elsewhere: count, ...others } = counts;
  return { ...others, ...(count > 0 && { elsewhere: count }) };
}

interface Wrong {
  readonly kind: 'incomplete' | 'damaged';
  readonly message: string;
}

async function checkManifest(
  target: CheckedTarget,
  image: ExpectedImage,
  digest: Digest,
  blobs: BlobChecks,
  seen: Set<Digest>,
): Promise<Wrong | typeof elsewhere | undefined> {
  if (seen.has(digest)) return undefined;
  seen.add(digest);
  const bytes = await target.readManifest(image, digest);
  if (bytes === undefined)
    return blobs.isDelta && digest !== image.digest
      ? undefined
      : { kind: 'incomplete', message: `its manifest ${digest} is not there` };
  const manifest = parseManifest(bytes);
  // A signed schema1 manifest is named by the digest of its payload, not of its bytes.
  if (manifest.mediaType !== mediaTypes.dockerSchema1Signed) {
    const actual = digestOf(bytes, digestAlgorithm(digest));
    if (actual !== digest)
      return { kind: 'damaged', message: `its manifest ${digest} has bytes whose digest is ${actual}` };
  }
  let isApart = false;
  for (const child of childManifests(manifest)) {
    const wrong = await checkManifest(target, image, child.digest, blobs, seen);
    if (wrong === elsewhere) isApart = true;
    else if (wrong !== undefined) return wrong;
  }
  for (const blob of manifestBlobs(manifest)) {
    const wrong = await blobs.check(image, blob);
    if (wrong === elsewhere) isApart = true;
    else if (wrong !== undefined) return wrong;
  }
  return isApart ? elsewhere : undefined;
}

interface BlobChecks {
  readonly isDelta: boolean;
  check(image: ExpectedImage, blob: Descriptor): Promise<Wrong | typeof elsewhere | undefined>;
  totals(): { readonly checked: number; readonly bytes: number };
}

/** Each blob is looked for once in each place, and read once in all. */
function createBlobChecks(target: CheckedTarget, report: Report, { deep }: CheckOptions): BlobChecks {
  const looked = createLooked();
  const hashed = createOncePerKey<Digest, Digest | undefined>();
  const seen = new DigestNumbers();
  let bytes = 0;
  const isDelta = report.delta === true;
  const look = async (image: ExpectedImage, blob: Descriptor): Promise<Wrong | typeof elsewhere | undefined> => {
    const size = await target.statBlob(image, blob.digest);
    if (size === undefined) {
      // Bytes of foreign layers are elsewhere on purpose, those of a base on the other side.
      const isElsewhere = isDelta || isForeignLayerType(blob.mediaType) || (blob.urls?.length ?? 0) > 0;
      if (isElsewhere) return undefined;
      const volume = target.volumeOf?.(image, blob.digest);
      if (volume !== undefined && target.isSetMeant !== true) return elsewhere;
      const where = volume === undefined ? '' : `: it is on ${volume}`;
      return { kind: 'incomplete', message: `its blob ${blob.digest} is not there${where}` };
    }
    if (seen.find(blob.digest) < 0) {
      seen.numberOf(blob.digest);
      bytes += Math.max(size, 0);
    }
    if (blob.size >= 0 && size >= 0 && size !== blob.size)
      return { kind: 'damaged', message: `its blob ${blob.digest} has ${size} bytes instead of ${blob.size}` };
    if (deep !== true) return undefined;
    const actual = await hashed.get(blob.digest, () =>
      target.hashBlob(image, blob.digest, blob.size >= 0 ? blob.size : size),
    );
    return actual === blob.digest
      ? undefined
      : {
          kind: 'damaged',
          message:
            actual === undefined
              ? `its blob ${blob.digest} was removed while it was checked`
              : `its blob ${blob.digest} has bytes whose digest is ${actual}`,
        };
  };
  return {
    isDelta,
    check: (image, blob) => looked.get(target.placeOf(image), blob.digest, () => look(image, blob)),
    totals: () => ({ checked: seen.size, bytes }),
  };
}

type Finding = Wrong | typeof elsewhere | undefined;

/**
 * What was found of blobs in their places. Nearly all of them are right: of half a million of these a number is kept,
 * where a promise with its key takes three hundred bytes.
 */
function createLooked() {
  const numbers = new DigestNumbers();
  const places = new Map<string, { readonly right: Set<number>; readonly others: Map<number, Promise<Finding>> }>();
  const placeFor = (name: string) => {
    const known = places.get(name) ?? { right: new Set<number>(), others: new Map<number, Promise<Finding>>() };
    places.set(name, known);
    return known;
  };
  return {
    async get(name: string, digest: Digest, look: () => Promise<Finding>): Promise<Finding> {
      const place = placeFor(name);
      const number = numbers.numberOf(digest);
      if (place.right.has(number)) return undefined;
      const finding = place.others.get(number) ?? look();
      place.others.set(number, finding);
      const found = await finding;
      if (found === undefined) {
        place.right.add(number);
        place.others.delete(number);
      }
      return found;
    },
  };
}
