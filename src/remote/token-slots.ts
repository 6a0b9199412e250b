import type { Secret } from '../net/secret.ts';
import type { Challenge } from './challenge.ts';
import type { Credential } from './credential.ts';
import { isFresh, type Token, type TokenNeed } from './token.ts';

/** Tokens of a registry, used for as many requests as they allow. */
export interface TokenSlots {
  /**
   * A fresh token that allows all scopes; requests that need one at the same time wait for the same.
   * @param scopes the first decides which token grows
   * @param stale one that was refused: it is not given again
   */
  get(bearer: Challenge, credential: Credential, scopes: readonly string[], stale?: Token): Promise<Token>;
  /** Forgets the tokens, not that they were issued. */
  clear(): void;
  /** Some older ones, too: they may be valid still, and a server may repeat what an earlier request was sent with. */
  readonly issued: ReadonlySet<Secret>;
}

interface Slot {
  scopes: ReadonlySet<string>;
  token: Token | undefined;
  pending: Promise<unknown> | undefined;
}

/** More scopes than this make a token that servers refuse as too large a header: Harbor's nginx stops near 50. */
const scopesPerToken = 12;

/** That are remembered: a service whose tokens are short-lived gives out hundreds of thousands. */
const mostIssued = 100;

/** No token is there yet. */
export function createTokenSlots(fetchToken: (bearer: Challenge, need: TokenNeed) => Promise<Token>): TokenSlots {
  const slots = new Map<Credential, Map<string, Slot>>();
  const issued = new Set<Secret>();
  const slotOf = (credential: Credential, first: string): Slot => {
    const ofCredential = slots.get(credential) ?? new Map<string, Slot>();
    slots.set(credential, ofCredential);
    const slot = ofCredential.get(first) ?? { scopes: new Set<string>(), token: undefined, pending: undefined };
    ofCredential.set(first, slot);
    return slot;
  };
  return {
    issued,
    clear: () => slots.clear(),
    async get(bearer, credential, scopes, stale) {
      const slot = slotOf(credential, scopes[0] ?? '');
      for (;;) {
        if (slot.pending) {
          await slot.pending;
          continue;
        }
        const isCovered = scopes.every((scope) => slot.scopes.has(scope));
        if (slot.token && slot.token !== stale && isCovered && isFresh(slot.token)) return slot.token;
        const union = new Set([...scopes, ...slot.scopes]);
        const wanted = union.size > scopesPerToken ? new Set(scopes) : union;
        const fetching = fetchToken(bearer, { scopes: [...wanted], credential });
        slot.pending = fetching;
        try {
          const token = await fetching;
          slot.token = token;
          slot.scopes = wanted;
          issued.add(token.value);
          const [oldest] = issued;
          if (issued.size > mostIssued && oldest !== undefined) issued.delete(oldest);
          return token;
        } finally {
          slot.pending = undefined;
        }
      }
    },
  };
}
