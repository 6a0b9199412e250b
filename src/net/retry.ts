import { setTimeout as sleep } from 'node:timers/promises';

/** How long a request is tried again. */
export interface RetryOptions {
  /** How often after the first attempt; So that a server that restarts is waited for. @defaultValue 5 */
  readonly times?: number;
  /** Before the first retry; doubled for each further one. @defaultValue 1 */
  readonly delaySeconds?: number;
  /** No single wait of our own choosing is longer. @defaultValue 30 */
  readonly maxDelaySeconds?: number;
  /** All waits of one request together, those that the server asks for included. @defaultValue 300 */
  readonly maxTotalSeconds?: number;
}

/** The retries of one request. */
export interface Backoff {
  /** How many retries have been granted. */
  readonly retries: number;
  /** How many there are at most. */
  readonly times: number;
  /**
   * Waits before the next attempt.
   * @param retryAfterSeconds what the server asked for
   * @returns false at once when no attempt is left, or the server asks for more patience than there is
   */
  wait(retryAfterSeconds: number | undefined, signal: AbortSignal | undefined): Promise<boolean>;
}

/** @param timesAtMost fewer retries than the options allow, for failures that are likely to stay */
export function createBackoff(options: RetryOptions, timesAtMost = Infinity): Backoff {
  const times = Math.min(options.times ?? 5, timesAtMost);
  const delay = options.delaySeconds ?? 1;
  const maxDelay = options.maxDelaySeconds ?? 30;
  let left = options.maxTotalSeconds ?? 300;
  let retries = 0;
  return {
    get retries() {
      return retries;
    },
    times,
    async wait(retryAfterSeconds, signal) {
      // Jitter keeps parallel requests from coming back as one wave.
      const own = Math.min(delay * 2 ** retries, maxDelay) * (0.75 + Math.random() / 2);
      const seconds = Math.max(own, retryAfterSeconds ?? 0);
      if (retries >= times || seconds > left) return false;
      retries++;
      left -= seconds;
      await sleep(seconds * 1000, undefined, signal && { signal });
      return true;
    },
  };
}

/** 408, 429 and 5xx may pass; 501 and 505 say that they will not. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

/**
 * `Retry-After` in seconds from now, for both of its forms.
 * @returns undefined when it is absent or neither a number nor a date
 * @see RFC 9110, section 10.2.3
 */
export function parseRetryAfter(value: string | undefined, now = Date.now()): number | undefined {
  const text = value?.trim();
  if (text === undefined || text === '') return undefined;
  if (/^[0-9]+$/.test(text)) return Number(text);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000);
}

/** What every request to one server passes: when one is told to wait, all wait. */
export interface Gate {
  closeFor(seconds: number): void;
  pass(signal: AbortSignal | undefined): Promise<void>;
}

/** Each request that passes still counts its own retries. */
export function createGate(): Gate {
  let shutUntil = 0;
  return {
    closeFor(seconds) {
      shutUntil = Math.max(shutUntil, performance.now() + seconds * 1000);
    },
    async pass(signal) {
      for (let wait = shutUntil - performance.now(); wait > 0; wait = shutUntil - performance.now()) {
        await sleep(wait + Math.random() * 100, undefined, signal && { signal });
      }
    },
  };
}
