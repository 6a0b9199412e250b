import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';

/** When threads that make files are started, and how many. */
export interface FileThreadsOptions {
  /** @defaultValue as many as there are processors, two at most: the main thread mostly waits meanwhile */
  readonly threads?: number;
  /** Threads start after files of this many bytes together were asked for. @defaultValue 16 MiB */
  readonly threadsFromBytes?: number;
}

/** Starting a thread takes 30 to 40 ms, and some MiB of memory. */
export const usefulThreadsFromBytes = 16 * 1024 * 1024;
const mostThreads = 2;

/** A thread that makes files. */
export interface FileThread {
  readonly worker: Worker;
  /** Bytes that it has been asked for and has not done yet. */
  load: number;
}

/**
 * @param start starts one
 * @param onAnswer what they say
 * @param onError called when one cannot run: threads are not always allowed
 */
export function startFileThreads<Answer>(
  { threads = Math.min(mostThreads, availableParallelism()) }: FileThreadsOptions,
  start: () => Worker,
  onAnswer: (answer: Answer) => void,
  onError: () => void,
): readonly FileThread[] {
  return Array.from({ length: threads }, () => {
    const worker = start();
    worker.on('message', onAnswer).once('error', onError);
    return { worker, load: 0 };
  });
}

/** The one that has least to do. */
export function leastLoaded<Thread extends FileThread>(
  threads: readonly Thread[],
  loadOf: (thread: Thread) => number = ({ load }) => load,
): Thread {
  return threads.reduce((least, each) => (loadOf(each) < loadOf(least) ? each : least));
}

/** Has a thread work, which keeps the process alive for so long. @param load in bytes */
export async function underLoad<Result>(
  thread: FileThread,
  load: number,
  work: () => Promise<Result>,
): Promise<Result> {
  if (thread.load === 0) thread.worker.ref();
  thread.load += load;
  try {
    return await work();
  } finally {
    thread.load -= load;
    if (thread.load === 0) thread.worker.unref();
  }
}
