import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { digestAlgorithm, digestHex, type Digest } from '../oci/digest.ts';
import { copyWorker, type CopyAnswer, type CopyRights, type CopyTask } from './copy-worker.ts';
import type { FileRange } from './random-access.ts';
import { startWorker } from './start-worker.ts';
import type { WriteBodyOptions } from './write-file.ts';

/** Bytes that lie in plain files, and what they should be. */
export interface StoredBytes {
  /** In order. */
  readonly ranges: readonly FileRange[];
  readonly digest: Digest;
}

/** Where a new file goes: into a folder of its own, which gets its name when the file is whole. */
export interface NewFile {
  /** A folder that is not there, on the same file system. */
  readonly temporary: string;
  /** What the folder is called at last; the one above it is there. */
  readonly final: string;
  /** The file's name in it. */
  readonly name: string;
  readonly rights: CopyRights;
}

/** A file that was made. */
export interface CopiedFile {
  readonly inode: number;
  /** False where the folder could not get its name, mostly because it is there: the file waits in `temporary`. */
  readonly isNamed: boolean;
}

/** Makes files in threads of its own, from stretches of other files, which it hashes on the way, or from few bytes. */
export interface FileCopier {
  /**
   * Makes one file in a folder of its own, with the rights that it should have. What is copied is synced to the disk
   * before it gets its name; a few bytes are not.
   * @returns undefined when the file could not be made, has other bytes than it should have, or is not worth a thread:
   * nothing is left of it then, and the usual way finds out why
   * @throws the signal's reason
   */
  make(file: NewFile, content: StoredBytes | Uint8Array, options: WriteBodyOptions): Promise<CopiedFile | undefined>;
  /** Ends the threads. What is under way is not finished. */
  close(): Promise<void>;
}

/** When and how threads are used. */
export interface FileCopierOptions {
  /** @defaultValue as many as there are processors, two at most: the main thread mostly waits meanwhile */
  readonly threads?: number;
  /** Threads start after files of this many bytes together were asked for. @defaultValue 16 MiB */
  readonly threadsFromBytes?: number;
}

/** Starting a thread takes 30 to 40 ms, and some MiB of memory. */
const usefulThreadsFromBytes = 16 * 1024 * 1024;
const mostThreads = 2;
/** Larger chunks gain nothing. */
const bufferBytes = 1024 * 1024;
/** A file and its folder take the system as long as so many bytes. */
const fileBytes = 64 * 1024;
/** What takes less is not stopped half-way. */
const stoppableBytes = 1024 * 1024;

interface Thread {
  readonly worker: Worker;
  /** Bytes that it has been asked for and has not done yet. */
  load: number;
}

interface Waiting {
  readonly onBytes: ((bytes: number) => void) | undefined;
  /** Bytes that were told. */
  told: number;
  end(file: CopiedFile | undefined): void;
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
    for (const each of waiting.values()) settle(each, undefined);
    waiting.clear();
  };
  const onAnswer = (answer: CopyAnswer): void => {
    const asked = waiting.get(answer.id);
    if (asked === undefined) return;
    if ('bytes' in answer) {
      asked.told += answer.bytes;
      asked.onBytes?.(answer.bytes);
    }
    if (!('outcome' in answer)) return;
    waiting.delete(answer.id);
    settle(
      asked,
      answer.outcome === 'failed' ? undefined : { inode: answer.inode, isNamed: answer.outcome === 'named' },
    );
  };
  const ask = async (
    task: CopyTask,
    load: number,
    onBytes: WriteBodyOptions['onBytes'],
  ): Promise<CopiedFile | undefined> => {
    threads ??= startThreads(options.threads, onAnswer, endAll);
    const thread = threads.reduce((least, each) => (each.load < least.load ? each : least));
    if (thread.load === 0) thread.worker.ref();
    thread.load += load;
    try {
      return await new Promise((end) => {
        waiting.set(task.id, { onBytes, told: 0, end });
        thread.worker.postMessage(task);
      });
    } finally {
      thread.load -= load;
      if (thread.load === 0) thread.worker.unref();
    }
  };

  return {
    async make({ temporary, final, name, rights }, content, { signal, onBytes }) {
      const size =
        content instanceof Uint8Array ? content.length : content.ranges.reduce((sum, range) => sum + range.size, 0);
      bytesBefore -= size + fileBytes;
      if (isOver || bytesBefore > 0) return undefined;
      signal?.throwIfAborted();
      const cancelled = size < stoppableBytes ? undefined : new SharedArrayBuffer(4);
      const cancel = (): void => void (cancelled && Atomics.store(new Int32Array(cancelled), 0, 1));
      if (cancelled !== undefined) signal?.addEventListener('abort', cancel, { once: true });
      try {
        const task = { id: turn++, content: contentOf(content), temporary, final, name, rights, cancelled };
        const file = await ask(task, size + fileBytes, onBytes);
        if (file === undefined) signal?.throwIfAborted();
        return file;
      } finally {
        if (cancelled !== undefined) signal?.removeEventListener('abort', cancel);
      }
    },
    async close() {
      endAll();
      await Promise.all((threads ?? []).map(({ worker }) => worker.terminate()));
    },
  };
}

function contentOf(content: StoredBytes | Uint8Array): CopyTask['content'] {
  if (content instanceof Uint8Array) return Buffer.from(content).toString('latin1');
  const { ranges, digest } = content;
  return { ranges, algorithm: digestAlgorithm(digest), hex: digestHex(digest) };
}

/** Bytes of a file that did not come about are taken back. */
function settle({ onBytes, told, end }: Waiting, file: CopiedFile | undefined): void {
  if (file === undefined && told > 0) onBytes?.(-told);
  end(file);
}

function startThreads(
  count = Math.min(mostThreads, availableParallelism()),
  onAnswer: (answer: CopyAnswer) => void,
  onError: () => void,
): readonly Thread[] {
  return Array.from({ length: count }, () => {
    const worker = startWorker(copyWorker, 'regtar copy', { workerData: { bufferBytes } });
    // Threads are not always allowed.
    worker.on('message', onAnswer).once('error', onError);
    return { worker, load: 0 };
  });
}
