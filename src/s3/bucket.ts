import { AwsV4Signer } from 'aws4fetch';
import { RegtarError, type ErrorCode } from '../errors.ts';
import { openClient, type Client, type ClientOptions } from '../net/client.ts';
import { bodyOf } from '../io/body.ts';
import { isLoopback } from '../net/host.ts';
import type { Environment } from '../net/proxy.ts';
import { isTransientStatus, type Backoff } from '../net/retry.ts';
import { retryAfterOf } from '../net/sender.ts';
import { headerOf, readAnswer, type Answer, type StreamedAnswer, type TransportRequest } from '../net/transport.ts';
import { describeBucket, type BucketAddress } from './address.ts';
import { readS3Settings, type S3Keys } from './credentials.ts';
import { createThrottle, type Throttle } from './throttle.ts';
import { parseListing, valueOf, type ListedPage } from './xml.ts';

/** How an S3 server is reached. */
export interface BucketAccess extends Pick<
  ClientOptions,
  'words' | 'retry' | 'stallTimeoutSeconds' | 'userAgent' | 'onRequest' | 'signal'
> {
  /** What failures are called that concern one object or all of them. */
  readonly codes: { readonly missing: ErrorCode; readonly denied: ErrorCode; readonly refused: ErrorCode };
  /** Where the address names none. */
  readonly endpoint?: string | undefined;
  /** Trusted besides the system's authorities. @defaultValue what `AWS_CA_BUNDLE` or the profile names */
  readonly caFile?: string | undefined;
  /** Whether `http://` is taken beyond loopback. @defaultValue false */
  readonly plainHttp?: boolean | undefined;
  readonly env?: Environment | undefined;
  readonly home?: string | undefined;
}

/** One request to a bucket. */
export interface BucketRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Empty: the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: TransportRequest['body'];
  /** The SHA-256 of the body in hex, which the server checks; without it a body is not covered by the signature. */
  readonly sha256?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A bucket of an S3 server: signed requests, as many at once as the server bears. */
export interface Bucket {
  readonly address: BucketAddress;
  /**
   * Names the server, for people and to be compared: two buckets with the same one and the same name are the same.
   * `AWS` whatever the region, since all buckets there share one space of names; otherwise the endpoint.
   */
  readonly server: string;
  /** One request once; keys that are over are read again. @throws the network's own error */
  stream(request: BucketRequest): Promise<StreamedAnswer>;
  /** A signed request that a thread sends by itself; undefined where only `stream` can. @see Client.direct */
  direct(request: BucketRequest): Promise<ReturnType<Client['direct']>>;
  /**
   * A small answer; what may pass is tried again.
   * @param accept statuses that are answers, beside 2xx
   * @throws RegtarError
   */
  request(request: BucketRequest, accept?: readonly number[]): Promise<Answer>;
  /** One page of keys. @param options `delimiter`: only what comes before the next `/` */
  list(prefix: string, options?: ListingOptions): Promise<ListedPage>;
  /** Names a refusal. */
  refusal(answer: Answer, key: string): RegtarError;
  explain(error: unknown): ReturnType<Client['explain']>;
  backoff(): Backoff;
  close(): Promise<void>;
}

