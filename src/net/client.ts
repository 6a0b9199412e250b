import { directRequest, type DirectRequest } from './direct.ts';
import { chooseProxies, type Environment } from './proxy.ts';
import { createBackoff, type Backoff, type RetryOptions } from './retry.ts';
import { createSender, type PauseListener, type RequestListener, type Sender } from './sender.ts';
import type { ServerWords } from './server-words.ts';
import { openTls, type TlsOptions } from './tls.ts';
import { createTransport, type TransportRequest } from './transport.ts';

/** How a server is reached. */
export interface ClientOptions {
  /** `host` or `host:port`: its certificates are looked up, and its client certificate is for it alone. */
  readonly host: string;
  readonly words: ServerWords;
  readonly tls?: TlsOptions | undefined;
  /** The variables of proxies; none without it. */
  readonly env?: Environment | undefined;
  readonly retry?: RetryOptions | undefined;
  /** How long no byte may move. Whole requests have no limit: a layer may take an hour. @defaultValue 60 */
  readonly stallTimeoutSeconds?: number | undefined;
  /** Connections that are kept for each host; as many as jobs. @defaultValue 8 */
  readonly connections?: number | undefined;
  /** @defaultValue `regtar` */
  readonly userAgent?: string | undefined;
  /** Told once for each different warning of the server. */
  readonly onWarning?: ((text: string) => void) | undefined;
  /** Told of every request, repeated ones included. */
  readonly onRequest?: RequestListener | undefined;
  /** Told once for each request of which no byte has moved for some seconds. */
  readonly onQuiet?: ((url: URL, seconds: number) => void) | undefined;
  /** Told of each pause that the server asks for, and that is kept. */
  readonly onPause?: PauseListener | undefined;
  /** Ends everything. */
  readonly signal?: AbortSignal | undefined;
}

/** A client of one server: TLS, proxies, retries and kept connections. It knows no credentials. */
export interface Client extends Sender {
  /** New patience for one request. */
  backoff(timesAtMost?: number): Backoff;
  /**
   * A request that a thread sends by itself; undefined where only `stream` can.
   * @returns with it, whom to tell of each answer. @see ClientOptions.onRequest
   */
  direct(
    request: TransportRequest,
  ): { readonly request: DirectRequest; readonly answered: (status: number) => void } | undefined;
  close(): Promise<void>;
}

/**
 * Makes a client; nothing is sent before the first request.
 * @throws RegtarError CONFIG_INVALID for certificates or proxies that cannot be used
 */
export function openClient(options: ClientOptions): Client {
  const { words, signal } = options;
  const retry = options.retry ?? {};
  const proxyOf = chooseProxies(options.env ?? {});
  const tls = openTls(options.host, { ...options.tls, env: options.tls?.env ?? options.env });
  const stallTimeoutSeconds = options.stallTimeoutSeconds ?? 60;
  const userAgent = options.userAgent ?? 'regtar';
  const transport = createTransport({
    tls,
    words,
    proxyOf,
    connections: options.connections ?? 8,
    stallTimeoutSeconds,
    onQuiet: options.onQuiet,
  });
  const sender = createSender({
    transport,
    words,
    userAgent,
    maxPauseSeconds: retry.maxTotalSeconds ?? 300,
    isDirect: (url) => proxyOf(url) === undefined,
    onWarning: options.onWarning,
    onRequest: options.onRequest,
    onPause: options.onPause,
    signal,
  });
  // Requests have signals of their own, so the shared one ends them by their connections.
  const end = (): void => void transport.close();
  signal?.addEventListener('abort', end, { once: true });
  return {
    ...sender,
    backoff: (timesAtMost) => createBackoff(retry, timesAtMost),
    direct(request) {
      const headers = { 'user-agent': userAgent, ...request.headers };
      const direct = directRequest({ ...request, headers }, { tls, proxyOf, stallTimeoutSeconds });
      const told = { method: request.method, path: request.url.pathname };
      return direct && { request: direct, answered: (status) => options.onRequest?.({ ...told, status }) };
    },
    close() {
      signal?.removeEventListener('abort', end);
      return transport.close();
    },
  };
}
