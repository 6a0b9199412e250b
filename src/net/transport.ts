import type { Readable } from 'node:stream';
import { Agent, Pool, ProxyAgent, type Dispatcher } from 'undici';
import { RegtarError } from '../errors.ts';
import type { Body } from '../io/body.ts';
import { limits } from '../io/limits.ts';
import { lasting } from './failures.ts';
import { proxyAuthorization } from './proxy.ts';
import type { ServerWords } from './server-words.ts';
import type { TlsSettings } from './tls.ts';

/** Bytes that may be asked for again; `size` in bytes is sent as `Content-Length`. */
export interface OpenedBody {
  readonly size: number;
  open(): Body;
}

/** One request, whole: a URL, headers, and perhaps a body. */
export interface TransportRequest {
  readonly method: Dispatcher.HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | OpenedBody | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What every answer begins with. Header names are in lower case. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The address that answered. */
  readonly url: URL;
}

/** An answer with its whole, always small, body; it is empty where a taker took it. */
export interface Answer extends AnswerHead {
  readonly body: Uint8Array;
}

/** An answer whose body is taken at the reader's own pace: nothing more is received while it is not asked for. */
export interface StreamedAnswer extends AnswerHead {
  /**
   * Read once; chunks stay valid. While iterating it throws the network's own error, or RegtarError (`codes.timeout`).
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of the connection; needed wherever the body is not read to its end, and harmless after that. */
  close(): void;
}

/** Sends single requests over kept connections; knows nothing of credentials or retries. */
export interface Transport {
  /**
   * @throws the network's or the body's own error, or RegtarError (`codes.timeout`) when no byte moved for the stall
   * time-out
   */
  stream(request: TransportRequest): Promise<StreamedAnswer>;
  close(): Promise<void>;
}

/** How requests travel. */
export interface TransportOptions {
  readonly tls: TlsSettings;
  readonly words: ServerWords;
  /** undefined for a direct connection. */
  readonly proxyOf: (url: URL) => URL | undefined;
  /** Per host, kept open. */
  readonly connections: number;
  readonly stallTimeoutSeconds: number;
  /** Told once for a request of which no byte has moved for a while, long before it is given up. */
  readonly onQuiet?: ((url: URL, seconds: number) => void) | undefined;
}

