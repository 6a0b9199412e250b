import { RegtarError } from '../../errors.ts';
import { openClient, type Client } from '../../net/client.ts';
import { isLoopback } from '../../net/host.ts';
import { isTransientStatus } from '../../net/retry.ts';
import { headerOf, type StreamedAnswer, type TransportRequest } from '../../net/transport.ts';
import { farConnections, type FarAccess } from '../far/access.ts';
import type { ObjectServer } from '../far/far-object.ts';
import { describeOperand } from '../far/operand.ts';
import { sourceWords } from '../far/source-words.ts';

/**
 * A file on a web server. Redirects are followed, and what they led to is asked at once from then on: many lead to an
 * address that is signed for a while.
 * @throws RegtarError USAGE for addresses that cannot be used, CONFIG_INVALID for certificates and proxies
 */
export function openHttpsObject(operand: string, access: FarAccess, signal?: AbortSignal): ObjectServer {
  const { address, credential } = parseAddress(operand, access);
  const describe = describeOperand(operand);
  const client = openClient({
    host: address.host,
    words: sourceWords,
    tls: { caFile: access.caFile, env: access.env, home: access.home },
    env: access.env,
    retry: access.retry,
    stallTimeoutSeconds: access.stallTimeoutSeconds,
    connections: farConnections,
    userAgent: access.userAgent,
    onRequest: access.onRequest,
    signal,
  });
  const { get, direct } = followRedirects(client, address, credential, access.plainHttp === true);
  return {
    describe,
    get,
    direct: async (headers) => direct(headers),
    refusal: async (answer) => {
      answer.close();
      return refusalOf(answer, describe, credential !== undefined);
    },
    explain: (error) => client.explain(error, { url: address }, true),
    backoff: () => client.backoff(),
    close: () => client.close(),
  };
}

type Headers = Readonly<Record<string, string>>;

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const mostRedirects = 5;
/** What a signed address answers when its time is over. */
const outlived: ReadonlySet<number> = new Set([400, 401, 403, 404, 410]);

function followRedirects(
  client: Client,
  address: URL,
  credential: string | undefined,
  plainHttp: boolean,
): { readonly get: ObjectServer['get']; readonly direct: (headers: Headers) => ReturnType<Client['direct']> } {
  /** Where the last redirect led. */
  let known: URL | undefined;
  const requestTo = (url: URL, headers: Headers, signal?: AbortSignal): TransportRequest => ({
    method: 'GET',
    url,
    headers: {
      // Nothing may be packed on the way: positions would mean something else.
      'accept-encoding': 'identity',
      ...headers,
      ...(credential !== undefined && url.origin === address.origin && { authorization: credential }),
    },
    signal,
  });
  const ask = (url: URL, headers: Headers, signal?: AbortSignal): Promise<StreamedAnswer> =>
    client.stream(requestTo(url, headers, signal));
  const get: ObjectServer['get'] = async (headers, signal) => {
    if (known !== undefined) {
      const answer = await ask(known, headers, signal);
      if (!outlived.has(answer.status) && !redirects.has(answer.status)) return answer;
      answer.close();
      known = undefined;
    }
    let url = address;
    for (let hops = 0; ; hops++) {
      const answer = await ask(url, headers, signal);
      const location = headerOf(answer, 'location');
      if (!redirects.has(answer.status) || location === undefined || hops >= mostRedirects) {
        if (hops > 0 && answer.status < 400) known = url;
        return answer;
      }
      answer.close();
      url = nextAddress(location, url, plainHttp);
    }
  };
  return { get, direct: (headers) => client.direct(requestTo(known ?? address, headers)) };
}

function nextAddress(location: string, from: URL, plainHttp: boolean): URL {
  const next = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const isPlain = next?.protocol === 'http:' && from.protocol === 'http:';
  if (next?.protocol === 'https:' || (next !== undefined && isPlain && (plainHttp || isLoopback(next.host))))
    return next;
  throw new RegtarError('SOURCE_UNREADABLE', `${describeOperand(from.href)} leads to an address that is not used`, {
    where: { path: describeOperand(from.href) },
    hint: 'a redirect must not lead from https to http, nor from this machine to http elsewhere: give the last address',
  });
}

function parseAddress(operand: string, access: FarAccess): { address: URL; credential: string | undefined } {
  const describe = describeOperand(operand);
  const wrong = (message: string, hint: string): RegtarError => new RegtarError('USAGE', message, { hint });
  if (!URL.canParse(operand)) throw wrong(`${describe} is not an address`, 'write https://HOST/PATH/docker.tar');
  const address = new URL(operand);
  if (address.protocol === 'http:' && access.plainHttp !== true && !isLoopback(address.host))
    throw wrong(`${describe} would be read without encryption`, 'use https, or pass --plain-http');
  const { username, password } = address;
  address.username = '';
  address.password = '';
  address.hash = '';
  if (access.username !== undefined || access.password !== undefined)
    return { address, credential: credentialOf(access.username, access.password?.reveal()) };
  if (username === '' && password === '') return { address, credential: undefined };
  return { address, credential: credentialOf(decodeURIComponent(username), decodeURIComponent(password)) };
}

/** A user with a password, or a token alone. */
function credentialOf(username: string | undefined, password: string | undefined): string {
  return username === undefined
    ? `Bearer ${password ?? ''}`
    : `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`;
}

function refusalOf({ status }: StreamedAnswer, describe: string, hasCredential: boolean): RegtarError {
  const where = { path: describe, status };
  if (status === 401 || status === 403)
    return new RegtarError('SOURCE_DENIED', `${describe} is refused (${status})`, {
      where,
      hint: hasCredential
        ? 'check user and password, and that this account may read the file'
        : 'pass --source-username and --source-password-file; a token goes into the file alone. A folder has to be ' +
          'packed into a tar first',
    });
  if (status === 404 || status === 410)
    return new RegtarError('SOURCE_NOT_FOUND', `${describe} does not exist (${status})`, {
      where,
      hint: 'check the address: `curl -I` shows what the server says',
    });
  return new RegtarError(
    isTransientStatus(status) ? 'SOURCE_UNREACHABLE' : 'SOURCE_UNREADABLE',
    `${describe}: the server answers ${status}`,
    { where, hint: 'look into the log of the server' },
  );
}
