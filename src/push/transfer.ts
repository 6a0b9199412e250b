import { RegtarError } from '../errors.ts';
import type { ContentStore } from '../content/contracts.ts';
import type { CopyReport } from '../copy/events.ts';
import { createPlacedBlobs } from '../formats/registry/placed-blobs.ts';
import type { Place } from '../formats/registry/place.ts';
import { collecting, isCollecting } from '../harbor/garbage-collection.ts';
import type { Harbor } from '../harbor/recognise-harbor.ts';
import { formatBytes, plural } from '../io/sizes.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Registry } from '../remote/registry.ts';
import { requirePushable } from '../remote/writable.ts';
import type { Plan, PlannedImage } from '../select/plan.ts';
import { createBlobPlaces, type BlobPlaces } from './blob-places.ts';
import type { Estimate } from './estimate.ts';
import { createFirstNaming } from './first-naming.ts';
import type { Heads } from './heads.ts';
import type { PushJournal } from './journal.ts';
import { findLacking } from './lacking.ts';
import { createAdoptedLayers, createPlacedLayers, type PlacedLayers } from './placed-layers.ts';
import { createProof } from './proof.ts';
import { createRepairedLayers } from './repaired-layers.ts';
import type { RemoteSinkOptions } from './sink.ts';
import { inspectStorage, reviewStorage, type StorageFacts } from './storage.ts';
import { withRefusals } from './with-refusals.ts';

/** The storage that a registry serves, as it can be reached here. */
export interface PushStorage {
  /** Opened, and closed, by the caller. */
  readonly place: Place;
  /** Hard-link the source's own files where owner and mode fit. @defaultValue false */
  readonly link?: boolean | undefined;
  /** Hash blobs that are there already. @defaultValue false */
  readonly verify?: boolean | undefined;
}

/** What a person decides of how blobs get into the target. */
export interface TransferChoice {
  /**
   * Send blobs in pieces of this many bytes.
   * @defaultValue only large blobs, so that an upload which breaks can go on
   */
  readonly chunkBytes?: number | undefined;
  /** Where the sessions of large uploads are kept for a later run. @defaultValue nowhere */
  readonly journal?: PushJournal | undefined;
  /**
   * The storage that the registry serves: blobs are placed there, and only manifests go through the API.
   * @defaultValue not at hand
   */
  readonly storage?: PushStorage | undefined;
  /**
   * The target has all blobs already: nothing but manifests is sent, and with `storage` links are added.
   * @defaultValue false
   */
  readonly inPlace?: boolean | undefined;
  /** Looks at everything that is there, and brings what is damaged or gone. @defaultValue false */
  readonly repair?: boolean | undefined;
}

