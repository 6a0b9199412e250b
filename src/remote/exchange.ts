import { RegtarError, type ErrorPlace } from '../errors.ts';
import type { Client } from '../net/client.ts';
import { isTransientStatus } from '../net/retry.ts';
import { redact as hide, Secret } from '../net/secret.ts';
import { retryAfterOf } from '../net/sender.ts';
import { headerOf, type Answer, type TransportRequest } from '../net/transport.ts';
import { explainAnswer, wordsOf } from './answers.ts';
import type { Authenticator, Authorization, AuthNeed, ShownCredential } from './auth.ts';
import { parseChallenges } from './challenge.ts';
import type { Credential } from './credential.ts';
import type { Greeter } from './greet.ts';
import type { Health } from './health.ts';
import { followLocation } from './location.ts';
import { pushScope } from './scopes.ts';

/** One request, with what messages say of it. */
export interface RemoteRequest {
  readonly method: TransportRequest['method'];
  /** A path from `/`, or the URL of a Location. */
  readonly path: string | URL;
  /** For messages, after "refused to": `push blob sha256:…`. */
  readonly doing: string;
  readonly where?: ErrorPlace | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: TransportRequest['body'];
  /**
   * Takes the body of a 2xx answer as it comes, of any size: asked for a taker at each attempt, since an attempt may
   * break off.
   */
  readonly receive?: (() => (chunk: Uint8Array) => void) | undefined;
  /** Chooses the credential, and the scope where `scopes` has none. */
  readonly repository?: string | undefined;
  /** @defaultValue `repository:<repository>:pull,push` */
  readonly scopes?: readonly string[] | undefined;
  /**
   * `password` for paths that know passwords alone, such as Harbor's API.
   * @defaultValue `any`: what the registry asks for
   */
  readonly shows?: ShownCredential | undefined;
  /** Statuses that are answers here, besides 2xx. */
  readonly accept?: readonly number[] | undefined;
  /** Fewer retries than the registry's options allow. */
  readonly retryTimes?: number | undefined;
  /** Fewer retries for status 500, where it is likely to stay, and what to do then. */
  readonly lasting500?: { readonly retryTimes: number; readonly hint: string } | undefined;
  /** A 401 is an ordinary answer here, so a token that is less than half a minute old is not renewed for it. */
  readonly mayBeDenied?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What became of one attempt. */
export type Outcome =
  | { readonly answer: Answer }
  | { readonly error: RegtarError; readonly transient: boolean; readonly retryAfterSeconds: number | undefined };

/** What an exchange needs to know. */
export interface ExchangeOptions {
  /** The registry as the user knows it. */
  readonly host: string;
  readonly client: Client;
  readonly greeter: Greeter;
  readonly authenticator: Authenticator;
  readonly health: Pick<Health, 'answered'>;
  /** Whether a 401 says something else than what the account may not do. */
  readonly isOutage: (answer: Answer, request: RemoteRequest) => Promise<boolean>;
  /** Takes secrets out of a text. */
  readonly redact: (text: string) => string;
  readonly signal?: AbortSignal | undefined;
}

interface Exchanged {
  readonly answer: Answer;
  readonly authorization: Authorization | undefined;
}

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const hopsAtMost = 5;
/** A token of this age was good enough a moment ago. */
const youngTokenMilliseconds = 30_000;

/**
 * Makes the function that sends one request with credentials, follows its redirects, and renews a token once.
 * Credentials go to the registry's own scheme, host and port alone, and only what answers there may ask for them.
 */
export function createExchange(options: ExchangeOptions): (request: RemoteRequest) => Promise<Outcome> {
  return async (request) => {
    request.signal?.throwIfAborted();
    options.signal?.throwIfAborted();
    try {
      const { answer, authorization } = await exchangeOnce(request, options);
      const { status } = answer;
      if ((status >= 200 && status < 300) || request.accept?.includes(status)) return { answer };
      if (await isOutage(answer, authorization, request, options))
        return { error: outageOf(answer, request, options), transient: true, retryAfterSeconds: undefined };
      const error = explain(answer, authorization, request, options);
      return { error, transient: isTransientStatus(status), retryAfterSeconds: retryAfterOf(answer) };
    } catch (error) {
      if (error instanceof RegtarError && error.code !== 'TARGET_TIMEOUT') throw error;
      const base = options.greeter.origin ?? `https://${options.host}`;
      const url = typeof request.path === 'string' ? new URL(request.path, base) : request.path;
      const failure = await options.client.explain(error, { url, signal: request.signal }, false);
      return { ...failure, retryAfterSeconds: undefined };
    }
  };
}

async function exchangeOnce(request: RemoteRequest, options: ExchangeOptions): Promise<Exchanged> {
  const { authenticator } = options;
  const { origin } = await options.greeter.greet();
  const need: AuthNeed = {
    repository: request.repository,
    scopes: request.scopes ?? (request.repository === undefined ? [] : [pushScope(request.repository)]),
    shows: request.shows,
  };
  const since = performance.now();
  const authorization = await authenticator.authorize(need);
  const answer = await sendFollowing(request, origin, authorization, options);
  if (answer.status !== 401 || answer.url.origin !== origin.origin) return { answer, authorization };
  const renewed = await authenticator.renew(
    need,
    authorization,
    parseChallenges(headerOf(answer, 'www-authenticate')),
    request.mayBeDenied === true ? since - youngTokenMilliseconds : since,
  );
  if (renewed === undefined) return { answer, authorization };
  return { answer: await sendFollowing(request, origin, renewed, options), authorization: renewed };
}

async function sendFollowing(
  request: RemoteRequest,
  origin: URL,
  authorization: Authorization | undefined,
  { client, health, signal }: ExchangeOptions,
): Promise<Answer> {
  const { method, body, receive } = request;
  let url = typeof request.path === 'string' ? new URL(request.path, origin) : request.path;
  for (let hops = 0; ; hops++) {
    const own = url.origin === origin.origin;
    const answer = await client.once(
      {
        method,
        url,
        body,
        headers: { ...request.headers, ...(own && authorization && { authorization: authorization.value }) },
        signal: request.signal ?? signal,
      },
      receive?.(),
    );
    if (own) health.answered(answer.status);
    const location = headerOf(answer, 'location');
    const mayFollow = method === 'GET' || method === 'HEAD' || answer.status >= 307;
    if (!redirects.has(answer.status) || location === undefined || !mayFollow || hops >= hopsAtMost) return answer;
    const next = followLocation(location, url, origin);
    if (next === undefined) return answer;
    url = next;
  }
}

function explain(
  answer: Answer,
  authorization: Authorization | undefined,
  request: RemoteRequest,
  { host, greeter, authenticator, redact }: ExchangeOptions,
): RegtarError {
  const { doing, where } = request;
  if (answer.url.origin === greeter.origin?.origin)
    return explainAnswer(answer, {
      host,
      doing,
      where,
      account: accountOf(authorization?.credential),
      isProven: authorization !== undefined && authenticator.isProven(authorization),
      redact,
    });
  if (answer.status !== 401)
    return explainAnswer(answer, {
      host: `${answer.url.host}, to which ${host} leads,`,
      doing,
      where,
      // An address that was signed is a password for a while, and object stores repeat what they were asked with.
      redact: (text) =>
        hide(
          redact(text),
          [...answer.url.searchParams.values()].map((value) => new Secret(value)),
        ),
    });
  return new RegtarError(
    'TARGET_REFUSED',
    `${host} leads to ${answer.url.host}, which asks for a password of its own to ${doing}; it got none`,
    {
      where: { ...where, url: answer.url.origin, status: answer.status },
      hint: 'passwords go to the registry alone: it must sign the addresses that it leads to, or store blobs itself',
    },
  );
}

async function isOutage(
  answer: Answer,
  authorization: Authorization | undefined,
  request: RemoteRequest,
  { authenticator, greeter, isOutage: isSo }: ExchangeOptions,
): Promise<boolean> {
  if (answer.status !== 401 || authorization === undefined || request.shows === 'password') return false;
  if (answer.url.origin !== greeter.origin?.origin || !authenticator.isProven(authorization)) return false;
  return isSo(answer, request);
}

/** A registry whose memory of accounts is away says no to everybody. */
function outageOf(answer: Answer, { doing, where }: RemoteRequest, { host, redact }: ExchangeOptions): RegtarError {
  return new RegtarError(
    'TARGET_UNAVAILABLE',
    `${host} cannot say who may ${doing}, although this login worked before (401: ${redact(wordsOf(answer))})`,
    {
      where: { ...where, status: answer.status },
      hint:
        "look into the registry's log, and at its database; then run the same command again: it continues " +
        'where it stopped',
    },
  );
}

function accountOf(credential: Credential | undefined): string {
  if (!credential || credential.kind === 'anonymous') return 'anonymous';
  return credential.kind === 'basic'
    ? `user "${credential.username}" (from ${credential.origin})`
    : `the token from ${credential.origin}`;
}