/** The named header's value; several lines are joined as HTTP joins them. */
export function headerOf(answer: Pick<Answer, 'headers'>, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Connections are made when they are needed, and kept by host and proxy. */
export function createTransport(options: TransportOptions): Transport {
  const dispatchers = new Map<string, Dispatcher>();
  const dispatcherOf = (url: URL): Dispatcher => {
    const proxy = options.proxyOf(url);
    const key = `${proxy?.href ?? ''} ${url.protocol === 'https:' ? url.host : ''}`;
    const known = dispatchers.get(key);
    if (known) return known;
    const made = createDispatcher(url, proxy, options);
    dispatchers.set(key, made);
    return made;
  };
  return {
    stream: (request) => streamAnswer(dispatcherOf(request.url), request, options),
    async close() {
      // destroy, not close: nothing is awaited from answers that are not read any more.
      await Promise.all([...dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
    },
  };
}

/**
 * The whole of a small answer.
 * @param take gets the body of a 2xx answer as it comes instead, of any size
 * @throws RegtarError (`codes.refused`) when it is larger than answers may be
 */
export async function readAnswer(
  answer: StreamedAnswer,
  words: ServerWords,
  take?: (chunk: Uint8Array) => void,
): Promise<Answer> {
  const { status, headers, url } = answer;
  const isTaken = take !== undefined && status >= 200 && status < 300;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    if (isTaken) {
      take(chunk);
      continue;
    }
    size += chunk.length;
    if (size > limits.responseBytes)
      throw new RegtarError(
        words.codes.refused,
        `${url.host} answered ${url.pathname} with more than ${limits.responseBytes} bytes`,
      );
    chunks.push(chunk);
  }
  return { status, headers, url, body: chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks) };
}

/** The third repetition of a lost SYN goes out after seven seconds; who has not answered that one is not there. */
const longestConnectSeconds = 10;

function createDispatcher(url: URL, proxy: URL | undefined, options: TransportOptions): Dispatcher {
  const tls = url.protocol === 'https:' ? options.tls.connectOptions(url) : {};
  const shared = {
    connections: options.connections,
    pipelining: 1,
    keepAliveTimeout: 20_000,
    // Our own watch over moving bytes replaces both: undici's would end a long upload or a slow commit.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const connectMilliseconds = Math.min(options.stallTimeoutSeconds, longestConnectSeconds) * 1000;
  const connect = { ...tls, timeout: connectMilliseconds };
  if (proxy === undefined) return new Agent({ ...shared, connect });
  const authorization = proxyAuthorization(proxy);
  return new ProxyAgent({
    ...shared,
    uri: proxy.origin,
    ...(authorization !== undefined && { token: authorization.reveal() }),
    // All that this client asks is to be connected, in a time that a proxy may need for it.
    clientFactory: (origin, own) => new Pool(origin, { ...own, headersTimeout: 3 * connectMilliseconds }),
    factory: (origin, own) => new Pool(origin, { ...shared, ...own }),
    requestTls: connect,
    ...(proxy.protocol === 'https:' && { proxyTls: options.tls.connectOptions(proxy) }),
    proxyTunnel: false,
  });
}

async function streamAnswer(
  dispatcher: Dispatcher,
  request: TransportRequest,
  { words, stallTimeoutSeconds, onQuiet }: TransportOptions,
): Promise<StreamedAnswer> {
  const { method, url, headers, signal } = request;
  signal?.throwIfAborted();
  const stopper = new AbortController();
  const stopWithCaller = (): void => stopper.abort(signal?.reason);
  signal?.addEventListener('abort', stopWithCaller, { once: true });
  const onStall = (seconds: number): void =>
    stopper.abort(
      new RegtarError(
        words.codes.timeout,
        `${url.host} moved no byte of ${method} ${url.pathname} for ${Math.round(seconds)} s`,
        {
          hint: `the network or the ${words.noun} is stuck; ${words.options.stallTimeout} allows longer pauses`,
        },
      ),
    );
  const watch = watchStall(stallTimeoutSeconds, onStall, (seconds) => onQuiet?.(url, seconds));
  const outgoing = outgoingBody(request.body, watch);
  const release = (): void => {
    watch.stop();
    signal?.removeEventListener('abort', stopWithCaller);
  };
  // The body's own failure explains more than the broken request that followed from it.
  const reasonFor = (error: unknown): unknown =>
    outgoing.failure() ?? (stopper.signal.aborted ? stopper.signal.reason : error);
  const stopped = new Promise<never>((_resolve, reject) => {
    stopper.signal.addEventListener('abort', () => reject(stopper.signal.reason), { once: true });
  });
  try {
    const asked = dispatcher.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      headers: { ...headers, ...outgoing.headers },
      // undici takes any async iterable; its types know streams alone.
      body: (outgoing.body ?? null) as Buffer | Readable | null,
      signal: stopper.signal,
      // Without this undici closes the connection after every HEAD.
      ...(method === 'HEAD' ? { reset: false } : {}),
    });
    // undici hears the signal only once there is a connection, for which a proxy may take its time.
    const response = await Promise.race([asked, stopped]);
    // Its body has not been asked for yet.
    watch.pause();
    return {
      status: response.statusCode,
      headers: response.headers,
      url,
      body: watchedAnswer(response.body, {
        watch,
        release,
        reasonFor,
        pace: watchPace(stallTimeoutSeconds, (count, seconds) => tooSlow(url, words, count, seconds)),
      }),
      close() {
        release();
        // An error event without a listener would end the process.
        response.body.on('error', () => undefined).destroy();
      },
    };
  } catch (error) {
    release();
    throw reasonFor(error);
  }
}

interface Reading {
  readonly watch: StallWatch;
  readonly release: () => void;
  readonly reasonFor: (error: unknown) => unknown;
  readonly pace: Pace;
}

async function* watchedAnswer(
  body: AsyncIterable<Uint8Array>,
  { watch, release, reasonFor, pace }: Reading,
): AsyncGenerator<Uint8Array> {
  try {
    watch.moved();
    pace.waits();
    for await (const chunk of body) {
      watch.pause();
      pace.got(chunk.length);
      yield chunk;
      pace.waits();
      watch.moved();
    }
  } catch (error) {
    throw reasonFor(error);
  } finally {
    release();
  }
}

/** A body that drips one byte in time never stalls, and never ends: in a window of time some bytes must come. */
interface Pace {
  /** From here on the server is waited for. */
  waits(): void;
  /** @throws what `tooSlow` gives */
  got(bytes: number): void;
}

