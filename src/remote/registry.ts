import { RegtarError } from '../errors.ts';
import { createTurns, type Turns } from '../io/per-key.ts';
import { openClient, type ClientOptions } from '../net/client.ts';
import type { Scheme } from '../net/host.ts';
import { redact } from '../net/secret.ts';
import { createAuthenticator, type AuthScheme } from './auth.ts';
import { mayShowPassword } from './clear-password.ts';
import { anonymousCredentials, type Credential, type CredentialSource } from './credential.ts';
import { createExchange, type Outcome, type RemoteRequest } from './exchange.ts';
import { createGreeter, type Greeting } from './greet.ts';
import { createHealth } from './health.ts';
import { followLocation } from './location.ts';
import type { Dialect } from './dialect.ts';
import { withAttempts } from './attempts.ts';
import { createPatience, type Patience } from './patience.ts';
import { registryWords } from './registry-words.ts';
import { askForToken } from './ask-token.ts';
import { tokenService } from './token.ts';

/** How a registry is reached. `onRequest` hears of its token service too. */
export interface RegistryOptions extends Omit<ClientOptions, 'words'> {
  /** @defaultValue https; a loopback host may turn out to speak http */
  readonly scheme?: Scheme | undefined;
  /** @defaultValue anonymous */
  readonly credentials?: CredentialSource | undefined;
  /**
   * Told in words when the registry does not answer, and which attempt follows; once for all requests that meet the
   * same.
   */
  readonly onTrouble?: ((text: string) => void) | undefined;
}

/**
 * One registry, spoken to with one set of credentials. What can be asked of it is in blobs.ts, upload.ts, manifests.ts
 * and lists.ts.
 */
export interface Registry extends Patience {
  /** As it was asked for, for messages. */
  readonly host: string;
  /** `https://host`, or what it turned out to be once something was asked. */
  describe(): string;
  /**
   * Asks `GET /v2/` without credentials, once, and learns scheme and way of authentication.
   * @throws RegtarError TARGET_NOT_REGISTRY, TARGET_UNREACHABLE, TARGET_TLS
   */
  ping(signal?: AbortSignal): Promise<Greeting & { readonly authentication: AuthScheme }>;
  /**
   * Proves a credential, as `docker login` does: elsewhere a wrong password may pass as anonymous.
   * @param repository whose credential; the registry's own without it
   * @returns the credential that holds. @throws RegtarError AUTH_FAILED
   */
  login(signal?: AbortSignal, repository?: string): Promise<Credential>;
  /** The credential for a repository, or the registry's own. */
  credentialFor(repository?: string): Promise<Credential>;
  /** Whether some paths have credentials of their own. */
  hasPathCredentials(): Promise<boolean>;
  /**
   * What the account may do in a repository, by the token that it gets: `pull`, `push`.
   * @returns undefined where only trying tells
   */
  granted(repository: string): Promise<ReadonlySet<string> | undefined>;
  /**
   * The same once: the caller retries, because it has to begin elsewhere.
   * @throws what will not pass by itself: a body's own error, a credential's, an interruption
   */
  exchange(request: RemoteRequest): Promise<Outcome>;
  /** A Location of an answer, absolute or relative. */
  resolve(location: string, base: URL): URL | undefined;
  speak(dialect: Dialect): void;
  /** The largest body that what stands before the registry takes, as far as this run has found out. */
  readonly bodyLimit: { bytes: number | undefined };
  /** Additions to the list of one subject's referrers wait for each other. */
  readonly referrerTurns: Turns<string>;
  /** After something was created that tokens do not know yet. */
  forgetTokens(): void;
  close(): Promise<void>;
}

/**
 * Opens a registry; nothing is sent before the first request.
 * @throws RegtarError CONFIG_INVALID for certificates or proxies that cannot be used
 */
export function openRegistry(options: RegistryOptions): Promise<Registry> {
  // A promise, so that broken files reject as everything else here does.
  return new Promise((resolve) => resolve(makeRegistry(options)));
}

function makeRegistry(options: RegistryOptions): Registry {
  const credentials = options.credentials ?? anonymousCredentials();
  const hide = (text: string): string => redact(text, authenticator.secrets());
  const health = createHealth(options.onTrouble && ((text) => options.onTrouble?.(hide(text))));
  const client = openClient({
    ...options,
    words: registryWords,
    onQuiet: (url, seconds) => health.quiet(url.host, seconds),
    onPause: (url, seconds, status) => health.paused(url.host, seconds, status),
    onWarning: options.onWarning && ((text) => options.onWarning?.(hide(text))),
  });
  let dialect: Dialect = {};
  let saidHttps = false;
  const greeter = createGreeter(
    options,
    async (request) => {
      const backoff = health.share(client.backoff(firstContactRetries));
      try {
        return await client.patiently({ ...request, signal: options.signal }, backoff, true, health.failed);
      } catch (error) {
        throw error instanceof RegtarError ? withAttempts(error, backoff) : error;
      }
    },
    ({ challenges }) => authenticator.adopt(challenges),
  );
  const originNow = (): URL => greeter.origin ?? new URL(`https://${options.host}`);
  const authenticator = createAuthenticator({
    credentials,
    tokenScope: (scope) => dialect.tokenScope?.(scope) ?? scope,
    fetchToken: (bearer, need) =>
      askForToken(tokenService(bearer.parameters, originNow()), need, {
        client,
        signal: options.signal,
        onFailure: health.failed,
        isProven: authenticator.isProven(need),
      }),
    mayShowPassword: (asked) => mayShowPassword(originNow(), asked, saidHttps),
  });
  const exchange = createExchange({
    ...options,
    client,
    greeter,
    authenticator,
    health,
    isOutage: async (answer, asked) => (await dialect.isOutage?.(answer, asked)) === true,
    redact: hide,
  });
  const patience = createPatience({ exchange, client, health, dialect: () => dialect, signal: options.signal });

  return {
    host: options.host,
    describe: () => greeter.origin?.origin ?? `${options.scheme ?? 'https'}://${options.host}`,
    async ping(signal) {
      signal?.throwIfAborted();
      return { ...(await greeter.greet()), authentication: authenticator.scheme() };
    },
    async login(signal, repository) {
      await greeter.greet();
      const credential = await credentials(repository);
      // Harbor refuses tokens without a scope to anonymous clients, and there is nothing to prove.
      if (credential.kind === 'anonymous') return credential;
      await patience.request({ method: 'GET', path: '/v2/', doing: 'log in', repository, scopes: [], signal });
      authenticator.prove(credential);
      return credential;
    },
    credentialFor: (repository) => credentials(repository),
    hasPathCredentials: async () => (await credentials.hasPaths?.()) === true,
    async granted(repository) {
      await greeter.greet();
      return authenticator.granted(repository);
    },
    exchange,
    ...patience,
    resolve(location, base) {
      const origin = originNow();
      const named = URL.canParse(location, base.href) ? new URL(location, base) : undefined;
      if (named?.protocol === 'https:' && named.hostname === origin.hostname) saidHttps = true;
      return followLocation(location, base, origin);
    },
    speak(next) {
      dialect = next;
    },
    bodyLimit: { bytes: undefined },
    referrerTurns: createTurns(),
    forgetTokens: () => authenticator.forgetTokens(),
    close: client.close,
  };
}

/** A mistyped host must not take a minute to be reported. */
const firstContactRetries = 2;