/** How keys are listed. */
export interface ListingOptions {
  readonly delimiter?: boolean;
  /** Of an earlier page. */
  readonly next?: string | undefined;
  /** @defaultValue 1000, which is the most that servers give */
  readonly most?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Requests under way at once; connections as many. */
const mostRequests = 16;

/**
 * Opens a bucket; nothing is sent before the first request.
 * @throws RegtarError USAGE, CONFIG_INVALID, CREDENTIALS_INVALID
 */
export function openBucket(address: BucketAddress, access: BucketAccess): Bucket {
  const readSettings = (): ReturnType<typeof readS3Settings> => readS3Settings(access.env ?? {}, access.home);
  const settings = readSettings();
  const region = address.region ?? settings.region ?? 'us-east-1';
  const server = serverOf(address, address.endpoint ?? access.endpoint ?? settings.endpoint, region, access);
  const { words, codes } = access;
  const client = openClient({
    ...access,
    host: server.base.host,
    tls: { caFile: access.caFile ?? settings.caFile, env: access.env, home: access.home },
    connections: mostRequests,
  });
  const throttle = createThrottle(mostRequests);
  const signer = createSigner(settings.keys, region, () => readSettings().keys);
  const describe = describeBucket({ bucket: address.bucket, key: '' });

  const signed = async (request: BucketRequest): Promise<TransportRequest> => {
    const { method, body, signal } = request;
    const url = server.urlOf(request.key, request.query);
    return { method, url, headers: await signer.sign(request, url), body, signal };
  };
  const streamOnce = async (request: BucketRequest): Promise<StreamedAnswer> => client.stream(await signed(request));
  const stream = async (request: BucketRequest): Promise<StreamedAnswer> => {
    const answer = await streamOnce(request);
    if (answer.status < 400) return answer;
    // Errors are small, and say what to do.
    const error = await readAnswer(answer, words);
    if (isTooFast(error)) throttle.slowDown();
    if (isExpired(error) && signer.renew()) return streamOnce(request);
    return { ...error, body: bodyOf(error.body), close: () => undefined };
  };
  const send = (request: BucketRequest): Promise<Answer> =>
    throttle.run(async () => readAnswer(await stream(request), words));
  const refusal = (answer: Answer, key: string): RegtarError => {
    return refusalOf(answer, { describe, key, access, region, signer: signer.origin() });
  };

  const request: Bucket['request'] = async (asked, accept = []) => {
    const backoff = client.backoff();
    for (;;) {
      const outcome = await send(asked).then(
        (answer) => ({ answer }),
        (error: unknown) => client.explain(error, { url: server.base, signal: asked.signal }, true),
      );
      let failure: RegtarError;
      let wait: number | undefined;
      if ('answer' in outcome) {
        const { answer } = outcome;
        if ((answer.status >= 200 && answer.status < 300) || accept.includes(answer.status)) return answer;
        failure = refusal(answer, asked.key);
        if (!isPassing(answer)) throw failure;
        wait = retryAfterOf(answer);
      } else {
        if (!outcome.transient) throw outcome.error;
        failure = outcome.error;
      }
      if (!(await backoff.wait(wait, asked.signal))) throw gaveUp(failure, backoff);
    }
  };

  return {
    address,
    server: server.name,
    stream: (asked) => limited(throttle, () => stream(asked)),
    direct: async (asked) => client.direct(await signed(asked)),
    request,
    async list(prefix, { delimiter = false, next, most, signal } = {}) {
      const answer = await request({
        method: 'GET',
        key: '',
        query: {
          'list-type': '2',
          prefix,
          'encoding-type': 'url',
          ...(delimiter && { delimiter: '/' }),
          ...(next !== undefined && { 'continuation-token': next }),
          ...(most !== undefined && { 'max-keys': String(most) }),
        },
        signal,
      });
      const page = parseListing(answer.body);
      const refuse = (what: string, hint: string): RegtarError =>
        new RegtarError(codes.refused, `${describe}: ${server.base.origin} ${what}`, {
          where: { path: describe },
          hint,
        });
      if (page === undefined)
        throw refuse(
          'does not answer like an S3 server',
          'check --s3-endpoint: it is the address of the server, without the bucket',
        );
      // Either would be followed for ever.
      if (page.next !== undefined && page.next === next)
        throw refuse('gives the same page of its listing again', 'it may not know continuation tokens: update it');
      const isBelow = (each: string): boolean => each.startsWith(prefix) && each !== prefix;
      if (!page.prefixes.every(isBelow) || !page.objects.every(({ key }) => key.startsWith(prefix)))
        throw refuse(`lists what is not below ${prefix}`, 'look into the log of the server, and of proxies before it');
      return page;
    },
    refusal,
    explain: (error) => client.explain(error, { url: server.base }, true),
    backoff: () => client.backoff(),
    close: () => client.close(),
  };
}

/** A stream counts as under way until it is closed or at its end. */
async function limited(throttle: Throttle, open: () => Promise<StreamedAnswer>): Promise<StreamedAnswer> {
  return new Promise((resolve, reject) => {
    void throttle
      .run(
        () =>
          new Promise<void>((done) => {
            open().then(
              (answer) =>
                resolve({
                  ...answer,
                  body: untilDone(answer.body, done),
                  close() {
                    answer.close();
                    done();
                  },
                }),
              (error: unknown) => {
                done();
                reject(error instanceof Error ? error : new Error(String(error)));
              },
            );
          }),
      )
      .catch(() => undefined);
  });
}

async function* untilDone(body: AsyncIterable<Uint8Array>, done: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    done();
  }
}

interface Server {
  readonly base: URL;
  /** @see Bucket.server */
  readonly name: string;
  urlOf(key: string, query: BucketRequest['query']): URL;
}

/** Buckets of AWS are hosts, of other servers folders. */
function serverOf(
  { bucket }: BucketAddress,
  endpoint: string | undefined,
  region: string,
  { plainHttp }: BucketAccess,
): Server {
  const isOwnHost = endpoint === undefined && !bucket.includes('.');
  const text = endpoint ?? `https://${isOwnHost ? `${bucket}.` : ''}s3.${region}.amazonaws.com`;
  const full = text.includes('://') ? text : `https://${text}`;
  const base = URL.canParse(full) ? new URL(full) : undefined;
  // The value stays out of the message: it may contain keys.
  if (
    base === undefined ||
    !['http:', 'https:'].includes(base.protocol) ||
    base.username !== '' ||
    base.password !== ''
  )
    throw new RegtarError('USAGE', 'the endpoint for s3 is not the http or https address of a server', {
      hint: 'write --s3-endpoint https://HOST[:PORT]; keys come from the environment',
    });
  if (base.protocol === 'http:' && plainHttp !== true && !isLoopback(base.host))
    throw new RegtarError('USAGE', `${base.origin} would be used without encryption`, {
      hint: 'use https, or pass --plain-http',
    });
  const root = base.pathname.replace(/\/+$/, '');
  const folder = root + (isOwnHost ? '' : `/${bucket}`);
  return {
    base,
    name: /\.amazonaws\.com$/.test(base.hostname) ? 'AWS' : `${base.origin}${root}`,
    urlOf(key, query = {}) {
      const url = new URL(base.origin);
      url.pathname = `${folder}/${key.split('/').map(encodePart).join('/')}`;
      // As they are signed: URLSearchParams would write a space as a plus.
      url.search = Object.entries(query)
        .map(([name, value]) => `${encodePart(name)}=${encodePart(value)}`)
        .join('&');
      return url;
    },
  };
}

