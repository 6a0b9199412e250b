import { EventEmitter } from 'node:events';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts a thread from a function's own text: then it needs no file beside the program, wherever and however that was
 * bundled.
 * Where the system has no room for one more, Node throws; here that is an `error` event, as of one that ends badly.
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
  const text = `(${run.toString()})(${uses.map(String).join(', ')});`;
  try {
    return new Worker(text, { eval: true, execArgv: [], name, ...options });
  } catch (error) {
    return notStarted(error) as Worker;
  }
}

/** What users of a thread ask of it. */
type Thread = EventEmitter & Pick<Worker, 'postMessage' | 'ref' | 'unref' | 'terminate'>;

function notStarted(error: unknown): Thread {
  const nothing = (): void => undefined;
  const thread = Object.assign(new EventEmitter(), {
    postMessage: nothing,
    ref: nothing,
    unref: nothing,
    terminate: () => Promise.resolve(1),
  });
  // Who has given it up by then does not listen.
  process.nextTick(() => thread.listenerCount('error') > 0 && thread.emit('error', error));
  return thread;
}
