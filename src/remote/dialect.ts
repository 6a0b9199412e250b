import type { RegtarError } from '../errors.ts';
import type { Answer } from '../net/transport.ts';
import type { RemoteRequest } from './exchange.ts';

/** What a particular registry software does differently. */
export interface Dialect {
  /** Widens a scope, so that one token serves more requests: Harbor checks projects, not repositories. */
  readonly tokenScope?: ((scope: string) => string) | undefined;
  /**
   * Looks behind a passing failure before the request is tried again.
   * @returns an error that will stay, to be thrown in its place
   */
  readonly beforeRetry?: ((request: RemoteRequest, error: RegtarError) => Promise<RegtarError | undefined>) | undefined;
  /** Whether a 401 says something else than what a proven account may not do: then it passes like a 503. */
  readonly isOutage?: ((answer: Answer, request: RemoteRequest) => Promise<boolean>) | undefined;
  /** Whether a failure that often stays is an outage this time. */
  readonly isAway?: ((request: RemoteRequest) => Promise<boolean>) | undefined;
}
