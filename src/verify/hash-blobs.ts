import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { RegtarError } from '../errors.ts';
import type { ContentStore } from '../content/contracts.ts';
import { filtered } from '../io/repeatable.ts';
import { createRing, type Ring } from '../io/ring.ts';
import { createDigester, digestAlgorithm, digestHex, type Digest } from '../oci/digest.ts';
import { startWorker } from '../io/start-worker.ts';
import { hashWorker, type HashTask, type HashWorkerAnswer, type HashWorkerData } from './hash-worker.ts';

/** How blobs are hashed. */
export interface HashOptions {
  /** Threads. @defaultValue as many as there are processors, four at most: then the medium is the limit */
  readonly jobs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** Called for each blob whose bytes are not right or cannot be read. */
  readonly onDamage: (digest: Digest, error: RegtarError) => void;
  /** Below this many bytes threads cost more than they save. @defaultValue 100 MB */
  readonly threadsFromBytes?: number;
}

/** Starting a thread takes 30 to 40 ms, in which one core hashes 60 MB. */
const usefulThreadsFromBytes = 100_000_000;
const mostThreads = 4;
const readBytes = 8 * 1024 * 1024;
const batchBytes = 32 * 1024 * 1024;
const batchBlobs = 512;
/** So that a thread never waits for the main one. */
const batchesAhead = 2;
const bytesPerTurn = 16 * 1024 * 1024;

/**
 * Hashes blobs in the order given, on several threads where that pays.
 * @param all is gone through more than once
 * @throws RegtarError SOURCE_CHANGED, INTERRUPTED
 */
export async function hashBlobs(store: ContentStore, all: Iterable<Digest>, options: HashOptions): Promise<void> {
  let bytes = 0;
  for (const digest of all) if (!judgeHashed(store, digest, options)) bytes += store.stat(digest)?.size ?? 0;
  const digests = filtered(all, (digest) => store.hashedAs?.(digest) === undefined);
  const threads = Math.min(options.jobs ?? availableParallelism(), mostThreads);
  const doubtful =
    threads > 1 && bytes >= (options.threadsFromBytes ?? usefulThreadsFromBytes)
      ? await hashInThreads(store, digests, threads, options)
      : digests;
  await hashHere(store, doubtful, { ...options, onBytes: doubtful === digests ? options.onBytes : undefined });
}

/** What a stream held was hashed while it passed. @returns whether this was */
function judgeHashed(store: ContentStore, digest: Digest, options: HashOptions): boolean {
  const actual = store.hashedAs?.(digest);
  if (actual === undefined) return false;
  const size = store.stat(digest)?.size ?? 0;
  options.onBytes?.(size);
  if (actual !== digest) options.onDamage(digest, corrupt(digest, size, actual));
  return true;
}

/** The way that works for every source, and the word that counts: what a thread doubts is read once more here. */
async function hashHere(store: ContentStore, digests: Iterable<Digest>, options: HashOptions): Promise<void> {
  const ring = createRing();
  let sinceTurn = 0;
  for (const digest of digests) {
    options.signal?.throwIfAborted();
    const size = store.stat(digest)?.size ?? 0;
    try {
      const actual = await digestOfBlob(store, digest, ring, options);
      if (actual !== digest) options.onDamage(digest, corrupt(digest, size, actual));
    } catch (error) {
      if (!(error instanceof RegtarError) || error.code !== 'SOURCE_UNREADABLE') throw error;
      options.onDamage(
        digest,
        new RegtarError('BLOB_UNREADABLE', `blob ${digest} cannot be read: ${error.message}`, {
          where: { digest },
          cause: error,
        }),
      );
    }
    sinceTurn += size;
    if (sinceTurn >= bytesPerTurn) {
      sinceTurn = 0;
      await nextTurn();
    }
  }
}

async function digestOfBlob(
  store: ContentStore,
  digest: Digest,
  ring: Ring,
  { signal, onBytes }: HashOptions,
): Promise<Digest> {
  const digester = createDigester(digestAlgorithm(digest));
  for await (const chunk of store.open(digest, 0, ring)) {
    signal?.throwIfAborted();
    digester.update(chunk);
    onBytes?.(chunk.length);
  }
  return digester.digest();
}

/**
 * @returns the blobs that are to be hashed here: those that threads cannot reach, and those that they found to be wrong
 */
async function hashInThreads(
  store: ContentStore,
  digests: Iterable<Digest>,
  threads: number,
  options: HashOptions,
): Promise<readonly Digest[]> {
  const doubtful: Digest[] = [];
  const batches = takeBatches(store, digests, doubtful);
  const workerData: HashWorkerData = { turn: new SharedArrayBuffer(4), bufferBytes: readBytes };
  const workers = Array.from({ length: threads }, () => startWorker(hashWorker, 'regtar hash', { workerData }));
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => void (abort = () => reject(options.signal?.reason as Error)));
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    options.signal?.throwIfAborted();
    await Promise.race([aborted, Promise.all(workers.map((worker) => feed(worker, batches, doubtful, options)))]);
  } finally {
    options.signal?.removeEventListener('abort', abort);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return doubtful;
}

interface Batch {
  readonly digests: readonly Digest[];
  readonly tasks: readonly HashTask[];
}

/** Neighbours on the medium travel together. Blobs without a place in a plain file go to `unreachable`. */
function* takeBatches(store: ContentStore, digests: Iterable<Digest>, unreachable: Digest[]): Generator<Batch> {
  let taken: Digest[] = [];
  let tasks: HashTask[] = [];
  let bytes = 0;
  for (const digest of digests) {
    const ranges = store.ranges?.(digest);
    if (ranges === undefined) {
      unreachable.push(digest);
      continue;
    }
    taken.push(digest);
    tasks.push({ algorithm: digestAlgorithm(digest), hex: digestHex(digest), ranges });
    bytes += store.stat(digest)?.size ?? 0;
    if (bytes < batchBytes && taken.length < batchBlobs) continue;
    yield { digests: taken, tasks };
    taken = [];
    tasks = [];
    bytes = 0;
  }
  if (taken.length > 0) yield { digests: taken, tasks };
}

function feed(worker: Worker, batches: Generator<Batch>, doubtful: Digest[], options: HashOptions): Promise<void> {
  const sent: Batch[] = [];
  return new Promise((resolve) => {
    const send = (): void => {
      const next = sent.length < batchesAhead ? batches.next() : undefined;
      if (next?.done === false) {
        sent.push(next.value);
        worker.postMessage(next.value.tasks);
      } else if (sent.length === 0) resolve();
    };
    worker.on('message', (answer: HashWorkerAnswer) => {
      if ('bytes' in answer) options.onBytes?.(answer.bytes);
      else {
        const batch = sent.shift();
        for (const index of answer.failed) doubtful.push(batch?.digests[index] as Digest);
        send();
      }
    });
    worker.once('error', () => {
      // Threads are not always allowed; hashing here is slower and right.
      doubtful.push(...sent.flatMap(({ digests }) => digests));
      for (const batch of batches) doubtful.push(...batch.digests);
      resolve();
    });
    for (let index = 0; index < batchesAhead; index++) send();
  });
}

function corrupt(digest: Digest, size: number, actual: Digest): RegtarError {
  return new RegtarError('BLOB_CORRUPT', `blob ${digest} is damaged: its ${size} bytes have the digest ${actual}`, {
    where: { digest },
    hint: 'make the backup again, or take the blob from another one',
  });
}
