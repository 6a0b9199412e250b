import { RegtarError, type ErrorPlace } from '../errors.ts';
import { explainAnswer } from './answers.ts';
import { createAuthenticator, type AuthScheme, type Authorization, type AuthNeed } from './auth.ts';
import { parseChallenges } from './challenge.ts';
import { anonymousCredentials, type Credential, type CredentialSource } from './credential.ts';
import { greet, type Greeting } from './greet.ts';
import { resolveLocation } from './location.ts';
import { openClient, type ClientOptions } from '../net/client.ts';
import type { Scheme } from '../net/host.ts';
import { isTransientStatus, type Backoff } from '../net/retry.ts';
import { redact } from '../net/secret.ts';
import { retryAfterOf } from '../net/sender.ts';
import { headerOf, type Answer, type TransportRequest } from '../net/transport.ts';
import { registryWords } from './registry-words.ts';
import { fetchToken, tokenService } from './token.ts';

/** How a registry is reached. `onRequest` hears of its token service too. */
export interface RegistryOptions extends Omit<ClientOptions, 'words'> {
  /** @defaultValue https; a loopback host may turn out to speak http */
  readonly scheme?: Scheme | undefined;
  /** @defaultValue anonymous */
  readonly credentials?: CredentialSource | undefined;
}

/** One request, with what messages say of it. */
export interface RegistryRequest {
  readonly method: TransportRequest['method'];
  /** A path from `/`, or the URL of a Location. */
  readonly path: string | URL;
  /** For messages, after "refused to": `push blob sha256:…`. */
  readonly doing: string;
  readonly where?: ErrorPlace | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: TransportRequest['body'];
  /** Takes the body of a 2xx answer as it comes, whatever its size: asked for a taker at each attempt, since an attempt may break off. */
  readonly receive?: (() => (chunk: Uint8Array) => void) | undefined;
  /** Chooses the credential, and the scope where `scopes` has none. */
  readonly repository?: string | undefined;
  /** `repository:<repository>:pull,push` unless told. @see pushScope */
  readonly scopes?: readonly string[] | undefined;
  /** For paths that know passwords alone, such as Harbor's API. */
  readonly basicOnly?: boolean | undefined;
  /** Statuses that are answers here, besides 2xx. */
  readonly accept?: readonly number[] | undefined;
  /** Fewer retries than the registry's options allow. */
  readonly retryTimes?: number | undefined;
  /** Fewer retries for status 500, where it is likely to stay. */
  readonly retryTimesOf500?: number | undefined;
  /** A 401 is an ordinary answer here, so a token that is less than half a minute old is not renewed for it. */
  readonly mayBeDenied?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type Outcome =
  | { readonly answer: Answer }
  | { readonly error: RegtarError; readonly transient: boolean; readonly retryAfterSeconds: number | undefined };

/** What a particular registry software does differently. */
export interface Dialect {
  /** Widens a scope, so that one token serves more requests: Harbor checks projects, not repositories. */
  readonly tokenScope?: ((scope: string) => string) | undefined;
  /** Looks behind a passing failure before the request is tried again. @returns an error that will stay, to be thrown in its place */
  readonly beforeRetry?:
    ((request: RegistryRequest, error: RegtarError) => Promise<RegtarError | undefined>) | undefined;
}

/** One registry, spoken to with one set of credentials. What can be asked of it is in blobs.ts, upload.ts, manifests.ts and lists.ts. */
export interface Registry {
  /** As it was asked for, for messages. */
  readonly host: string;
  /** `https://host`, or what it turned out to be once something was asked. */
  describe(): string;
  /** Asks `GET /v2/` without credentials, once, and learns scheme and way of authentication. @throws RegtarError TARGET_NOT_REGISTRY, TARGET_UNREACHABLE, TARGET_TLS */
  ping(signal?: AbortSignal): Promise<Greeting & { readonly authentication: AuthScheme }>;
  /** Proves the credential, as `docker login` does: elsewhere a wrong password may pass as anonymous. @returns the credential that holds. @throws RegtarError AUTH_FAILED */
  login(signal?: AbortSignal): Promise<Credential>;
  /** One request with credentials, redirects and retries. @throws RegtarError for statuses other than 2xx and `accept` */
  request(request: RegistryRequest): Promise<Answer>;
  /** The same once: the caller retries, because it has to begin elsewhere. @throws what will not pass by itself: a body's own error, a credential's, an interruption */
  exchange(request: RegistryRequest): Promise<Outcome>;
  backoff(timesAtMost?: number): Backoff;
  beforeRetry(request: RegistryRequest, error: RegtarError): Promise<void>;
  /** A Location of an answer, absolute or relative. */
  resolve(location: string, base: URL): URL | undefined;
  speak(dialect: Dialect): void;
  /** After something was created that tokens do not know yet. */
  forgetTokens(): void;
  close(): Promise<void>;
}

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export function pushScope(repository: string): string {
  return `repository:${repository}:pull,push`;
}

export function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
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
  const client = openClient({
    ...options,
    words: registryWords,
    onWarning:
      options.onWarning && ((text: string): void => options.onWarning?.(redact(text, authenticator.secrets()))),
  });
  let dialect: Dialect = {};
  let greeting: Promise<Greeting> | undefined;
  let origin: URL | undefined;

