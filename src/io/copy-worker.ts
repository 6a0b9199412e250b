import type { FileRange } from './random-access.ts';

/** One file to make. */
export interface CopyTask {
  readonly id: number;
  readonly ranges: readonly FileRange[];
  /** Where the bytes go: a new file, or one that is unfinished. */
  readonly path: string;
  readonly algorithm: string;
  /** What the bytes should give. */
  readonly hex: string;
  /** One Int32: anything but 0 means that the file is not waited for any more. */
  readonly cancelled: SharedArrayBuffer;
}

/**
 * Bytes as they are written, then a descriptor of the whole file, not synced and the receiver's to close. -1 when it
 * could not be made or is not right: then nothing is left of it.
 */
export type CopyAnswer =
  { readonly id: number; readonly bytes: number } | { readonly id: number; readonly file: number };

/**
 * What a worker thread runs. It starts from this function's own text: then it needs no file beside the program,
 * wherever and however that was bundled. So it uses nothing from outside itself, and types only of what is imported.
 */
export function copyWorker(): void {
  const { parentPort, ...threads } = process.getBuiltinModule('node:worker_threads');
  const fs = process.getBuiltinModule('node:fs');
  const { createHash } = process.getBuiltinModule('node:crypto');
  const buffer = Buffer.allocUnsafeSlow((threads.workerData as { readonly bufferBytes: number }).bufferBytes);
  const zeros = Buffer.alloc(buffer.length);
  /** Smaller holes save no block. */
  const smallestHole = 64 * 1024;
  const bytesPerAnswer = 8 * 1024 * 1024;
  let source = { path: '', descriptor: -1 };

  const open = (path: string): number => {
    if (source.path === path) return source.descriptor;
    if (source.descriptor >= 0) fs.closeSync(source.descriptor);
    source = { path: '', descriptor: -1 };
    source = { path, descriptor: fs.openSync(path, 'r') };
    return source.descriptor;
  };

  /** Zeros need no room on the disk. */
  const isHole = (chunk: Buffer): boolean =>
    chunk[0] === 0 && chunk.length >= smallestHole && zeros.subarray(0, chunk.length).equals(chunk);

  const write = (target: number, chunk: Buffer, position: number): void => {
    for (let done = 0; done < chunk.length;)
      done += fs.writeSync(target, chunk, done, chunk.length - done, position + done);
  };

  /** @returns whether the file has the bytes that it should have */
  const copy = ({ id, ranges, algorithm, hex, cancelled }: CopyTask, target: number): boolean => {
    const stop = new Int32Array(cancelled);
    const hash = createHash(algorithm);
    let position = 0;
    let said = 0;
    let isHoleLast = false;
    for (const { path, start, size } of ranges) {
      for (let done = 0; done < size;) {
        if (Atomics.load(stop, 0) !== 0) return false;
        const count = fs.readSync(open(path), buffer, 0, Math.min(buffer.length, size - done), start + done);
        if (count === 0) return false;
        const chunk = buffer.subarray(0, count);
        hash.update(chunk);
        isHoleLast = isHole(chunk);
        if (!isHoleLast) write(target, chunk, position);
        position += count;
        done += count;
        if (position - said >= bytesPerAnswer) {
          parentPort?.postMessage({ id, bytes: position - said } satisfies CopyAnswer);
          said = position;
        }
      }
    }
    if (isHoleLast) fs.ftruncateSync(target, position);
    if (hash.digest('hex') !== hex) return false;
    parentPort?.postMessage({ id, bytes: position - said } satisfies CopyAnswer);
    return true;
  };

  parentPort?.on('message', (task: CopyTask) => {
    let target = -1;
    try {
      target = fs.openSync(task.path, 'w');
      if (copy(task, target)) return parentPort.postMessage({ id: task.id, file: target } satisfies CopyAnswer);
    } catch {
      // The main thread does it again and finds the words for what is wrong.
      source = { path: '', descriptor: -1 };
    }
    if (target >= 0) {
      fs.closeSync(target);
      fs.rmSync(task.path, { force: true });
    }
    parentPort.postMessage({ id: task.id, file: -1 } satisfies CopyAnswer);
  });
}
