import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts a thread from a function's own text: then it needs no file beside the program, wherever and however that was
 * bundled.
 * @param run uses nothing from outside itself but its arguments
 * @param name for debuggers
 * @param uses functions that `run` gets, which use nothing from outside themselves either
 */
export function startWorker<Uses extends readonly ((...args: never[]) => unknown)[]>(
  run: (...uses: Uses) => void,
  name: string,
  options: Pick<WorkerOptions, 'workerData' | 'trackUnmanagedFds'> = {},
  ...uses: Uses
): Worker {
  return new Worker(`(${run.toString()})(${uses.map(String).join(', ')});`, {
    eval: true,
    execArgv: [],
    name,
    ...options,
  });
}
