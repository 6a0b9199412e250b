import { availableParallelism } from 'node:os';
import { startWorker } from '../io/start-worker.ts';
import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import { hashWorker, type HashAnswer, type HashStep } from './hash-worker.ts';

/** Hashes what a reader is sent, beside the sending. */
export interface HashThread {
  /** @returns undefined where there is no further processor, or no thread could be had */
  begin(algorithm: DigestAlgorithm): ThreadHash | undefined;
}

/** One running hash. */
export interface ThreadHash {
  /**
   * @param bytes best in memory that threads share: others are copied
   * @returns when the bytes may change
   */
  update(bytes: Uint8Array): Promise<void>;
  digest(): Promise<Digest>;
  /** Forgets it, where the digest is not wanted any more. */
  drop(): void;
}

/** A thread takes 30 ms to start and some megabytes; it ends when nothing was hashed for so long. */
const idleMilliseconds = 10_000;

interface Waiter {
  readonly resolve: (answer: HashAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** A thread that starts with the first hash and ends by itself. */
export function createHashThread(processors = availableParallelism()): HashThread {
  let canStart = processors > 1;
  let running: RunningThread | undefined;
  let active = 0;
  let next = 0;
  let idle: NodeJS.Timeout | undefined;

  const start = (): RunningThread =>
    startThread((error) => {
      running = undefined;
      // What cannot be started now will not be tried with each blob: the main thread hashes.
      if (error !== undefined) canStart = false;
    });
  const leave = (): void => {
    if (--active > 0) return;
    idle = setTimeout(() => running?.end(), idleMilliseconds).unref();
  };

  return {
    begin(algorithm) {
      if (!canStart) return undefined;
      clearTimeout(idle);
      const thread = (running ??= start());
      const id = next++;
      active++;
      thread.tell({ id, step: 'begin', algorithm });
      return {
        update: async (bytes) => void (await thread.ask({ id, step: 'update', bytes: shareable(bytes) })),
        async digest() {
          const { hex = '' } = await thread.ask({ id, step: 'end' }).finally(leave);
          return `${algorithm}:${hex}` as Digest;
        },
        drop() {
          thread.tell({ id, step: 'drop' });
          leave();
        },
      };
    },
  };
}

/** A message would copy all of the memory that a chunk is a piece of. */
function shareable(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof SharedArrayBuffer ? bytes : Uint8Array.prototype.slice.call(bytes);
}

interface RunningThread {
  tell(step: HashStep): void;
  ask(step: HashStep): Promise<HashAnswer>;
  end(): void;
}

/** @param onEnd with an error where it did not end by itself */
function startThread(onEnd: (error: Error | undefined) => void): RunningThread {
  const waiting: Waiter[] = [];
  let end: Error | undefined;
  const worker = startWorker(hashWorker, 'regtar serve hash');
  const stop = (error: Error | undefined): void => {
    if (end !== undefined) return;
    end = error ?? new Error('the thread that hashes has ended');
    onEnd(error);
    for (const { reject } of waiting.splice(0)) reject(end);
  };
  worker.on('message', (answer: HashAnswer) => waiting.shift()?.resolve(answer));
  worker.once('error', stop);
  worker.once('exit', () => stop(undefined));
  // Listening would take it back.
  worker.unref();
  return {
    tell: (step) => worker.postMessage(step),
    ask: (step) =>
      new Promise((resolve, reject) => {
        if (end !== undefined) {
          reject(end);
          return;
        }
        waiting.push({ resolve, reject });
        worker.postMessage(step);
      }),
    end() {
      stop(undefined);
      void worker.terminate();
    },
  };
}