function encodePart(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
}

interface Signer {
  sign(request: BucketRequest, url: URL): Promise<Record<string, string>>;
  /** Reads the keys again. @returns whether there are other ones now */
  renew(): boolean;
  origin(): string | undefined;
}

/** @see docs/decisions, signing by aws4fetch */
function createSigner(first: S3Keys | undefined, region: string, readKeys: () => S3Keys | undefined): Signer {
  let keys = first;
  const cache = new Map<string, ArrayBuffer>();
  return {
    origin: () => keys?.origin,
    renew() {
      const read = readKeys();
      if (read === undefined || read.accessKeyId === keys?.accessKeyId) return false;
      keys = read;
      return true;
    },
    async sign({ method, headers = {}, sha256 }, url) {
      const own = { 'accept-encoding': 'identity', ...headers, ...(sha256 && { 'x-amz-content-sha256': sha256 }) };
      if (keys === undefined) return own;
      const signed = await new AwsV4Signer({
        method,
        url: url.href,
        headers: own,
        accessKeyId: keys.accessKeyId,
        secretAccessKey: keys.secretAccessKey.reveal(),
        ...(keys.sessionToken && { sessionToken: keys.sessionToken.reveal() }),
        service: 's3',
        region,
        cache,
      }).sign();
      return Object.fromEntries(signed.headers);
    },
  };
}

/** The region of a bucket, where the answer to a request that went to another one names it. */
function regionSaid({ body }: Answer, code: string): string | undefined {
  if (code !== 'AuthorizationHeaderMalformed') return undefined;
  const region = valueOf(Buffer.from(body).toString('utf8'), 'Region');
  return region !== undefined && /^[a-z0-9-]{1,40}$/.test(region) ? region : undefined;
}

interface S3Error {
  readonly code: string;
  readonly message: string;
}

function errorOf(answer: Answer): S3Error {
  const text = Buffer.from(answer.body).toString('utf8');
  const plain = (value: string | undefined): string => (value ?? '').replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200);
  return { code: plain(valueOf(text, 'Code')), message: plain(valueOf(text, 'Message')) };
}

function isTooFast(answer: Answer): boolean {
  return answer.status === 503 || errorOf(answer).code === 'SlowDown';
}

function isExpired(answer: Answer): boolean {
  return ['ExpiredToken', 'TokenRefreshRequired', 'InvalidToken', 'InvalidAccessKeyId'].includes(errorOf(answer).code);
}

function isPassing(answer: Answer): boolean {
  return (
    isTransientStatus(answer.status) || ['SlowDown', 'RequestTimeout', 'InternalError'].includes(errorOf(answer).code)
  );
}

function gaveUp({ code, message, hint, where }: RegtarError, backoff: Backoff): RegtarError {
  const attempts = backoff.retries + 1;
  return new RegtarError(code, attempts === 1 ? message : `${message}; given up after ${attempts} attempts`, {
    hint,
    where,
  });
}

function refusalOf(
  answer: Answer,
  context: {
    readonly describe: string;
    readonly key: string;
    readonly access: BucketAccess;
    readonly region: string;
    readonly signer: string | undefined;
  },
): RegtarError {
  const { status } = answer;
  const { code, message } = errorOf(answer);
  const { codes, words } = context.access;
  const path = context.key === '' ? context.describe : `${context.describe}/${context.key}`;
  const said = code === '' ? String(status) : `${status} ${code}${message === '' ? '' : `: ${message}`}`;
  const fail = (which: ErrorCode, hint: string): RegtarError =>
    new RegtarError(which, `${path} is refused (${said})`, { where: { path, status }, hint });
  const regionThere = headerOf(answer, 'x-amz-bucket-region') ?? regionSaid(answer, code);
  if (status === 301 || (regionThere !== undefined && regionThere !== context.region && status >= 300))
    return fail(codes.refused, `the bucket is in another region${regionThere ? `: AWS_REGION=${regionThere}` : ''}`);
  if (isExpired(answer))
    return fail(codes.denied, 'the credentials have expired or are unknown: get new ones, then run the command again');
  if (code === 'RequestTimeTooSkewed') return fail(codes.denied, "check this machine's clock");
  if (status === 401 || status === 403)
    return fail(
      codes.denied,
      context.signer === undefined
        ? 'no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE'
        : `these came from ${context.signer}; they need the right to list the bucket and to get its objects`,
    );
  if (status === 404) return fail(codes.missing, 'check bucket, key and --s3-endpoint');
  return fail(isPassing(answer) ? words.codes.unreachable : codes.refused, 'look into the log of the server');
}