/** The choice, and what is known of the target. */
export interface TransferOptions extends TransferChoice {
  /** What the images are made of. */
  readonly store?: ContentStore | undefined;
  readonly harbor: Harbor | undefined;
  readonly heads: Heads;
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/** How the blobs of a plan get into the target, and what is known of it before the first byte. */
export interface Transfer {
  readonly plan: Plan;
  readonly sendsBlobs: boolean;
  readonly estimate: Pick<Estimate, 'place' | 'lacking'>;
  readonly notices: readonly string[];
  /** The image that goes before all others. */
  readonly first: PlannedImage | undefined;
  readonly sinkOptions: Partial<RemoteSinkOptions>;
  /** Gets ready for what comes. Called before the first image. */
  begin(): void;
  /** Looks at the end what became of the storage; tells images that turn out to have failed. */
  review(plan: Plan, report: CopyReport, onImage: (result: CopyReport['images'][number]) => void): Promise<CopyReport>;
  notes(): readonly string[];
}

/**
 * Decides how blobs travel: through the API, as files of the target's storage, or not at all.
 * @param images those that will be written
 * @throws RegtarError GC_RUNNING, READ_ONLY, OUTPUT_FULL when the target's storage cannot be filled now
 */
export async function prepareTransfer(
  registry: Registry,
  checked: Plan,
  images: readonly PlannedImage[],
  options: TransferOptions,
): Promise<Transfer> {
  const { storage, heads, harbor, jobs, signal, inPlace = false } = options;
  const isFresh = (repository: string): boolean => heads.isFresh(repository);
  const lacking =
    inPlace || !images.some((image) => image.lacking !== undefined)
      ? undefined
      : await findLacking(registry, images, checked.homes, {
          place: storage?.place,
          isFresh,
          absent: checked.absent,
          jobs,
          signal,
        });
  const plan = lacking === undefined ? checked : withRefusals(checked, lacking.refused);
  const left = images.filter((image) => lacking?.refused.has(image) !== true);
  const notices = storage === undefined && !inPlace ? [] : await requireReady(registry, left, options);
  const facts = storage === undefined ? undefined : await inspectStorage(storage.place, left);
  if (storage !== undefined && facts !== undefined && storage.link !== true && !inPlace)
    requireRoom(storage.place, facts);

  const api = createBlobPlaces(registry, {
    isFresh,
    numbers: options.store?.numbers,
    chunkBytes: options.chunkBytes,
    elsewhere: plan.elsewhere,
    journalOf: options.journal && ((repository, blob) => options.journal?.of(repository, blob)),
  });
  for (const [digest, repository] of lacking?.found ?? []) if (repository !== undefined) api.add(digest, repository);
  const layers = chooseLayers(registry, api, options);
  let unnamed = 0;
  const lackingOf = new Map(plan.images.map(({ target, lacking: blobs = [] }) => [target, blobs]));
  return {
    plan,
    sendsBlobs: storage === undefined && !inPlace,
    estimate: {
      ...(facts && !inPlace && { place: facts.missing }),
      ...(lacking && { lacking: { inTarget: lacking.inTarget, nowhere: lacking.nowhere } }),
    },
    notices,
    first: facts?.first,
    sinkOptions: {
      places: layers.places,
      isPlaced: storage !== undefined || inPlace,
      proof: storage && createProof(registry, storage.place, signal),
      naming: harbor && (storage !== undefined || inPlace) ? createFirstNaming() : undefined,
      lacking: (target) => lackingOf.get(target) ?? [],
      sendsNothing: inPlace,
      distrust: options.repair,
      mend: layers.mend,
    },
    begin() {
      if (facts !== undefined && storage?.link !== true && !inPlace) storage?.place.expect?.(facts.missing.bytes);
    },
    async review(possible, report, onImage) {
      if (storage === undefined) return report;
      const reviewed = await reviewStorage(
        storage.place,
        possible,
        report,
        layers.placed?.placed ?? new Set(),
        onImage,
      );
      unnamed = reviewed.unnamed?.length ?? 0;
      return reviewed;
    },
    notes: () => [
      ...(storage?.place.notes?.() ?? []),
      ...(layers.uploaded.size === 0
        ? []
        : [
            `${registry.host} did not know ${plural(layers.uploaded.size, 'blob')} that ` +
              `${layers.uploaded.size === 1 ? 'was placed; it was' : 'were placed; they were'} sent through its API`,
          ]),
      ...(unnamed === 0
        ? []
        : [
            `${unnamed} ${unnamed === 1 ? 'blob was' : 'blobs were'} placed and no image that arrived names ` +
              `${unnamed === 1 ? 'it' : 'them'}; --json and --report list them as unnamedBlobs`,
          ]),
    ],
  };
}

interface Layers {
  readonly places: BlobPlaces;
  readonly placed?: PlacedLayers;
  readonly mend?: (manifest: Descriptor, bytes: Uint8Array) => Promise<void>;
  /** What had to go through the API although there is a storage. */
  readonly uploaded: ReadonlySet<Digest>;
}

function chooseLayers(registry: Registry, api: BlobPlaces, { storage, inPlace, repair }: TransferOptions): Layers {
  const uploaded = new Set<Digest>();
  if (storage === undefined) {
    if (inPlace === true) return { places: createAdoptedLayers(registry, api, undefined), uploaded };
    return { places: repair === true ? createRepairedLayers(registry, api) : api, uploaded };
  }
  const blobs = createPlacedBlobs(storage.place, {
    replace: repair === true,
    verify: storage.verify === true || repair === true,
    link: storage.link === true ? 'hashed' : undefined,
  });
  if (inPlace === true) return { places: createAdoptedLayers(registry, api, blobs), uploaded };
  const counting: BlobPlaces = {
    ...api,
    async upload(blob, repository, open, write) {
      await api.upload(blob, repository, open, write);
      uploaded.add(blob.digest);
    },
  };
  const placed = createPlacedLayers(blobs, counting);
  return {
    places: placed,
    placed,
    uploaded,
    ...(repair === true && { mend: (each, bytes) => blobs.mend(each, bytes) }),
  };
}

async function requireReady(
  registry: Registry,
  images: readonly PlannedImage[],
  { harbor, signal }: TransferOptions,
): Promise<readonly string[]> {
  const [first] = images;
  if (first === undefined) return [];
  if (harbor === undefined) {
    await requirePushable(registry, first.target.repository, { signal });
    return [];
  }
  const collects = await isCollecting(registry, { signal });
  if (collects === true) throw collecting(registry);
  return collects === undefined
    ? [`this account may not see whether garbage collection is running in ${registry.host}; make sure that it is not`]
    : [];
}

function requireRoom(place: Place, { missing }: StorageFacts): void {
  const free = place.freeBytes?.();
  if (free === undefined || free >= missing.bytes) return;
  throw new RegtarError(
    'OUTPUT_FULL',
    `${place.describe} needs ${formatBytes(missing.bytes)} and has ${formatBytes(free)} free`,
    {
      where: { path: place.describe },
      hint:
        'make room there, or push less with --include; --link takes no room where SOURCE lies on the ' +
        'same file system',
    },
  );
}
