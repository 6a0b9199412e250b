import { RegtarError } from '../errors.ts';
import { collectBody, type Body } from '../io/body.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * Reads a blob once from beginning to end, in as many requests as it takes; opens it again only where a request has to
 * be repeated.
 */
export interface BodyCursor {
  take(start: number, length: number): Body;
  collect(start: number, length: number): Promise<Uint8Array>;
  /** Corrects what was counted to what the registry has. */
  settle(offset: number): void;
  /** What the body itself threw: no fault of the registry, and nothing that another attempt would repair. */
  failure(): { readonly error: unknown } | undefined;
  close(): Promise<void>;
}

/** @param open gives the bytes from an offset; may be called again */
export function createBodyCursor(
  blob: { readonly digest: Digest; readonly size: number },
  open: (from?: number) => Body,
  onBytes: ((bytes: number) => void) | undefined,
): BodyCursor {
  let iterator: AsyncIterator<Uint8Array> | undefined;
  let rest: Uint8Array | undefined;
  let at = 0;
  let counted = 0;
  let failure: { readonly error: unknown } | undefined;
  let collected: { readonly start: number; readonly bytes: Uint8Array } | undefined;
  /** Who reads now: a request that was given up may still hold its reader, and must move nothing any more. */
  let reader: object | undefined;
  let isWaiting = false;

  const close = async (): Promise<void> => {
    const closing = iterator;
    iterator = undefined;
    rest = undefined;
    isWaiting = false;
    await closing?.return?.();
  };
  const settle = (offset: number): void => {
    if (offset !== counted) onBytes?.(offset - counted);
    counted = offset;
  };
  const fail = (error: unknown): never => {
    failure = { error };
    throw error;
  };
  async function* read(start: number, length: number): AsyncGenerator<Uint8Array> {
    if (failure) throw failure.error;
    const own = {};
    reader = own;
    if (iterator === undefined || at !== start || isWaiting) {
      await close();
      iterator = (start === 0 ? open() : open(start))[Symbol.asyncIterator]();
      at = start;
    }
    for (let left = length; left > 0;) {
      if (reader !== own) return;
      isWaiting = true;
      const chunk =
        rest ?? (await nextChunk(iterator).catch((error: unknown) => (reader === own ? fail(error) : undefined)));
      if (reader !== own) return;
      isWaiting = false;
      rest = undefined;
      if (chunk === undefined)
        throw new RegtarError('BLOB_CORRUPT', `blob ${blob.digest} ends after ${at} of ${blob.size} bytes`, {
          where: { digest: blob.digest },
          hint: 'run `regtar verify` to list everything that is damaged',
        });
      const piece = chunk.length > left ? chunk.subarray(0, left) : chunk;
      if (chunk.length > left) rest = chunk.subarray(left);
      // Before the yield, so that a request that breaks here is seen to have moved the cursor.
      at += piece.length;
      left -= piece.length;
      yield piece;
    }
  }
  return {
    async *take(start, length) {
      settle(start);
      for await (const piece of read(start, length)) {
        settle(counted + piece.length);
        yield piece;
      }
    },
    async collect(start, length) {
      if (collected?.start !== start || collected.bytes.length !== length)
        collected = { start, bytes: await collectSmall(read(start, length), length) };
      settle(start + length);
      return collected.bytes;
    },
    settle,
    failure: () => failure,
    close,
  };
}

/**
 * Most small bodies are one chunk, which stays valid as long as nothing more is read of its ring: a copy of each would
 * be garbage by the gigabyte.
 */
async function collectSmall(body: AsyncGenerator<Uint8Array>, length: number): Promise<Uint8Array> {
  const first = await body.next();
  if (first.done === true) return new Uint8Array(0);
  if (first.value.length === length) return first.value;
  return collectBody(after(first.value.slice(), body), length);
}

async function* after(first: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

async function nextChunk(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
  const result = await iterator.next();
  return result.done === true ? undefined : result.value;
}
