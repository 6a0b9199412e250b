import { withHint, type RegtarError } from '../errors.ts';
import type { Client } from '../net/client.ts';
import type { Backoff } from '../net/retry.ts';
import type { Answer } from '../net/transport.ts';
import { withAttempts } from './attempts.ts';
import type { Dialect } from './dialect.ts';
import type { Outcome, RemoteRequest } from './exchange.ts';
import type { Health } from './health.ts';

/** How often and how long a registry is asked again; shared by all of its requests. */
export interface Patience {
  /**
   * One request with credentials, redirects and retries.
   * @throws RegtarError for statuses other than 2xx and `accept`
   */
  request(request: RemoteRequest): Promise<Answer>;
  /** New patience for one request. */
  backoff(timesAtMost?: number): Backoff;
  /** Looks behind a passing failure, and tells of it. @throws RegtarError what will not pass */
  beforeRetry(request: RemoteRequest, error: RegtarError, backoff: Backoff): Promise<void>;
  /** The last error of a request that has used up its patience. */
  gaveUp(error: RegtarError, backoff: Backoff): RegtarError;
}

/** What patience rests on. */
export interface PatienceOptions {
  readonly exchange: (request: RemoteRequest) => Promise<Outcome>;
  readonly client: Pick<Client, 'backoff'>;
  readonly health: Health;
  /** What is known of the registry's software by now. */
  readonly dialect: () => Dialect;
  readonly signal?: AbortSignal | undefined;
}

/** Makes the patience of one registry. */
export function createPatience({ exchange, client, health, dialect, signal }: PatienceOptions): Patience {
  const patience: Patience = {
    backoff: (timesAtMost) => health.share(client.backoff(timesAtMost)),
    gaveUp(error, backoff) {
      const last = withAttempts(error, backoff);
      health.gaveUp(last);
      return last;
    },
    async beforeRetry(request, error, backoff) {
      health.failed(error, backoff);
      const lasting = await dialect().beforeRetry?.(request, error);
      if (lasting) throw lasting;
    },
    async request(request) {
      const backoff = patience.backoff(request.retryTimes);
      for (;;) {
        const outcome = await exchange(request);
        if ('answer' in outcome) return outcome.answer;
        const { error, transient, retryAfterSeconds } = outcome;
        if (!transient) throw patience.gaveUp(error, backoff);
        const { lasting500 } = request;
        const is500TooOften =
          error.where.status === 500 && lasting500 !== undefined && backoff.retries >= lasting500.retryTimes;
        if (is500TooOften && (await dialect().isAway?.(request)) !== true)
          throw patience.gaveUp(withHint(error, lasting500.hint), backoff);
        await patience.beforeRetry(request, error, backoff);
        if (!(await backoff.wait(retryAfterSeconds, request.signal ?? signal))) throw patience.gaveUp(error, backoff);
      }
    },
  };
  return patience;
}
