import type { RegtarError } from '../errors.ts';
import type { Backoff } from '../net/retry.ts';

/**
 * Whether a registry answers: known to all of its requests, so that a person hears of trouble once, and all give up
 * together.
 */
export interface Health {
  /** Something answered, with any status. */
  answered(status: number): void;
  /** Nothing has moved for so long, although a request is under way. */
  quiet(host: string, seconds: number): void;
  /** It has asked for a pause, in which nothing is sent. */
  paused(host: string, seconds: number, status: number): void;
  /** An attempt failed, and another one may follow. */
  failed(error: RegtarError, backoff: Backoff): void;
  /** A request has used up its attempts: where nothing has answered meanwhile, nothing else need try again. */
  gaveUp(error: RegtarError): void;
  /** Patience that ends when another request's does. */
  share(backoff: Backoff): Backoff;
}

/** Failures of the way to a registry, not of a request. */
function isAbsence({ code }: RegtarError): boolean {
  return code === 'TARGET_UNREACHABLE' || code === 'TARGET_TIMEOUT';
}

/** What is over by then needs no words. */
const hiccupMilliseconds = 1000;

/** A shorter pause needs no words either. */
const leastPauseSeconds = 2;

/** @param onTrouble hears of each attempt once, however many requests fail at a time */
export function createHealth(onTrouble: ((text: string) => void) | undefined): Health {
  let absentSince: number | undefined;
  let troubleSince: number | undefined;
  let toldAttempt = 0;
  let times: number | undefined;
  let toldQuiet = false;
  let pausedUntil = 0;
  let end: { readonly error: RegtarError } | undefined;
  let ending = new AbortController();

  return {
    answered(status) {
      absentSince = undefined;
      toldQuiet = false;
      if (status < 500) {
        troubleSince = undefined;
        toldAttempt = 0;
      }
      if (end === undefined) return;
      end = undefined;
      ending = new AbortController();
    },
    quiet(host, seconds) {
      if (toldQuiet) return;
      toldQuiet = true;
      const attempt = times === undefined ? '' : `, in attempt ${toldAttempt + 1} of ${times + 1}`;
      onTrouble?.(`${host} has not moved a byte for ${Math.round(seconds)} s${attempt}`);
    },
    paused(host, seconds, status) {
      if (seconds < leastPauseSeconds || performance.now() < pausedUntil) return;
      pausedUntil = performance.now() + seconds * 1000;
      onTrouble?.(`${host} asks for a pause of ${Math.round(seconds)} s (${status}); going on after it`);
    },
    failed(error, backoff) {
      if (isAbsence(error)) absentSince ??= performance.now();
      troubleSince ??= performance.now();
      const attempt = backoff.retries + 1;
      const isShort = !toldQuiet && performance.now() - troubleSince < hiccupMilliseconds;
      if (isShort || attempt <= toldAttempt || attempt > backoff.times) return;
      toldAttempt = attempt;
      onTrouble?.(`${error.message}; trying again, attempt ${attempt + 1} of ${backoff.times + 1}`);
    },
    gaveUp(error) {
      if (!isAbsence(error) || absentSince === undefined || end !== undefined) return;
      end = { error };
      ending.abort();
    },
    share: (backoff) => {
      times = backoff.times;
      return shared(backoff);
    },
  };

  function shared(backoff: Backoff): Backoff {
    return {
      get retries() {
        return backoff.retries;
      },
      times: backoff.times,
      async wait(retryAfterSeconds, signal) {
        if (end !== undefined) throw end.error;
        const both = signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]);
        try {
          return await backoff.wait(retryAfterSeconds, both);
        } catch (error) {
          signal?.throwIfAborted();
          // The type forgets that others may have given up while we slept.
          throw (end as { readonly error: RegtarError } | undefined)?.error ?? error;
        }
      },
    };
  }
}
