import type { Worker } from 'node:worker_threads';
import { digestAlgorithm, digestHex, type Digest } from '../oci/digest.ts';
import type { FarBytes, FarRequest } from './far-bytes.ts';
import { fetchWorker, type FetchAnswer, type FetchOrder } from './fetch-worker.ts';
import {
  leastLoaded,
  startFileThreads,
  underLoad,
  usefulThreadsFromBytes,
  type FileThread,
  type FileThreadsOptions,
} from './file-threads.ts';
import { createHoleFinder } from './hole-finder.ts';
import { createRangeClient } from './range-client.ts';
import { startWorker } from './start-worker.ts';
import type { WriteBodyOptions } from './write-file.ts';

/** Makes files in threads of its own from what web servers send, which it hashes on the way. */
export interface FileFetcher {
  /**
   * Makes one file. It is not synced to the disk.
   * @param path of a file that is not there
   * @returns false when it could not be made, has other bytes than it should have, or is not worth a thread: nothing
   * is left of it then, and the usual way finds out why
   * @throws RegtarError what the usual way would say of the server; the signal's reason
   */
  fetch(path: string, bytes: FarBytes, digest: Digest, options: WriteBodyOptions): Promise<boolean>;
  /** Ends the threads. What is under way is not finished. */
  close(): Promise<void>;
}

/** Of each connection: what a socket holds is taken at once. */
const bufferBytes = 512 * 1024;
/** A request takes as long as so many bytes. */
const requestBytes = 64 * 1024;

type Outcome = NonNullable<FetchAnswer['outcome']>;

interface Waiting {
  readonly onBytes: (bytes: number) => void;
  /** @param status of an answer; undefined where nothing was asked */
  end(outcome: Outcome, status: number | undefined): void;
}

/** No thread is started before there is enough to do. */
export function createFileFetcher(options: FileThreadsOptions = {}): FileFetcher {
  const waiting = new Map<number, Waiting>();
  let threads: readonly FileThread[] | undefined;
  let isOver = false;
  let turn = 0;
  let bytesBefore = options.threadsFromBytes ?? usefulThreadsFromBytes;

  /** What is under way is given up when nothing writes to its files any more. */
  const endAll = async (): Promise<void> => {
    isOver = true;
    await Promise.all((threads ?? []).map(({ worker }) => worker.terminate()));
    for (const each of [...waiting.values()]) each.end('failed', undefined);
  };
  const onAnswer = (answer: FetchAnswer): void => {
    const asked = waiting.get(answer.id);
    if (answer.bytes > 0) asked?.onBytes(answer.bytes);
    if (answer.outcome !== undefined) asked?.end(answer.outcome, answer.status);
  };
  /** One order, up to its outcome. */
  const tell = async (
    { worker }: FileThread,
    order: FetchOrder,
    onBytes: Waiting['onBytes'],
  ): Promise<{ readonly outcome: Outcome; readonly status: number | undefined }> => {
    try {
      return await new Promise((resolve) => {
        if (isOver) return resolve({ outcome: 'failed', status: undefined });
        waiting.set(order.id, { onBytes, end: (outcome, status) => resolve({ outcome, status }) });
        worker.postMessage(order);
      });
    } finally {
      waiting.delete(order.id);
    }
  };

  const runIn = async (
    thread: FileThread,
    path: string,
    bytes: FarBytes,
    { digest, request, signal, onBytes }: WriteBodyOptions & { readonly digest: Digest; readonly request: FarRequest },
  ): Promise<boolean> => {
    const id = turn++;
    let told = 0;
    const count = (more: number): void => {
      told += more;
      onBytes?.(more);
    };
    const drop = (): void => thread.worker.postMessage({ id, drop: true } satisfies FetchOrder);
    signal?.addEventListener('abort', drop, { once: true });
    let order: FetchOrder = { id, path, algorithm: digestAlgorithm(digest), hex: digestHex(digest), request };
    let isWhole = false;
    try {
      for (;;) {
        const { outcome, status } = await tell(thread, order, count);
        if (status !== undefined) bytes.answered(status);
        isWhole = outcome === 'whole';
        if (outcome === 'whole' || outcome === 'failed') return isWhole;
        const more = await bytes.askAgain(told, outcome, signal).catch(async (error: unknown) => {
          await tell(thread, { id, drop: true }, count);
          throw error;
        });
        order = more === undefined ? { id, drop: true } : { id, more };
      }
    } finally {
      signal?.removeEventListener('abort', drop);
      // Bytes of a file that did not come about are taken back.
      if (!isWhole && told > 0) onBytes?.(-told);
      if (!isWhole) signal?.throwIfAborted();
    }
  };

  return {
    async fetch(path, bytes, digest, { signal, onBytes }) {
      bytesBefore -= bytes.size + requestBytes;
      if (isOver || bytesBefore > 0) return false;
      signal?.throwIfAborted();
      const request = await bytes.ask();
      if (request === undefined || isOver) return false;
      signal?.throwIfAborted();
      threads ??= startFileThreads(options, start, onAnswer, () => void endAll());
      const thread = leastLoaded(threads);
      return underLoad(thread, bytes.size + requestBytes, () =>
        runIn(thread, path, bytes, { digest, request, signal, onBytes }),
      );
    },
    close: endAll,
  };
}

function start(): Worker {
  return startWorker(fetchWorker, 'regtar fetch', { workerData: { bufferBytes } }, createRangeClient, createHoleFinder);
}
