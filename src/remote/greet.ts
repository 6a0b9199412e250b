import { RegtarError } from '../errors.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import { isSameHost } from './location.ts';
import { isLoopback, type Scheme } from '../net/host.ts';
import { probeTls } from '../net/tls-probe.ts';
import { headerOf, type Answer, type TransportRequest } from '../net/transport.ts';

/** What an unauthenticated `GET /v2/` tells. */
export interface Greeting {
  readonly origin: URL;
  readonly status: number;
  readonly headers: Answer['headers'];
  readonly challenges: readonly Challenge[];
}

/** Knows who answers under a host's name, once something was asked. */
export interface Greeter {
  /** Asks once; a failure is asked again. */
  greet(): Promise<Greeting>;
  /** The registry's scheme, host and port; undefined until it has answered. */
  readonly origin: URL | undefined;
}

/** @param onGreeting hears of the first answer before anybody else does */
export function createGreeter(
  options: { readonly host: string; readonly scheme?: Scheme | undefined; readonly signal?: AbortSignal | undefined },
  send: Send,
  onGreeting: (greeting: Greeting) => void,
): Greeter {
  let asked: Promise<Greeting> | undefined;
  let origin: URL | undefined;
  return {
    greet() {
      asked ??= greet(options, send).then(
        (greeting) => {
          origin = greeting.origin;
          onGreeting(greeting);
          return greeting;
        },
        (error: unknown) => {
          asked = undefined;
          throw error;
        },
      );
      return asked;
    },
    get origin() {
      return origin;
    },
  };
}

type Send = (request: TransportRequest) => Promise<Answer>;

/**
 * Finds out under which scheme a host is a registry, and what it wants to know of its clients.
 * @param send one request, with retries of what may pass
 * @throws RegtarError TARGET_NOT_REGISTRY when something else answers
 * @see OCI distribution-spec v1.1, "Determining Support"
 */
async function greet(
  options: { readonly host: string; readonly scheme?: Scheme | undefined; readonly signal?: AbortSignal | undefined },
  send: Send,
): Promise<Greeting> {
  const address = dockerHubHosts.has(options.host) ? 'registry-1.docker.io' : options.host;
  const first = new URL(`${options.scheme ?? ((await speaksHttpAlone(address)) ? 'http' : 'https')}://${address}/v2/`);
  let url = first;
  for (let hops = 0; ; hops++) {
    const answer = await send({ method: 'GET', url, headers: {}, signal: options.signal });
    const next = redirectOf(answer, url);
    if (next === undefined || hops >= 3) return greetingOf(answer, options.host);
    // What answers elsewhere is not the registry that was named, and must not be shown the credentials for it.
    if (!isSameHost(next, url) || (url.protocol === 'https:' && next.protocol === 'http:'))
      throw new RegtarError('TARGET_NOT_REGISTRY', `${options.host} is not a registry: it leads to ${next.origin}`, {
        where: { url: answer.url.origin, status: answer.status },
        hint: `if that is the registry, name it: ${next.protocol}//${next.host}`,
      });
    url = next;
  }
}

function redirectOf(answer: Answer, url: URL): URL | undefined {
  const location = headerOf(answer, 'location');
  if (answer.status < 300 || answer.status >= 400 || location === undefined || !URL.canParse(location, url.href))
    return undefined;
  const next = new URL(location, url);
  return next.pathname.startsWith('/v2') ? next : undefined;
}

/** The names under which the Docker Hub is known; none of them serves the registry. */
export const dockerHubHosts: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry.hub.docker.com']);

async function speaksHttpAlone(address: string): Promise<boolean> {
  return isLoopback(address) && !(await probeTls(new URL(`https://${address}`))).spoken;
}

function greetingOf(answer: Answer, host: string): Greeting {
  const challenges = parseChallenges(headerOf(answer, 'www-authenticate'));
  const says = headerOf(answer, 'docker-distribution-api-version') !== undefined;
  const isPage = /text\/html/.test(headerOf(answer, 'content-type') ?? '');
  const other =
    answer.status === 404 ||
    answer.status === 400 ||
    (answer.status >= 300 && answer.status < 400) ||
    (answer.status < 300 && isPage);
  if (!says && other && challenges.length === 0) {
    throw new RegtarError(
      'TARGET_NOT_REGISTRY',
      `${host} is not a registry: GET /v2/ was answered with ${answer.status}${isPage ? ' and a web page' : ''}`,
      {
        where: { url: answer.url.origin, status: answer.status },
        hint: 'check host and port; a registry may have a port of its own, such as 5000',
      },
    );
  }
  if (answer.status >= 500 || answer.status === 429 || answer.status === 408) {
    throw new RegtarError('TARGET_UNAVAILABLE', `${host} does not work: GET /v2/ was answered with ${answer.status}`, {
      where: { url: answer.url.origin, status: answer.status },
      hint: "look into the registry's log, or try again later",
    });
  }
  return { origin: new URL(answer.url.origin), status: answer.status, headers: answer.headers, challenges };
}
