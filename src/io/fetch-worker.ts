import type { Hash } from 'node:crypto';
import type { FarRequest, FetchTrouble } from './far-bytes.ts';
import type { createHoleFinder } from './hole-finder.ts';
import type { createRangeClient } from './range-client.ts';

/** One file to make of what a web server sends. */
export interface FetchTask {
  readonly id: number;
  /** Of a file that is not there. */
  readonly path: string;
  readonly algorithm: string;
  readonly hex: string;
  readonly request: FarRequest;
}

/** A file to make; the request for what is missing of one; or that one is not wanted any more. */
export type FetchOrder =
  FetchTask | { readonly id: number; readonly more: FarRequest } | { readonly id: number; readonly drop: true };

/**
 * Bytes as they are written; then either trouble, after which an order says how to go on, or what became of the file:
 * - `whole`: it is there, with the bytes that it should have
 * - `failed`: it could not be made or is not right, and nothing is left of it
 */
export type FetchAnswer = { readonly id: number; readonly bytes: number } & (
  | { readonly outcome?: never }
  | { readonly outcome: FetchTrouble; readonly status: number }
  | { readonly outcome: 'whole' | 'failed'; readonly status: number | undefined }
);

/**
 * What a thread runs that fetches: it receives, hashes and writes, several files at once.
 * @see copyWorker, which is started in the same way; it uses nothing from outside itself either
 */
export function fetchWorker(openClient: typeof createRangeClient, findHoles: typeof createHoleFinder): void {
  const { parentPort, ...threads } = process.getBuiltinModule('node:worker_threads');
  const fs = process.getBuiltinModule('node:fs');
  const { createHash } = process.getBuiltinModule('node:crypto');
  const { bufferBytes } = threads.workerData as { readonly bufferBytes: number };
  const client = openClient(bufferBytes);
  const isHole = findHoles(bufferBytes);
  const bytesPerAnswer = 8 * 1024 * 1024;

  interface File {
    readonly task: FetchTask;
    readonly target: number;
    readonly hash: Hash;
    position: number;
    said: number;
    isHoleLast: boolean;
    leave: () => void;
  }
  const files = new Map<number, File>();
  const answer = (message: FetchAnswer): void => parentPort?.postMessage(message);

  /** @returns bytes that have not been told */
  const untold = (file: File): number => {
    const bytes = file.position - file.said;
    file.said = file.position;
    return bytes;
  };

  const undo = (file: File, status?: number): void => {
    const { id, path } = file.task;
    file.leave();
    files.delete(id);
    try {
      fs.closeSync(file.target);
      fs.rmSync(path, { force: true });
    } catch {
      // It lies among what is removed at the end.
    }
    answer({ id, bytes: 0, outcome: 'failed', status });
  };

  const write = (file: File, chunk: Buffer): void => {
    file.hash.update(chunk);
    file.isHoleLast = isHole(chunk);
    for (let done = file.isHoleLast ? chunk.length : 0; done < chunk.length;)
      done += fs.writeSync(file.target, chunk, done, chunk.length - done, file.position + done);
    file.position += chunk.length;
    if (file.position - file.said >= bytesPerAnswer) answer({ id: file.task.id, bytes: untold(file) });
  };

  const finish = (file: File, status: number): void => {
    const { id, hex } = file.task;
    if (file.hash.digest('hex') !== hex) return undo(file, status);
    if (file.isHoleLast) fs.ftruncateSync(file.target, file.position);
    fs.closeSync(file.target);
    files.delete(id);
    answer({ id, bytes: untold(file), outcome: 'whole', status });
  };

  /** The main thread does again what fails here, and finds the words for it. */
  const guarded = (file: File, work: () => void): void => {
    try {
      work();
    } catch {
      if (files.has(file.task.id)) undo(file);
    }
  };

  const ask = (file: File, request: FarRequest): void => {
    guarded(file, () => {
      file.leave = client.get(request, {
        take: (chunk) => guarded(file, () => write(file, chunk)),
        end(trouble, status) {
          if (trouble === undefined) guarded(file, () => finish(file, status));
          else answer({ id: file.task.id, bytes: untold(file), outcome: trouble, status });
        },
      });
    });
  };

  const create = (task: FetchTask): File | undefined => {
    try {
      const target = fs.openSync(task.path, 'wx');
      const hash = createHash(task.algorithm);
      const file = { task, target, hash, position: 0, said: 0, isHoleLast: false, leave: () => undefined };
      files.set(task.id, file);
      return file;
    } catch {
      answer({ id: task.id, bytes: 0, outcome: 'failed', status: undefined });
      return undefined;
    }
  };

  parentPort?.on('message', (order: FetchOrder) => {
    const known = files.get(order.id);
    if ('path' in order) {
      const made = create(order);
      if (made !== undefined) ask(made, order.request);
    } else if (known === undefined) answer({ id: order.id, bytes: 0, outcome: 'failed', status: undefined });
    else if ('drop' in order) undo(known);
    else ask(known, order.more);
  });
}
