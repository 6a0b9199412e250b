import { rmSync } from 'node:fs';
import { digestAlgorithm, digestHex, type Digest } from '../oci/digest.ts';
import { copyWorker, type CopyAnswer, type CopyTask, type NewFile } from './copy-worker.ts';
import {
  leastLoaded,
  startFileThreads,
  underLoad,
  usefulThreadsFromBytes,
  type FileThread,
  type FileThreadsOptions,
} from './file-threads.ts';
import { createHoleFinder } from './hole-finder.ts';
import type { FileRange } from './random-access.ts';
import { startWorker } from './start-worker.ts';
import type { WriteBodyOptions } from './write-file.ts';

/** Bytes that lie in plain files, and what they should be. */
export interface StoredBytes {
  /** In order. */
  readonly ranges: readonly FileRange[];
  readonly digest: Digest;
}

/** A file of a few bytes. */
export interface SmallFile {
  readonly file: NewFile;
  readonly content: Uint8Array;
}

/** A file that was made. */
export interface CopiedFile {
  readonly inode: number;
  /** False where the folder could not get its name, mostly because it is there: the file waits in `temporary`. */
  readonly isNamed: boolean;
  /** The inode of the file that was to follow; undefined where that is not made. */
  readonly next?: number | undefined;
}

/** How a file is made. */
export interface MakeOptions extends WriteBodyOptions {
  /** Made, without another message, once the first one has its name. It may be left out for any reason. */
  readonly next?: SmallFile | undefined;
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
  make(file: NewFile, content: StoredBytes | Uint8Array, options: MakeOptions): Promise<CopiedFile | undefined>;
  /** Starts the threads for that many bytes, if these are worth it. Until one runs, files are not worth a thread. */
  expect(bytes: number): void;
  /** Ends the threads. What is under way is not finished. */
  close(): Promise<void>;
}

/** Larger chunks gain nothing. */
const bufferBytes = 1024 * 1024;
/** A file and its folder take the system as long as so many bytes. */
const fileBytes = 64 * 1024;
/** What takes less is not stopped half-way. */
const stoppableBytes = 1024 * 1024;
/** So much more to do does not keep a file from going in one message with others. */
const companyBytes = 512 * 1024;

interface Thread extends FileThread {
  /** What it is asked for when this turn of the event loop ends: a message costs as much as a small file. */
  queue: CopyTask[];
}

interface Waiting {
  /** What the thread makes meanwhile. */
  readonly temporary: string;
  readonly onBytes: ((bytes: number) => void) | undefined;
  /** Bytes that were told. */
  told: number;
  end(file: CopiedFile | undefined): void;
}

/** No thread is started before there is enough to do. */
export function createFileCopier(options: FileThreadsOptions = {}): FileCopier {
  const waiting = new Map<number, Waiting>();
  let threads: readonly Thread[] | undefined;
  let isOver = false;
  let turn = 0;
  const threadsFromBytes = options.threadsFromBytes ?? usefulThreadsFromBytes;
  let bytesBefore = threadsFromBytes;

  /** What is under way is given up when nothing is made of it any more: the usual way makes it at the same place. */
  const endAll = async (): Promise<void> => {
    isOver = true;
    await Promise.all((threads ?? []).map(({ worker }) => worker.terminate()));
    for (const each of waiting.values()) {
      discard(each.temporary);
      settle(each, undefined);
    }
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
    settle(asked, copiedFile(answer));
  };
  const start = (): readonly Thread[] =>
    startFileThreads(
      options,
      () => startWorker(copyWorker, 'regtar copy', { workerData: { bufferBytes } }, createHoleFinder),
      (answers: readonly CopyAnswer[]) => answers.forEach(onAnswer),
      () => void endAll(),
    ).map((thread) => ({ ...thread, queue: [] }));
  const ask = async (
    task: CopyTask,
    load: number,
    onBytes: WriteBodyOptions['onBytes'],
  ): Promise<CopiedFile | undefined> => {
    threads ??= start();
    const thread = leastLoaded(threads, loadWithCompany);
    return underLoad(
      thread,
      load,
      () =>
        new Promise((end) => {
          waiting.set(task.id, { temporary: task.file.temporary, onBytes, told: 0, end });
          enqueue(thread, task);
        }),
    );
  };

  return {
    async make(file, content, { signal, onBytes, next }) {
      const size =
        content instanceof Uint8Array ? content.length : content.ranges.reduce((sum, range) => sum + range.size, 0);
      bytesBefore -= size + fileBytes;
      if (isOver || bytesBefore > 0) return undefined;
      signal?.throwIfAborted();
      const cancelled = size < stoppableBytes ? undefined : new SharedArrayBuffer(4);
      const cancel = (): void => void (cancelled && Atomics.store(new Int32Array(cancelled), 0, 1));
      if (cancelled !== undefined) signal?.addEventListener('abort', cancel, { once: true });
      try {
        const task = {
          id: turn++,
          file,
          content: contentOf(content),
          next: next && { file: next.file, content: textOf(next.content) },
          cancelled,
        };
        const made = await ask(task, size + fileBytes, onBytes);
        if (made === undefined) signal?.throwIfAborted();
        return made;
      } finally {
        if (cancelled !== undefined) signal?.removeEventListener('abort', cancel);
      }
    },
    expect(bytes) {
      if (isOver || threads !== undefined || bytes < threadsFromBytes) return;
      threads = start();
      for (const { worker } of threads) {
        worker.once('online', () => void (bytesBefore = 0));
        worker.unref();
      }
    },
    close: endAll,
  };
}

/** One that gets a message anyway is taken although it has a little more to do. */
function loadWithCompany({ load, queue }: Thread): number {
  return queue.length > 0 ? load - companyBytes : load;
}

function enqueue(thread: Thread, task: CopyTask): void {
  thread.queue.push(task);
  if (thread.queue.length > 1) return;
  setImmediate(() => {
    thread.worker.postMessage(thread.queue);
    thread.queue = [];
  });
}

function copiedFile(answer: Extract<CopyAnswer, { readonly outcome: string }>): CopiedFile | undefined {
  if (answer.outcome === 'failed') return undefined;
  const { inode } = answer;
  return answer.outcome === 'named' ? { inode, isNamed: true, next: answer.next } : { inode, isNamed: false };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function contentOf(content: StoredBytes | Uint8Array): CopyTask['content'] {
  if (content instanceof Uint8Array) return textOf(content);
  const { ranges, digest } = content;
  return { ranges, algorithm: digestAlgorithm(digest), hex: digestHex(digest) };
}

function discard(temporary: string): void {
  try {
    rmSync(temporary, { recursive: true, force: true });
  } catch {
    // The usual way says why.
  }
}

/** Bytes of a file that did not come about are taken back. */
function settle({ onBytes, told, end }: Waiting, file: CopiedFile | undefined): void {
  if (file === undefined && told > 0) onBytes?.(-told);
  end(file);
}
