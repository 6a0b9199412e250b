import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts a thread from a function's own text: then it needs no file beside the program, wherever and however that was
 * bundled.
 * @param run uses nothing from outside itself
 * @param name for debuggers
 */
export function startWorker(
  run: () => void,
  name: string,
  options: Pick<WorkerOptions, 'workerData' | 'trackUnmanagedFds'> = {},
): Worker {
  return new Worker(`(${run.toString()})();`, { eval: true, execArgv: [], name, ...options });
}
