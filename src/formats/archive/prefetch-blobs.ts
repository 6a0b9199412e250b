import type { WriteOptions } from '../../content/contracts.ts';
import type { Body } from '../../io/body.ts';
import { limits } from '../../io/limits.ts';
import { createRing, type Ring } from '../../io/ring.ts';
import type { Descriptor } from '../../oci/descriptor.ts';

/** A blob as `putBlob` was given it. */
export interface PutBlob extends WriteOptions {
  readonly descriptor: Descriptor;
  readonly open: (from?: number, ring?: Ring) => Body;
}

/**
 * Up to this size a blob is read and verified whole before its member begins; larger ones would not fit into memory
 * beside everything else.
 */
const wholeBytes = 4 * 1024 * 1024;

const heldChunks = Math.ceil(wholeBytes / limits.chunkBytes);

/**
 * Gives blobs one after another, each verified whole while the one before is still being written: a small blob is read
 * faster than a thread is woken, so without this an archive would spend a third of its time waiting for first bytes.
 * @param isThere whether the output probably has what comes next, so that reading it ahead would be in vain
 */
export async function* prefetchBlobs(
  blobs: readonly PutBlob[],
  rings: PrefetchRings,
  isThere: (() => boolean) | undefined = undefined,
): AsyncGenerator<PrefetchedBlob> {
  let [ring, other] = rings;
  let next = start(blobs[0], ring, isThere);
  try {
    for (const [index, blob] of blobs.entries()) {
      const current = next;
      // It reads into the ring of the blob before the current one, which has been written.
      next = start(blobs[index + 1], other, isThere);
      yield { blob, ring, chunks: await current };
      [ring, other] = [other, ring];
    }
  } finally {
    // Its buffers are used again, so it must have ended; its failure is reported when it is its turn, or not at all.
    await next?.catch(() => undefined);
  }
}

/** A blob whose turn has come. */
export interface PrefetchedBlob {
  readonly blob: PutBlob;
  /** Verified, valid until the next but one blob is asked for; undefined for a blob that is too large: stream it. */
  readonly chunks: readonly Uint8Array[] | undefined;
  /** For streaming it: the other one holds the next blob already. */
  readonly ring: Ring;
}

/** Buffers of the blob that is written and of the next one. */
export type PrefetchRings = readonly [Ring, Ring];

/** Made once for an archive; each blob uses them again. */
export function createPrefetchRings(): PrefetchRings {
  return [createRing({ kept: heldChunks + 1 }), createRing({ kept: heldChunks + 1 })];
}

function start(
  blob: PutBlob | undefined,
  ring: Ring,
  isThere: (() => boolean) | undefined,
): Promise<readonly Uint8Array[]> | undefined {
  if (blob === undefined || blob.descriptor.size > wholeBytes || isThere?.() === true) return undefined;
  const work = readWhole(blob, ring);
  work.catch(() => undefined);
  return work;
}

async function readWhole({ open, signal }: PutBlob, ring: Ring): Promise<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of open(0, ring)) {
    signal?.throwIfAborted();
    chunks.push(chunk);
    // A source that gives shorter chunks than it could would come round to the first buffer before the blob has ended.
    const oldest = chunks.length - heldChunks;
    if (oldest >= 0) chunks[oldest] = Uint8Array.prototype.slice.call(chunks[oldest]);
  }
  return chunks;
}
