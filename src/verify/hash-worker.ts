import type { FileRange } from '../io/random-access.ts';

/** What a worker is told at its start. */
export interface HashWorkerData {
  /** One Int32 that all workers share: the one that holds it reads. */
  readonly turn: SharedArrayBuffer;
  readonly bufferBytes: number;
}

/** One blob to hash. */
export interface HashTask {
  readonly algorithm: string;
  /** What its bytes should give. */
  readonly hex: string;
  readonly ranges: readonly FileRange[];
}

/**
 * Bytes are counted as they are hashed; `failed` are indexes of tasks whose bytes are not right or could not be read.
 */
export type HashWorkerAnswer = { readonly bytes: number } | { readonly failed: readonly number[] };

/**
 * What a worker thread runs. It starts from this function's own text: then it needs no file beside the program,
 * wherever and however that was bundled. So it uses nothing from outside itself, and types only of what is imported.
 */
export function hashWorker(): void {
  const { parentPort, ...threads } = process.getBuiltinModule('node:worker_threads');
  const { openSync, readSync, closeSync } = process.getBuiltinModule('node:fs');
  const { createHash } = process.getBuiltinModule('node:crypto');
  const { turn: sharedTurn, bufferBytes } = threads.workerData as HashWorkerData;
  const turn = new Int32Array(sharedTurn);
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  /** Up to here it is cheaper to read what lies between two blobs than to read twice. */
  const cheapGapBytes = 64 * 1024;
  const bytesPerAnswer = 32 * 1024 * 1024;
  let opened = { path: '', descriptor: -1 };
  let held = { path: '', start: 0, end: 0 };
  let unsaid = 0;

  const open = (path: string): number => {
    if (opened.path === path) return opened.descriptor;
    if (opened.descriptor >= 0) closeSync(opened.descriptor);
    opened = { path: '', descriptor: -1 };
    opened = { path, descriptor: openSync(path, 'r') };
    return opened.descriptor;
  };

  const load = (path: string, start: number, size: number): void => {
    held = { path, start, end: start };
    // Two readers at once make a spinning disk jump to and fro: they take turns of many megabytes, and hash in between.
    while (Atomics.compareExchange(turn, 0, 0, 1) !== 0) Atomics.wait(turn, 0, 1);
    try {
      const descriptor = open(path);
      for (let count = 1; count > 0 && held.end < start + size; held.end += count)
        count = readSync(descriptor, buffer, held.end - start, start + size - held.end, held.end);
    } finally {
      Atomics.store(turn, 0, 0);
      Atomics.notify(turn, 0, 1);
    }
  };

  /** How much to read at once: as many of the following blobs as lie close together. */
  const reach = (ranges: readonly FileRange[], index: number, position: number): number => {
    const first = ranges[index] as FileRange;
    let end = first.start + first.size;
    for (let next = ranges[index + 1], at = index + 1; next !== undefined; next = ranges[++at]) {
      const isClose =
        next.path === first.path &&
        next.start >= end &&
        next.start - end <= cheapGapBytes &&
        next.start + next.size - position <= bufferBytes;
      if (!isClose) break;
      end = next.start + next.size;
    }
    return Math.min(end - position, bufferBytes);
  };

  const hashTask = (task: HashTask, ranges: readonly FileRange[], firstRange: number): boolean => {
    const hash = createHash(task.algorithm);
    for (let index = firstRange; index < firstRange + task.ranges.length; index++) {
      const { path, start, size } = ranges[index] as FileRange;
      for (let position = start; position < start + size;) {
        if (held.path !== path || position < held.start || position >= held.end)
          load(path, position, reach(ranges, index, position));
        const end = Math.min(held.end, start + size);
        if (end <= position) return false;
        hash.update(buffer.subarray(position - held.start, end - held.start));
        unsaid += end - position;
        position = end;
        if (unsaid >= bytesPerAnswer) sayBytes();
      }
    }
    return hash.digest('hex') === task.hex;
  };

  const sayBytes = (): void => {
    if (unsaid > 0) parentPort?.postMessage({ bytes: unsaid } satisfies HashWorkerAnswer);
    unsaid = 0;
  };

  parentPort?.on('message', (tasks: readonly HashTask[]) => {
    const failed: number[] = [];
    const ranges: FileRange[] = [];
    for (const task of tasks) for (const range of task.ranges) ranges.push(range);
    let firstRange = 0;
    for (let index = 0; index < tasks.length; index++) {
      const task = tasks[index] as HashTask;
      try {
        if (!hashTask(task, ranges, firstRange)) failed.push(index);
      } catch {
        // The main thread reads it again and finds the words for what is wrong.
        failed.push(index);
        held = { path: '', start: 0, end: 0 };
      }
      firstRange += task.ranges.length;
    }
    sayBytes();
    parentPort.postMessage({ failed } satisfies HashWorkerAnswer);
  });
}
