import { startWorker } from '../io/start-worker.ts';

/**
 * The SHA-256 of files as if they were one, in a thread of its own: it reads beside the copy, which has just had the
 * same bytes read.
 * @returns undefined where they cannot be read any more, or the signal came first
 */
export async function hashFiles(
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (signal?.aborted === true) return undefined;
  const worker = startWorker(hashFilesHere, 'regtar source hash', { workerData: paths });
  let abort = (): void => undefined;
  try {
    return await new Promise((resolve) => {
      abort = () => resolve(undefined);
      signal?.addEventListener('abort', abort, { once: true });
      worker
        .once('message', (hex: string) => resolve(hex))
        .once('error', () => resolve(undefined))
        .once('exit', () => resolve(undefined));
    });
  } finally {
    signal?.removeEventListener('abort', abort);
    await worker.terminate();
  }
}

/**
 * Runs from its own text in the thread, so that it needs no file beside the program: it uses nothing from outside
 * itself.
 */
function hashFilesHere(): void {
  const { parentPort, ...threads } = process.getBuiltinModule('node:worker_threads');
  const { openSync, readSync, closeSync } = process.getBuiltinModule('node:fs');
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(4 * 1024 * 1024);
  for (const path of threads.workerData as readonly string[]) {
    const descriptor = openSync(path, 'r');
    for (let count = 1; count > 0;) {
      count = readSync(descriptor, buffer, 0, buffer.length, null);
      hash.update(buffer.subarray(0, count));
    }
    closeSync(descriptor);
  }
  parentPort?.postMessage(hash.digest('hex'));
}
