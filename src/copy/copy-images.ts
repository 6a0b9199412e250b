import { setMaxListeners } from 'node:events';
import { toRegtarError, type ErrorCode, type RegtarError } from '../errors.ts';
import type { BlobOutcome, ContentStore, ImageSink } from '../content/contracts.ts';
import { childrenFirst, imageBlobs } from '../content/image-graph.ts';
import { forEachParallel } from '../io/parallel.ts';
import { createSlots } from '../io/slots.ts';
import type { Digest } from '../oci/digest.ts';
import type { Plan, PlannedImage } from '../select/plan.ts';
import { copyImage } from './copy-image.ts';
import type { CopyEvent, CopyReport, ImageResult, ImageStatus } from './events.ts';

export interface CopyOptions {
  /** Images under way at once. */
  readonly jobs: number;
  /** Stop at the first image that fails; default false. */
  readonly failFast?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: CopyEvent) => void) | undefined;
}

/**
 * Carries out a plan. An image that fails is in the report; the others go on, except where going on is useless: a full disk, a
 * registry that refuses the account, an interruption.
 * @throws RegtarError when the output as a whole failed
 */
export async function copyImages(plan: Plan, store: ContentStore, sink: ImageSink, options: CopyOptions): Promise<CopyReport> {
  const started = performance.now();
  const emit = options.onEvent ?? (() => undefined);
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  // Every transfer under way listens for the end: many of them are no leak.
  setMaxListeners(0, signal);
  const tally = createTally(emit);
  const results: ImageResult[] = plan.refused.map(({ source, status, error }) => ({ ...source, target: undefined, status, error }));
  emit({ type: 'start', images: plan.images.length + plan.refused.length, blobs: plan.blobs, bytes: plan.bytes });
  for (const result of results) emit({ type: 'image', result });
  const settle = (image: PlannedImage, status: ImageStatus, error?: RegtarError): void => {
    const result: ImageResult = { ...image.source, target: sink.describe(image.target), status, ...(error && { error }) };
    results.push(result);
    emit({ type: 'image', result });
  };
  await store.keepOnly?.(plan.images.flatMap(({ node }) => [...childrenFirst(node).map(({ descriptor }) => descriptor.digest), ...imageBlobs(node).map(({ digest }) => digest)]));
  const slots = createSlots(sink.traits.parallelBlobs);

  try {
    if (!(options.failFast === true && results.some(({ status }) => status === 'failed'))) {
      await forEachParallel(plan.images, sink.traits.parallelBlobs === 1 ? 1 : options.jobs, async (image) => {
        signal.throwIfAborted();
        emit({ type: 'image-start', repository: image.source.repository, tag: image.source.tag });
        try {
          const status = await copyImage(image, store, sink, { slots, signal, onBytes: tally.bytes, onBlob: tally.blob });
          if (status === 'present') for (const { digest, size } of image.target.blobs) tally.blob(digest, size, 'present');
          settle(image, status);
        } catch (thrown) {
          const error = toRegtarError(thrown);
          if (fatalCodes.has(error.code)) throw error;
          if (signal.aborted) throw toRegtarError(signal.reason);
          settle(image, 'failed', error);
          if (options.failFast === true) stop.abort(error);
        }
      });
    }
    if (!signal.aborted || options.signal?.aborted !== true) await sink.finish({ signal: options.signal, onBytes: tally.bytes });
  } catch (error) {
    if (!(options.failFast === true && error === stop.signal.reason)) throw toRegtarError(error);
    await sink.finish({ signal: options.signal, onBytes: tally.bytes });
  } finally {
    await sink.close();
  }
  const order = new Map(plan.images.map((image, index) => [`${image.source.repository}\n${image.source.tag ?? image.source.digest}`, index]));
  const rank = (result: ImageResult): number => order.get(`${result.repository}\n${result.tag ?? result.digest}`) ?? -1;
  return { images: results.sort((left, right) => rank(left) - rank(right)), blobs: tally.totals(), seconds: (performance.now() - started) / 1000 };
}

/** What no other image would survive either. */
const fatalCodes: ReadonlySet<ErrorCode> = new Set(['OUTPUT_FULL', 'OUTPUT_UNWRITABLE', 'OUTPUT_BUSY', 'SOURCE_CHANGED', 'INTERRUPTED', 'AUTH_FAILED', 'READ_ONLY', 'TARGET_TLS']);

function createTally(emit: (event: CopyEvent) => void) {
  const seen = new Set<Digest>();
  const counts = { copied: 0, present: 0, mounted: 0, bytes: 0, spared: 0 };
  return {
    bytes: (bytes: number): void => emit({ type: 'bytes', bytes }),
    blob(digest: Digest, size: number, outcome: BlobOutcome): void {
      const isFirst = !seen.has(digest);
      seen.add(digest);
      if (outcome === 'written') {
        counts.copied++;
        counts.bytes += size;
      } else if (outcome === 'mounted') counts.mounted++;
      else if (isFirst) counts.present++;
      if (outcome !== 'written') counts.spared += size;
      emit({ type: 'blob', digest, outcome, bytes: isFirst ? size : 0, sent: outcome === 'written' ? size : 0 });
    },
    totals: () => ({ ...counts }),
  };
}
