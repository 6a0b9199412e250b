/** A promise that is settled from outside. */
export interface Deferred<Result> {
  readonly promise: Promise<Result>;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/** @returns a promise and its two ends. A rejection that is not awaited does not end the process. */
export function createDeferred<Result>(): Deferred<Result> {
  let resolve!: (result: Result) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<Result>((onResult, onError) => {
    resolve = onResult;
    reject = onError;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
