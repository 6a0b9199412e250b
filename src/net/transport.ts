import type { Readable } from 'node:stream';
import { Agent, ProxyAgent, type Dispatcher } from 'undici';
import { RegtarError } from '../errors.ts';
import type { Body } from '../io/body.ts';
import { limits } from '../io/limits.ts';
import type { TlsSettings } from './tls.ts';

/** Bytes that may be asked for again; `size` in bytes is sent as `Content-Length`. */
export interface OpenedBody {
  readonly size: number;
  open(): Body;
}

export interface TransportRequest {
  readonly method: Dispatcher.HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | OpenedBody | undefined;
  /** Takes the body of a 2xx answer as it comes, whatever its size: asked for a taker at each attempt, since an attempt may break off. */
  readonly receive?: (() => (chunk: Uint8Array) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An answer with its whole, always small, body: registries' answers are JSON or text. It is empty where `receive` took it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
  readonly url: URL;
}

/** An answer whose body is taken at the reader's own pace: nothing more is received while nobody asks for it. */
export interface StreamedAnswer extends Omit<Answer, 'body'> {
  /** Read once. Chunks stay valid. @throws the network's own error, or RegtarError TARGET_TIMEOUT, while iterating */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of the connection; needed wherever the body is not read to its end, and harmless after that. */
  close(): void;
}

/** Sends single requests over kept connections; knows nothing of registries, credentials or retries. */
export interface Transport {
  /** @throws the network's or the body's own error, or RegtarError TARGET_TIMEOUT when no byte moved for the stall timeout */
  send(request: TransportRequest): Promise<Answer>;
  /** The same for bodies of any size, which come as a stream whatever the status is; `receive` is not looked at. */
  stream(request: TransportRequest): Promise<StreamedAnswer>;
  close(): Promise<void>;
}

export interface TransportOptions {
  readonly tls: TlsSettings;
  readonly proxyOf: (url: URL) => URL | undefined;
  /** Per host, kept open. */
  readonly connections: number;
  readonly stallTimeoutSeconds: number;
}

/** The named header's value; several lines are joined as HTTP joins them. */
export function headerOf(answer: Pick<Answer, 'headers'>, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

export function createTransport(options: TransportOptions): Transport {
  const dispatchers = new Map<string, Dispatcher>();
  const dispatcherOf = (url: URL): Dispatcher => {
    const proxy = options.proxyOf(url);
    const tls = url.protocol === 'https:' ? options.tls.connectOptions(url.hostname) : {};
    const key = `${proxy?.href ?? ''} ${url.protocol === 'https:' ? url.hostname : ''}`;
    const known = dispatchers.get(key);
    if (known) return known;
    const shared = {
      connections: options.connections,
      pipelining: 1,
      keepAliveTimeout: 20_000,
      // Our own watch over moving bytes replaces both: undici's would end a long upload or a slow commit.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    const connect = { ...tls, timeout: Math.min(options.stallTimeoutSeconds, 30) * 1000 };
    const made =
      proxy === undefined
        ? new Agent({ ...shared, connect })
        : new ProxyAgent({
            ...shared,
            uri: proxy.href,
            requestTls: connect,
            ...(proxy.protocol === 'https:' && { proxyTls: options.tls.connectOptions(proxy.hostname) }),
            proxyTunnel: false,
          });
    dispatchers.set(key, made);
    return made;
  };
  return {
    send: (request) => sendOnce(dispatcherOf(request.url), request, options.stallTimeoutSeconds),
    stream: (request) => streamOnce(dispatcherOf(request.url), request, options.stallTimeoutSeconds),
    async close() {
      // destroy, not close: nothing is awaited from answers that nobody reads any more.
      await Promise.all([...dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
    },
  };
}

async function sendOnce(dispatcher: Dispatcher, request: TransportRequest, stallSeconds: number): Promise<Answer> {
  const { method, url } = request;
  const exchange = beginExchange(request, stallSeconds);
  try {
    const response = await exchange.send(dispatcher);
    const taker = response.statusCode >= 200 && response.statusCode < 300 ? request.receive?.() : undefined;
    const body =
      taker === undefined
        ? await readAnswer(response.body, method, url, exchange.watch)
        : await passAnswer(response.body, taker, exchange.watch);
    return { status: response.statusCode, headers: response.headers, body, url };
  } catch (error) {
    throw exchange.reasonOf(error);
  } finally {
    exchange.end();
  }
}

async function streamOnce(
  dispatcher: Dispatcher,
  request: TransportRequest,
  stallSeconds: number,
): Promise<StreamedAnswer> {
  const exchange = beginExchange(request, stallSeconds);
  try {
    const response = await exchange.send(dispatcher);
    // Nobody has asked for its body yet.
    exchange.watch.pause();
    return {
      status: response.statusCode,
      headers: response.headers,
      url: request.url,
      body: readSlowly(response.body, exchange),
      close() {
        exchange.end();
        // An error event without a listener would end the process.
        response.body.on('error', () => undefined).destroy();
      },
    };
  } catch (error) {
    exchange.end();
    throw exchange.reasonOf(error);
  }
}

async function* readSlowly(body: AsyncIterable<Uint8Array>, exchange: Exchange): AsyncGenerator<Uint8Array> {
  try {
    exchange.watch.moved();
    for await (const chunk of body) {
      exchange.watch.pause();
      yield chunk;
      exchange.watch.moved();
    }
  } catch (error) {
    throw exchange.reasonOf(error);
  } finally {
    exchange.end();
  }
}

/** One request on its way, until its answer has been read. */
interface Exchange {
  readonly watch: StallWatch;
  send(dispatcher: Dispatcher): Promise<Dispatcher.ResponseData>;
  /** What really ended it, where it is not what broke. */
  reasonOf(error: unknown): unknown;
  /** May be called twice. */
  end(): void;
}

function beginExchange({ method, url, headers, body, signal }: TransportRequest, stallSeconds: number): Exchange {
  signal?.throwIfAborted();
  const stopper = new AbortController();
  const stopWithCaller = (): void => stopper.abort(signal?.reason);
  signal?.addEventListener('abort', stopWithCaller, { once: true });
  const watch = watchStall(stallSeconds, (seconds) => {
    stopper.abort(
      new RegtarError(
        'TARGET_TIMEOUT',
        `${url.host} moved no byte of ${method} ${url.pathname} for ${Math.round(seconds)} s`,
        { hint: 'the network or the registry is stuck; --stall-timeout allows longer pauses' },
      ),
    );
  });
  const outgoing = outgoingBody(body, watch);
  return {
    watch,
    send: (dispatcher) =>
      dispatcher.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers: { ...headers, ...outgoing.headers },
        // undici takes any async iterable; its types know streams alone.
        body: (outgoing.body ?? null) as Buffer | Readable | null,
        signal: stopper.signal,
        // Without this undici closes the connection after every HEAD.
        ...(method === 'HEAD' ? { reset: false } : {}),
      }),
    // The body's own failure explains more than the broken request that followed from it.
    reasonOf: (error) => outgoing.failure() ?? (stopper.signal.aborted ? (stopper.signal.reason as unknown) : error),
    end() {
      watch.stop();
      signal?.removeEventListener('abort', stopWithCaller);
    },
  };
}

async function passAnswer(
  body: AsyncIterable<Uint8Array>,
  take: (chunk: Uint8Array) => void,
  watch: StallWatch,
): Promise<Uint8Array> {
  for await (const chunk of body) {
    watch.moved();
    take(chunk);
  }
  return Buffer.alloc(0);
}

async function readAnswer(
  body: AsyncIterable<Uint8Array>,
  method: string,
  url: URL,
  watch: StallWatch,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    watch.moved();
    size += chunk.length;
    if (size > limits.responseBytes)
      throw new RegtarError(
        'TARGET_REFUSED',
        `${url.host} answered ${method} ${url.pathname} with more than ${limits.responseBytes} bytes`,
      );
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
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
      // The registry may have to move or hash what it got before it answers.
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
  /** We are waiting for our own disk: that is no stall of the registry. */
  pause(): void;
  stop(): void;
}

function watchStall(seconds: number, onStall: (seconds: number) => void): StallWatch {
  let allowed = seconds;
  let paused = false;
  let last = performance.now();
  const timer = setInterval(
    () => {
      if (!paused && performance.now() - last > allowed * 1000) onStall(allowed);
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