/** 64 KiB in five minutes are 1,700 bit/s. */
const leastWindowBytes = 64 * 1024;
const windowStalls = 5;
const leastWindowSeconds = 10;

function watchPace(stallSeconds: number, tooSlow: (bytes: number, seconds: number) => RegtarError): Pace {
  const windowMilliseconds = 1000 * Math.max(windowStalls * stallSeconds, leastWindowSeconds);
  let since = performance.now();
  let waited = 0;
  let bytes = 0;
  return {
    waits() {
      since = performance.now();
    },
    got(count) {
      waited += performance.now() - since;
      bytes += count;
      if (waited < windowMilliseconds) return;
      if (bytes < leastWindowBytes) throw tooSlow(bytes, waited / 1000);
      waited = 0;
      bytes = 0;
    },
  };
}

/** Not tried again: each attempt would take as long. */
function tooSlow(url: URL, words: ServerWords, bytes: number, seconds: number): RegtarError {
  const message =
    `${url.host} sends its answer to ${url.pathname} a few bytes at a time: ${bytes} bytes in ` +
    `${Math.round(seconds)} s; it is not asked again`;
  const hint = `the network or the ${words.noun} is stuck; ${words.options.stallTimeout} allows slower ones`;
  return lasting(new RegtarError(words.codes.timeout, message, { hint }));
}

interface OutgoingBody {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | AsyncIterable<Uint8Array>;
  /** What the producer of the body threw. */
  failure(): unknown;
}

const sliceBytes = limits.smallBodyBytes;
/** Below this, undici lets a second write begin before the first is on its way, so the bytes must be ours. */
const keptChunkBytes = 64 * 1024;

function outgoingBody(body: Uint8Array | OpenedBody | undefined, watch: StallWatch): OutgoingBody {
  if (body === undefined) return { headers: {}, failure: () => undefined };
  if (body instanceof Uint8Array)
    return { headers: {}, body: Buffer.from(body.buffer, body.byteOffset, body.byteLength), failure: () => undefined };
  let failure: unknown;
  async function* watched(opened: OpenedBody): AsyncGenerator<Uint8Array> {
    try {
      watch.pause();
      for await (const chunk of opened.open()) {
        // Slices, because the watch sees only whole writes: a thin line needs minutes for a mebibyte.
        for (let start = 0; start < chunk.length; start += sliceBytes) {
          watch.moved();
          const slice = chunk.subarray(start, start + sliceBytes);
          yield slice.length < keptChunkBytes ? Uint8Array.prototype.slice.call(slice) : slice;
        }
        watch.pause();
      }
      // The server may have to move or hash what it got before it answers.
      watch.moved(opened.size / commitBytesPerSecond);
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  return { headers: { 'content-length': String(body.size) }, body: watched(body), failure: () => failure };
}

const commitBytesPerSecond = 10 * 1024 * 1024;

interface StallWatch {
  /** A byte moved, or our side was slow; `graceSeconds` more than the usual wait may pass until the next. */
  moved(graceSeconds?: number): void;
  /** We are waiting for our own disk: that is not a stall of the server. */
  pause(): void;
  stop(): void;
}

/** A person waits this long before wondering. */
const quietSeconds = 5;
const leastQuietSeconds = 2;

function watchStall(
  seconds: number,
  onStall: (seconds: number) => void,
  onQuiet: (seconds: number) => void,
): StallWatch {
  let isQuietTold = false;
  let allowed = seconds;
  let paused = false;
  let last = performance.now();
  const timer = setInterval(
    () => {
      if (paused) return;
      const quiet = (performance.now() - last) / 1000;
      if (quiet > allowed) onStall(allowed);
      // What a server may need to store a large body is no reason to wonder.
      else if (
        !isQuietTold &&
        quiet > Math.max(leastQuietSeconds, Math.min(quietSeconds, seconds / 2)) + allowed - seconds
      ) {
        isQuietTold = true;
        onQuiet(quiet);
      }
    },
    Math.max(10, Math.min(1000, seconds * 250)),
  );
  return {
    moved(graceSeconds = 0) {
      allowed = seconds + graceSeconds;
      paused = false;
      last = performance.now();
    },
    pause() {
      paused = true;
    },
    stop() {
      clearInterval(timer);
    },
  };
}