  const authenticator = createAuthenticator({
    credentials: options.credentials ?? anonymousCredentials(),
    tokenScope: (scope) => dialect.tokenScope?.(scope) ?? scope,
    async fetchToken(bearer, need) {
      const base = origin ?? new URL(`https://${options.host}`);
      const service = tokenService(bearer.parameters, (url) => resolveLocation(url, base, base), base);
      try {
        return await fetchToken(service, need, (request) =>
          client.patiently({ ...request, signal: options.signal }, client.backoff(), false),
        );
      } catch (error) {
        if (!(error instanceof RegtarError) || error.code.startsWith('AUTH_')) throw error;
        throw new RegtarError(
          'AUTH_TOKEN',
          `no token from the token service ${service.realm.origin}${service.realm.pathname}: ${error.message}`,
          { hint: error.hint, cause: error },
        );
      }
    },
  });

  const learn = (): Promise<Greeting> => {
    greeting ??= greet(options, (request) =>
      client.patiently({ ...request, signal: options.signal }, client.backoff(firstContactRetries), true),
    ).then(
      (learnt) => {
        origin = learnt.origin;
        authenticator.adopt(learnt.challenges);
        return learnt;
      },
      (error: unknown) => {
        greeting = undefined;
        throw error;
      },
    );
    return greeting;
  };

  const sendFollowing = async (
    request: TransportRequest,
    receive: RegistryRequest['receive'],
    authorization: string | undefined,
  ): Promise<Answer> => {
    let { url } = request;
    for (let hops = 0; ; hops++) {
      const own = url.origin === origin?.origin;
      const headers = { ...request.headers, ...(own && authorization !== undefined && { authorization }) };
      const answer = await client.once({ ...request, url, headers }, receive?.());
      const location = headerOf(answer, 'location');
      const follows =
        redirects.has(answer.status) &&
        location !== undefined &&
        (request.method === 'GET' || request.method === 'HEAD' || answer.status >= 307);
      const next = follows && hops < 5 && origin ? resolveLocation(location, url, origin) : undefined;
      if (!next) return answer;
      url = next;
    }
  };

  const exchangeOnce = async (
    request: RegistryRequest,
  ): Promise<{ answer: Answer; authorization: Authorization | undefined }> => {
    const { origin: base } = await learn();
    const url = typeof request.path === 'string' ? new URL(request.path, base) : request.path;
    const need: AuthNeed = {
      repository: request.repository,
      scopes: request.scopes ?? (request.repository === undefined ? [] : [pushScope(request.repository)]),
      basicOnly: request.basicOnly,
    };
    const sent: TransportRequest = {
      method: request.method,
      url,
      headers: request.headers ?? {},
      body: request.body,
      signal: request.signal ?? options.signal,
    };
    const since = performance.now();
    const authorization = await authenticator.authorize(need);
    const answer = await sendFollowing(sent, request.receive, authorization?.value);
    if (answer.status !== 401) return { answer, authorization };
    const renewed = await authenticator.renew(
      need,
      authorization,
      parseChallenges(headerOf(answer, 'www-authenticate')),
      request.mayBeDenied ? since - 30_000 : since,
    );
    if (renewed === undefined) return { answer, authorization };
    return { answer: await sendFollowing(sent, request.receive, renewed.value), authorization: renewed };
  };

