import { setMaxListeners } from 'node:events';
import type { BlobOutcome, ContentStore, ImageSink, ImageWriter } from '../content/contracts.ts';
import { childrenFirst } from '../content/image-graph.ts';
import { readVerified } from '../content/hollow.ts';
import { readManifest } from '../content/read-manifest.ts';
import type { Body } from '../io/body.ts';
import type { Ring } from '../io/ring.ts';
import type { Slots } from '../io/slots.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { PlannedImage } from '../select/plan.ts';
import type { FirstTransfers } from './first-transfers.ts';

/** What the images of one run share. */
export interface CopyImageOptions {
  /** Shared by all images: bounds the transfers under way, for any number of images. */
  readonly slots: Slots;
  readonly firsts: FirstTransfers;
  /** @see createPauses */
  readonly pause: () => Promise<void> | undefined;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
  readonly onBlob: (digest: Digest, size: number, outcome: BlobOutcome) => void;
}

/**
 * Copies one image: blobs, manifests children first, then what makes it visible.
 * @throws RegtarError; nothing of the image is visible then
 */
export async function copyImage(
  image: PlannedImage,
  store: ContentStore,
  sink: ImageSink,
  options: CopyImageOptions,
): Promise<'copied' | 'present' | 'skipped'> {
  const { signal, onBytes } = options;
  const writer = await sink.begin(image.target, { signal, onBytes });
  if (typeof writer === 'string') {
    if (writer === 'present')
      for (const { digest, size } of image.target.blobs) options.onBlob(digest, size, 'present');
    return writer;
  }
  let isPresent = true;
  const onBlob: CopyImageOptions['onBlob'] = (digest, size, outcome) => {
    isPresent &&= outcome === 'present';
    options.onBlob(digest, size, outcome);
  };
  try {
    await copyBlobs(image.travelling, store, writer, { ...options, onBlob });
    for (const node of childrenFirst(image.node)) {
      await options.pause();
      signal.throwIfAborted();
      const isRoot = node.descriptor.digest === image.node.descriptor.digest;
      const bytes =
        isRoot && image.rewritten !== undefined
          ? image.rewritten.bytes
          : readManifest(store, node.descriptor.digest).bytes;
      const outcome = await writer.putManifest(node.descriptor, bytes, { signal, onBytes });
      onBlob(node.descriptor.digest, bytes.length, outcome);
    }
    const shown = await writer.commit({ signal, onBytes });
    return isPresent && shown === 'present' ? 'present' : 'copied';
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

async function copyBlobs(
  blobs: readonly Descriptor[],
  store: ContentStore,
  writer: ImageWriter,
  options: CopyImageOptions,
): Promise<void> {
  // One blob's failure fails the image: the others under way are told, so that they do not send gigabytes for nothing.
  const stop = new AbortController();
  const { signal } = stop;
  setMaxListeners(0, signal);
  // What `AbortSignal.any` makes is remembered by the run's signal to the end of the run.
  const stopToo = (): void => stop.abort(options.signal.reason);
  options.signal.throwIfAborted();
  options.signal.addEventListener('abort', stopToo);
  const inOrder = [...blobs].sort((left, right) => store.position(left.digest) - store.position(right.digest));
  let failure: unknown;
  await Promise.all(
    inOrder.map((blob) =>
      options.firsts
        .run(blob.digest, () =>
          options.slots.run(async (ring) => {
            await options.pause();
            options.signal.throwIfAborted();
            if (signal.aborted) return;
            const open = (from = 0, own: Ring = ring): Body => skipBytes(readVerified(store, blob, own), from);
            const outcome = await writer.putBlob(blob, open, {
              signal,
              onBytes: options.onBytes,
              file: store.file(blob.digest),
              object: store.object?.(blob.digest),
              ranges: store.ranges?.(blob.digest),
              far: () => store.far?.(blob.digest),
              isFileVerified: store.hashedAs?.(blob.digest) === blob.digest,
            });
            options.onBlob(blob.digest, blob.size, outcome);
          }),
        )
        .catch((error: unknown) => {
          failure ??= error;
          stop.abort();
        }),
    ),
  );
  options.signal.removeEventListener('abort', stopToo);
  if (failure !== undefined) throw failure;
}

/** Everything is read and hashed from the start on; only what the other side lacks is passed on. */
function skipBytes(body: Body, from: number): Body {
  return from === 0 ? body : skipping(body, from);
}

async function* skipping(body: Body, from: number): AsyncGenerator<Uint8Array> {
  let left = from;
  for await (const chunk of body) {
    if (left >= chunk.length) left -= chunk.length;
    else {
      yield left === 0 ? chunk : chunk.subarray(left);
      left = 0;
    }
  }
}
