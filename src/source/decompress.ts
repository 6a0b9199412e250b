import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { limits } from '../io/limits.ts';

/** Compressions that are read as they are. */
export type Compression = 'gzip' | 'zstd';

/**
 * Unpacks a stream; frames and members that follow each other are one, as parallel compressors write them.
 * @throws Error of zlib or of the decoder where the compressed bytes are damaged or cut; what comes before has been
 * yielded
 */
export function decompress(chunks: AsyncIterable<Uint8Array>, compression: Compression): AsyncIterable<Uint8Array> {
  if (compression === 'gzip') return throughTransform(chunks, zlib.createGunzip({ chunkSize: limits.chunkBytes }));
  const createNative = (
    zlib as { readonly createZstdDecompress?: (options: { readonly chunkSize: number }) => Transform }
  ).createZstdDecompress;
  return createNative === undefined
    ? unzstd(chunks)
    : throughTransform(chunks, createNative({ chunkSize: limits.chunkBytes }));
}

async function* throughTransform(chunks: AsyncIterable<Uint8Array>, transform: Transform): AsyncGenerator<Uint8Array> {
  const feeding = feed(chunks, transform);
  // Told by the transform's own error below; here it only must not be unhandled.
  feeding.catch(() => undefined);
  try {
    yield* transform as AsyncIterable<Uint8Array>;
    await feeding;
  } finally {
    transform.destroy();
  }
}

async function feed(chunks: AsyncIterable<Uint8Array>, transform: Transform): Promise<void> {
  const room = roomIn(transform);
  try {
    for await (const chunk of chunks) {
      // The chunk may be reused once the transform has taken it, which `drain` says.
      if (!transform.write(chunk)) await room();
      if (transform.destroyed) return;
    }
    transform.end();
  } catch (error) {
    transform.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

/**
 * Waits for room, or for the end. One pair of listeners for all chunks: a pair each would be millions, which every
 * event goes through.
 */
function roomIn(transform: Transform): () => Promise<void> {
  let goOn: () => void = () => undefined;
  transform.on('drain', () => goOn());
  transform.on('close', () => goOn());
  return () =>
    new Promise((resolve) => {
      goOn = resolve;
      if (transform.destroyed || !transform.writableNeedDrain) resolve();
    });
}

/** The decoder goes round in circles when it meets damage: this many steps without a byte are no progress. */
const idleSteps = 1000;

async function* unzstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  // Loaded on use: half a megabyte of WebAssembly that most runs do not need.
  const { ZSTDDecoder } = await import('zstddec/stream');
  const decoder = new ZSTDDecoder();
  await decoder.init();
  const source = chunks[Symbol.asyncIterator]();
  // The decoder takes its input synchronously: the next chunk is fetched before it can ask.
  let next: Uint8Array | undefined = await take(source);
  let isTaken = false;
  const input = {
    *[Symbol.iterator]() {
      for (; next !== undefined;) {
        isTaken = true;
        yield next;
      }
    },
  };
  let idle = 0;
  try {
    for (const piece of decoder.decodeStreaming(input)) {
      if (isTaken) {
        isTaken = false;
        next = await take(source);
      }
      idle = piece.length === 0 ? idle + 1 : 0;
      if (idle > idleSteps) throw new Error('the zstd data is damaged, or needs a window above 128 MiB');
      if (piece.length > 0) yield piece;
    }
  } finally {
    await source.return?.(undefined);
  }
}

async function take(source: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
  for (;;) {
    const result = await source.next();
    if (result.done === true) return undefined;
    // A copy: the next chunk is asked for while this one is still being decoded.
    if (result.value.length > 0) return Uint8Array.prototype.slice.call(result.value);
  }
}
