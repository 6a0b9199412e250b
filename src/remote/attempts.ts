import { RegtarError } from '../errors.ts';
import type { Backoff } from '../net/retry.ts';

/** The last error, and how often it was tried. */
export function withAttempts(error: RegtarError, backoff: Backoff): RegtarError {
  if (backoff.retries === 0) return error;
  return new RegtarError(error.code, `${error.message}; given up after ${backoff.retries + 1} attempts`, {
    side: error.side,
    hint: error.hint,
    where: error.where,
    cause: error,
  });
}
