import { RegtarError } from '../errors.ts';
import { findChallenge, type Challenge } from './challenge.ts';
import { basicHeader, secretsOf, type Credential, type CredentialSource } from './credential.ts';
import type { Secret } from '../net/secret.ts';
import { pushScope } from './scopes.ts';
import { createTokenSlots } from './token-slots.ts';
import { grantedActions, type Token, type TokenNeed } from './token.ts';

/** What a request must be allowed to do. */
export interface AuthNeed {
  readonly repository?: string | undefined;
  /**
   * `repository:library/app:pull,push`; the first decides which token grows.
   * @see distribution, docs/spec/auth/scope.md
   */
  readonly scopes: readonly string[];
  /** @defaultValue `any` */
  readonly shows?: ShownCredential | undefined;
}

/** Which credential a request may carry: what the registry asks for, a password or nothing, or nothing at all. */
export type ShownCredential = 'any' | 'password' | 'none';

/** An `Authorization` header, and what it was made of. */
export interface Authorization {
  readonly value: string;
  readonly token?: Token;
  readonly credential: Credential;
}

/** Shows a registry who asks, in the way that it wants. */
export interface Authenticator {
  /** Keeps how the registry wants to be asked; later and lesser challenges do not change it. */
  adopt(challenges: readonly Challenge[]): void;
  /** @returns undefined where the registry wants nothing, or there is nothing to show */
  authorize(need: AuthNeed): Promise<Authorization | undefined>;
  /**
   * What to try after a 401.
   * @param since when the refused request began, of `performance.now()`: a token that was fetched later is fresh, so
   * the 401 means no
   * @returns undefined when nothing better is left
   */
  renew(
    need: AuthNeed,
    refused: Authorization | undefined,
    challenges: readonly Challenge[],
    since: number,
  ): Promise<Authorization | undefined>;
  /** What a token for a repository allows there; undefined where the registry gives none, or none that can be read. */
  granted(repository: string): Promise<ReadonlySet<string> | undefined>;
  /** Remembers that the registry has let a credential in: then a later 401 may be an outage. */
  prove(credential: Credential): void;
  isProven(shown: Pick<Authorization, 'credential'>): boolean;
  /** Tokens say what was allowed when they were made; a project that was created since is not in them. */
  forgetTokens(): void;
  scheme(): AuthScheme;
  /** Everything that must not appear in a message. */
  secrets(): Iterable<Secret>;
}

/** How a registry wants to be asked, as far as it is known. */
export type AuthScheme = 'unknown' | 'none' | 'basic' | 'bearer';

/** Where credentials and tokens come from. */
export interface AuthenticatorOptions {
  readonly credentials: CredentialSource;
  readonly fetchToken: (bearer: Challenge, need: TokenNeed) => Promise<Token>;
  /**
   * Asked before a password goes to the registry itself; `asked` is how it wants to be asked, if at all.
   * @returns false where the registry has no use for one. @throws RegtarError AUTH_FAILED where it would travel in
   * clear
   */
  readonly mayShowPassword: (asked: Challenge | undefined) => boolean;
  /** May widen a scope, so that fewer tokens serve more requests. */
  readonly tokenScope: (scope: string) => string;
}

/** Knows nothing of the registry until its first challenge. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const tokens = createTokenSlots(options.fetchToken);
  const used = new Set<Credential>();
  const proven = new Set<Credential>();
  let adopted: Challenge | undefined;
  let known = false;

  const basicOf = (credential: Credential): Authorization | undefined =>
    credential.kind === 'basic' && options.mayShowPassword(adopted)
      ? { value: basicHeader(credential), credential }
      : undefined;

  const authorize = async (need: AuthNeed, stale?: Token, extraScope?: string): Promise<Authorization | undefined> => {
    if (need.shows === 'none') return undefined;
    const credential = await options.credentials(need.repository);
    used.add(credential);
    if (need.shows === 'password') return basicOf(credential);
    if (credential.kind === 'registry-token') return { value: `Bearer ${credential.token.reveal()}`, credential };
    if (adopted?.scheme === 'basic') {
      if (credential.kind === 'identity-token') throw identityUnusable(credential);
      return basicOf(credential);
    }
    if (adopted?.scheme !== 'bearer') return undefined;
    const scopes = [...new Set([...need.scopes.map(options.tokenScope), ...(extraScope ? extraScope.split(' ') : [])])];
    const token = await tokens.get(adopted, credential, scopes, stale);
    return { value: `Bearer ${token.value.reveal()}`, token, credential };
  };

  const adopt = (challenges: readonly Challenge[]): void => {
    known = true;
    if (adopted) return;
    adopted = findChallenge(challenges, 'bearer') ?? findChallenge(challenges, 'basic');
  };

  return {
    adopt,
    authorize: (need) => authorize(need),
    async renew(need, refused, challenges, since) {
      if (refused === undefined) {
        if ((need.shows ?? 'any') !== 'any' || adopted) return undefined;
        adopt(challenges);
        return authorize(need);
      }
      if (refused.token === undefined) return undefined;
      // Some registries want another scope than the standard's; they say so here.
      const asked = findChallenge(challenges, 'bearer')?.parameters['scope'];
      const extra =
        asked && asked.split(' ').some((scope) => !need.scopes.some((own) => covers(own, scope))) ? asked : undefined;
      if (refused.token.fetchedAt >= since && extra === undefined) return undefined;
      return authorize(need, refused.token, extra);
    },
    async granted(repository) {
      const scope = pushScope(repository);
      const authorization = await authorize({ repository, scopes: [scope] });
      return authorization?.token && grantedActions(authorization.token, options.tokenScope(scope));
    },
    prove: (credential) => void proven.add(credential),
    isProven: ({ credential }) => proven.has(credential),
    forgetTokens: () => tokens.clear(),
    scheme: () => (adopted ? (adopted.scheme === 'basic' ? 'basic' : 'bearer') : known ? 'none' : 'unknown'),
    *secrets() {
      for (const credential of used) yield* secretsOf(credential);
      yield* tokens.issued;
    },
  };
}

/** Registries write the actions of a scope in any order. */
function covers(own: string, asked: string): boolean {
  const [ownName, ownActions] = splitScope(own);
  const [askedName, askedActions] = splitScope(asked);
  return ownName === askedName && askedActions.every((action) => ownActions.includes(action));
}

function splitScope(scope: string): readonly [string, readonly string[]] {
  const colon = scope.lastIndexOf(':');
  return [scope.slice(0, colon), scope.slice(colon + 1).split(',')];
}

function identityUnusable(credential: Credential): RegtarError {
  return new RegtarError(
    'AUTH_FAILED',
    `the registry wants a password, but ${credential.origin} holds an identity token`,
    { hint: 'pass --username and --password-stdin' },
  );
}
