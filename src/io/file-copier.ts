import { closeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { digestAlgorithm, digestHex, type Digest } from '../oci/digest.ts';
import { copyWorker, type CopyAnswer, type CopyTask } from './copy-worker.ts';
import type { FileRange } from './random-access.ts';
import { startWorker } from './start-worker.ts';
import type { WriteBodyOptions } from './write-file.ts';

/** Bytes that lie in plain files, and what they should be. */
export interface StoredBytes {
  /** In order. */
  readonly ranges: readonly FileRange[];
  readonly digest: Digest;
}

/** Copies stretches of files into new files, in threads of its own, and hashes them on the way. */
export interface FileCopier {
  /**
   * Makes one file. It is not synced to the disk.
   * @param path a new file, or one that is unfinished
   * @returns a descriptor for the caller to close. undefined when the file could not be made, has other bytes than it
   * should have, or is not worth a thread: nothing is left of it then, and the usual way finds out
   * why
   * @throws the signal's reason
   */
  copy(bytes: StoredBytes, path: string, options: WriteBodyOptions): Promise<number | undefined>;
  /** Ends the threads. What is under way is not finished. */
  close(): Promise<void>;
}

/** When and how threads are used. */
export interface FileCopierOptions {
  /** @defaultValue one less than there are processors, two at most: one is the main thread's */
  readonly threads?: number;
  /** Threads start after files of this many bytes together were asked for. @defaultValue 16 MiB */
  readonly threadsFromBytes?: number;
}

/** Starting a thread takes 30 to 40 ms, and some MiB of memory. */
const usefulThreadsFromBytes = 16 * 1024 * 1024;
const mostThreads = 2;
/** Larger chunks gain nothing. */
const bufferBytes = 1024 * 1024;
/** A trip to a thread costs more than copying this here. */
const tripBytes = 8 * 1024;

interface Thread {
  readonly worker: Worker;
  /** Bytes that it has been asked for and has not done yet. */
  load: number;
}

interface Waiting {
  readonly onBytes: ((bytes: number) => void) | undefined;
  /** Bytes that were told. */
  told: number;
  end(file: number | undefined): void;
}

/** No thread is started before there is enough to do. */
export function createFileCopier(options: FileCopierOptions = {}): FileCopier {
  const waiting = new Map<number, Waiting>();
  let threads: readonly Thread[] | undefined;
  let isOver = false;
  let turn = 0;
  let bytesBefore = options.threadsFromBytes ?? usefulThreadsFromBytes;

  const endAll = (): void => {
    isOver = true;
    for (const each of waiting.values()) settle(each, -1);
    waiting.clear();
  };
  const onAnswer = (answer: CopyAnswer): void => {
    const asked = waiting.get(answer.id);
    if (asked === undefined) return;
    if ('bytes' in answer) {
      asked.told += answer.bytes;
      return asked.onBytes?.(answer.bytes);
    }
    waiting.delete(answer.id);
    settle(asked, answer.file);
  };
  const ask = async (
    task: CopyTask,
    size: number,
    onBytes: WriteBodyOptions['onBytes'],
  ): Promise<number | undefined> => {
    threads ??= startThreads(options.threads, onAnswer, endAll);
    const thread = threads.reduce((least, each) => (each.load < least.load ? each : least));
    if (thread.load === 0) thread.worker.ref();
    thread.load += size;
    try {
      return await new Promise((end) => {
        waiting.set(task.id, { onBytes, told: 0, end });
        thread.worker.postMessage(task);
      });
    } finally {
      thread.load -= size;
      if (thread.load === 0) thread.worker.unref();
    }
  };

  return {
    async copy({ ranges, digest }, path, { signal, onBytes }) {
      const size = ranges.reduce((sum, range) => sum + range.size, 0);
      bytesBefore -= size;
      if (isOver || bytesBefore > 0 || size < tripBytes) return undefined;
      signal?.throwIfAborted();
      const cancelled = new SharedArrayBuffer(4);
      const cancel = (): void => void Atomics.store(new Int32Array(cancelled), 0, 1);
      const task = { id: turn++, ranges, path, algorithm: digestAlgorithm(digest), hex: digestHex(digest), cancelled };
      signal?.addEventListener('abort', cancel, { once: true });
      try {
        const file = await ask(task, size, onBytes);
        if (signal?.aborted === true && file !== undefined) closeSync(file);
        signal?.throwIfAborted();
        return file;
      } finally {
        signal?.removeEventListener('abort', cancel);
      }
    },
    async close() {
      endAll();
      await Promise.all((threads ?? []).map(({ worker }) => worker.terminate()));
    },
  };
}

/** Bytes of a file that did not come about are taken back. */
function settle({ onBytes, told, end }: Waiting, file: number): void {
  if (file < 0 && told > 0) onBytes?.(-told);
  end(file < 0 ? undefined : file);
}

function startThreads(
  count = Math.max(1, Math.min(mostThreads, availableParallelism() - 1)),
  onAnswer: (answer: CopyAnswer) => void,
  onError: () => void,
): readonly Thread[] {
  return Array.from({ length: count }, () => {
    // Descriptors are given away.
    const worker = startWorker(copyWorker, 'regtar copy', { workerData: { bufferBytes }, trackUnmanagedFds: false });
    // Threads are not always allowed.
    worker.on('message', onAnswer).once('error', onError);
    return { worker, load: 0 };
  });
}