  const exchange = async (request: RegistryRequest): Promise<Outcome> => {
    request.signal?.throwIfAborted();
    options.signal?.throwIfAborted();
    try {
      const { answer, authorization } = await exchangeOnce(request);
      if ((answer.status >= 200 && answer.status < 300) || request.accept?.includes(answer.status)) return { answer };
      const account = accountOf(authorization?.credential);
      const error = explainAnswer(answer, {
        host: options.host,
        doing: request.doing,
        where: request.where,
        account,
        redact: (text) => redact(text, authenticator.secrets()),
      });
      return { error, transient: isTransientStatus(answer.status), retryAfterSeconds: retryAfterOf(answer) };
    } catch (error) {
      if (error instanceof RegtarError && error.code !== 'TARGET_TIMEOUT') throw error;
      const url =
        typeof request.path === 'string' ? new URL(request.path, origin ?? `https://${options.host}`) : request.path;
      const failure = await client.explain(error, { url, signal: request.signal }, false);
      return { ...failure, retryAfterSeconds: undefined };
    }
  };

  const beforeRetry = async (request: RegistryRequest, error: RegtarError): Promise<void> => {
    const lasting = await dialect.beforeRetry?.(request, error);
    if (lasting) throw lasting;
  };

  const request = async (asked: RegistryRequest): Promise<Answer> => {
    const backoff = client.backoff(asked.retryTimes);
    for (;;) {
      const outcome = await exchange(asked);
      if ('answer' in outcome) return outcome.answer;
      const is500TooOften =
        outcome.error.where.status === 500 && backoff.retries >= (asked.retryTimesOf500 ?? Infinity);
      if (!outcome.transient || is500TooOften) throw gaveUp(outcome.error, backoff);
      await beforeRetry(asked, outcome.error);
      if (!(await backoff.wait(outcome.retryAfterSeconds, asked.signal ?? options.signal)))
        throw gaveUp(outcome.error, backoff);
    }
  };

  return {
    host: options.host,
    describe: () => origin?.origin ?? `${options.scheme ?? 'https'}://${options.host}`,
    async ping(signal) {
      signal?.throwIfAborted();
      return { ...(await learn()), authentication: authenticator.scheme() };
    },
    async login(signal) {
      await learn();
      const credential = await (options.credentials ?? anonymousCredentials())();
      // Harbor refuses tokens without a scope to anonymous clients, and there is nothing to prove.
      if (credential.kind !== 'anonymous') await request({ method: 'GET', path: '/v2/', doing: 'log in', signal });
      return credential;
    },
    request,
    exchange,
    backoff: client.backoff,
    beforeRetry,
    resolve: (location, base) => (origin ? resolveLocation(location, base, origin) : undefined),
    speak(next) {
      dialect = next;
    },
    forgetTokens: () => authenticator.forgetTokens(),
    close: client.close,
  };
}

/** A mistyped host must not take a minute to be told. */
const firstContactRetries = 2;

/** The last error, and how often it was tried. */
export function gaveUp(error: RegtarError, backoff: Backoff): RegtarError {
  if (backoff.retries === 0) return error;
  return new RegtarError(error.code, `${error.message}; given up after ${backoff.retries + 1} attempts`, {
    side: error.side,
    hint: error.hint,
    where: error.where,
    cause: error,
  });
}

function accountOf(credential: Credential | undefined): string {
  if (!credential || credential.kind === 'anonymous') return 'anonymous';
  return credential.kind === 'basic'
    ? `user "${credential.username}" (from ${credential.origin})`
    : `the token from ${credential.origin}`;
}
