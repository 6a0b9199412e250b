import { RegtarError } from '../errors.ts';
import type { Client } from '../net/client.ts';
import type { Backoff } from '../net/retry.ts';
import { withAttempts } from './attempts.ts';
import { fetchToken, isTokenOutage, tokenOutage, type Token, type TokenNeed, type TokenService } from './token.ts';

/** How a token service is asked. */
export interface AskTokenOptions {
  readonly client: Client;
  /** Whether this credential has been let in before: then a refusal without a word is an outage. */
  readonly isProven: boolean;
  /** Told of each failure of the network before the next attempt. */
  readonly onFailure?: ((error: RegtarError, backoff: Backoff) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks for a token with retries.
 * @throws RegtarError AUTH_FAILED, AUTH_DENIED, AUTH_TOKEN, TARGET_UNAVAILABLE; always named by the token service
 */
export async function askForToken(
  service: TokenService,
  need: TokenNeed,
  { client, signal, isProven, onFailure }: AskTokenOptions,
): Promise<Token> {
  try {
    return await fetchToken(service, need, async (request) => {
      const patience = client.backoff();
      for (;;) {
        const answer = await client.patiently({ ...request, signal }, patience, false, onFailure);
        if (!isProven || !isTokenOutage(answer)) return answer;
        if (!(await patience.wait(undefined, signal))) throw withAttempts(tokenOutage(service), patience);
      }
    });
  } catch (error) {
    if (!(error instanceof RegtarError) || error.code.startsWith('AUTH_') || error.code === 'TARGET_UNAVAILABLE')
      throw error;
    throw new RegtarError(
      'AUTH_TOKEN',
      `no token from the token service ${service.realm.origin}${service.realm.pathname}: ${error.message}`,
      { hint: error.hint, cause: error },
    );
  }
}
