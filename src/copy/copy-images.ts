import { setMaxListeners } from 'node:events';
import { codeFacts, RegtarError, toRegtarError } from '../errors.ts';
import type { BlobOutcome, ContentStore, ImageSink, ImageTarget } from '../content/contracts.ts';
import { createDigestSet } from '../content/digest-set.ts';
import { childrenFirst, imageBlobs } from '../content/image-graph.ts';
import { createHeapGuard } from '../io/heap-guard.ts';
import { forEachParallel } from '../io/parallel.ts';
import { createPauses } from '../io/pauses.ts';
import { createSlots } from '../io/slots.ts';
import type { Digest } from '../oci/digest.ts';
import type { Plan, PlannedImage } from '../select/plan.ts';
import { copyImage } from './copy-image.ts';
import { createBlobCounts } from './count-outcomes.ts';
import type { CopyEvent, CopyReport, ImageResult, ImageStatus } from './events.ts';
import { createFirstTransfers } from './first-transfers.ts';
import { ImageOutcome } from './image-outcome.ts';
import { inTransferOrder } from './transfer-order.ts';

/** How a plan is carried out. */
export interface CopyOptions {
  /** Images under way at once. */
  readonly jobs: number;
  /** Stop at the first image that fails. @defaultValue false */
  readonly failFast?: boolean;
  /** Goes before all others. */
  readonly first?: PlannedImage | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: CopyEvent) => void) | undefined;
}

/**
 * Carries out a plan. An image that fails is in the report; the others go on, except where going on is useless: a full
 * disk, a registry that refuses the account, an interruption.
 * @throws RegtarError when the output as a whole failed
 */
export async function copyImages(
  plan: Plan,
  store: ContentStore,
  sink: ImageSink,
  options: CopyOptions,
): Promise<CopyReport> {
  const started = performance.now();
  const emit = options.onEvent ?? (() => undefined);
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const describe = (target: ImageTarget): string => sink.describe(target);
  // Every transfer under way listens for the end: many of them are not a leak.
  setMaxListeners(0, signal);
  const tally = createTally(emit, store);
  const refuseFullHeap = createHeapGuard(store.describe ?? 'the backup', 'MEMORY_FULL');
  const refused: ImageResult[] = plan.refused.map(({ source, status, error }) => ({
    ...source,
    target: undefined,
    status,
    error,
  }));
  emit({ type: 'start', images: plan.images.length + plan.refused.length, blobs: plan.blobs, bytes: plan.bytes });
  for (const result of refused) emit({ type: 'image', result });
  /** In the order of the plan. */
  const results = new Array<ImageResult | undefined>(plan.images.length).fill(undefined);
  const settle = (index: number, status: ImageStatus, error?: RegtarError, untried = false): void => {
    refuseFullHeap();
    const image = plan.images[index] as PlannedImage;
    const result = new ImageOutcome(image, describe, { status, ...(error && { error }), ...(untried && { untried }) });
    results[index] = result;
    emit({ type: 'image', result });
  };
  const { parallelBlobs, parallelFarBlobs = parallelBlobs, bigBlobsFirst = false } = sink.traits;
  await store.keepOnly?.(digestsOf(plan));
  const parallelHere = store.isFar === true ? parallelFarBlobs : parallelBlobs;
  const slots = createSlots(parallelHere, sink.traits.chunkBytes);
  const firsts = createFirstTransfers(store);
  const pause = createPauses();
  const outage = createOutage(options.jobs);
  // Images that wait for a blob which another sends take no place among the transfers, so some more may be under way.
  const parallelImages = parallelBlobs === 1 ? 1 : bigBlobsFirst ? 2 * options.jobs : options.jobs;

  const ordered = bigBlobsFirst ? inTransferOrder(plan) : [...plan.images.keys()];
  const first = options.first === undefined ? -1 : plan.images.indexOf(options.first);
  const inOrder = first < 0 ? ordered : [first, ...ordered.filter((index) => index !== first)];
  try {
    if (!(options.failFast === true && refused.some(({ status }) => status === 'failed'))) {
      await forEachParallel(inOrder, parallelImages, async (index) => {
        signal.throwIfAborted();
        const over = outage.error();
        if (over !== undefined) return settle(index, 'failed', over, true);
        const image = plan.images[index] as PlannedImage;
        emit({ type: 'image-start', ...image.source });
        try {
          const status = await copyImage(image, store, sink, {
            slots,
            firsts,
            pause,
            signal,
            onBytes: tally.bytes,
            onBlob: tally.blob,
          });
          outage.passed();
          settle(index, status);
        } catch (thrown) {
          const error = toRegtarError(thrown);
          if (codeFacts[error.code].ends === 'run') throw error;
          if (signal.aborted) throw toRegtarError(signal.reason);
          outage.failed(error);
          settle(index, 'failed', error);
          if (options.failFast === true) stop.abort(error);
        }
      });
    }
    if (!signal.aborted || options.signal?.aborted !== true)
      await sink.finish({ signal: options.signal, onBytes: tally.bytes });
  } catch (error) {
    if (!(options.failFast === true && error === stop.signal.reason)) throw toRegtarError(error);
    await sink.finish({ signal: options.signal, onBytes: tally.bytes });
  } finally {
    await sink.close();
  }
  return {
    images: [...refused, ...results.filter((result) => result !== undefined)],
    blobs: tally.totals(),
    seconds: (performance.now() - started) / 1000,
  };
}

/** Everything that travels; what several images share comes several times. */
function* digestsOf({ images }: Plan): Generator<Digest> {
  for (const { node } of images) {
    for (const { descriptor } of childrenFirst(node)) yield descriptor.digest;
    for (const { digest } of imageBlobs(node)) yield digest;
  }
}

/**
 * Knows when going on is useless. Without it a target that is down would be asked for each of thousands of images, with
 * all retries.
 * @param jobs as many failures in a row, at least three, mean that the target is gone: each had its own retries
 */
function createOutage(jobs: number) {
  let inARow = 0;
  let reason: RegtarError | undefined;
  let given: RegtarError | undefined;
  return {
    passed: (): void => void (inARow = 0),
    failed(error: RegtarError): void {
      inARow = codeFacts[error.code].again ? inARow + 1 : 0;
      if (codeFacts[error.code].ends === 'rest' || inARow >= Math.max(3, jobs)) reason ??= error;
    },
    /** For an image that is not tried any more: one for all of them, of which there may be a million. */
    error: (): RegtarError | undefined =>
      (given ??=
        reason &&
        new RegtarError(reason.code, `not tried any more: ${reason.message}`, {
          side: reason.side,
          hint: reason.hint,
          cause: reason,
        })),
  };
}

function createTally(emit: (event: CopyEvent) => void, store: ContentStore) {
  const seen = createDigestSet(store);
  const counts = createBlobCounts();
  return {
    bytes: (bytes: number): void => emit({ type: 'bytes', bytes }),
    blob(digest: Digest, size: number, outcome: BlobOutcome): void {
      const isFirst = seen.add(digest);
      counts.add({ size, outcome, isFirst });
      emit({ type: 'blob', digest, size, outcome, isFirst });
    },
    totals: counts.totals,
  };
}
