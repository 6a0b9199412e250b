/**
 * The bytes of one blob, in order. Producers read into a small ring of buffers: a chunk stays valid until `chunksKept`
 * further chunks have been asked for, so a consumer may have one write under way, and a verifier may hold one chunk
 * back, without a copy.
 * A consumer that keeps chunks longer copies them.
 */
export type Body = AsyncIterable<Uint8Array>;

/** @see Body */
export const chunksKept = 3;

/** A body of bytes that are in memory already. */
export async function* bodyOf(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

/** Collects a body that is known to be small. @throws RangeError when it has more than `limitBytes` */
export async function collectBody(body: Body, limitBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limitBytes) throw new RangeError(`more than ${limitBytes} bytes`);
    chunks.push(Uint8Array.prototype.slice.call(chunk));
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}
