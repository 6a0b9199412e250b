import { Agent, request as sendRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { commonHeaders, send, sendFrontPage } from './answers.ts';
import { bodyBytes, countBytes, type Exchange } from './exchange.ts';

/** The way to the registry behind: kept connections, so that the double costs little. */
export interface Upstream {
  readonly port: number;
  readonly agent: Agent;
}

/** An answer of the registry, body and all; for manifests only. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What the registry behind must not see, or what belongs to one connection. */
const notForwarded = new Set([
  'authorization',
  'cookie',
  'connection',
  'keep-alive',
  'proxy-authorization',
  'expect',
  'upgrade',
]);
const notReturned = new Set(['connection', 'keep-alive', 'transfer-encoding', 'date']);

export function newUpstream(port: number): Upstream {
  return { port, agent: new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 64 }) };
}

/**
 * Streams the request to the registry and its answer back.
 * @param options.path another path than the request's own
 * @param options.headers headers that replace the request's
 * @returns the registry's status and headers once the answer has begun; undefined when there was none
 */
export function forward(
  upstream: Upstream,
  exchange: Exchange,
  options: { path?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; headers: IncomingHttpHeaders } | undefined> {
  const { request, response } = exchange;
  return new Promise((resolve) => {
    const outgoing = sendRequest(
      {
        host: '127.0.0.1',
        port: upstream.port,
        agent: upstream.agent,
        method: exchange.method,
        path: options.path ?? exchange.rawPath + exchange.search,
        headers: { ...forwardedHeaders(request), ...options.headers },
      },
      (incoming) => {
        const status = incoming.statusCode ?? 502;
        if (response.headersSent) {
          incoming.resume();
        } else {
          response.writeHead(status, { ...commonHeaders(status), ...returnedHeaders(incoming.headers) });
          incoming.pipe(response);
          incoming.on('aborted', () => response.destroy());
        }
        resolve({ status, headers: incoming.headers });
      },
    );
    outgoing.on('error', () => {
      // The core answers for a registry that is down with a bare 502.
      if (!response.headersSent && !response.destroyed) send(response, 502, '');
      resolve(undefined);
    });
    request.on('aborted', () => outgoing.destroy());
    const limit = exchange.world.settings.clientMaxBodySize;
    request.on('data', (chunk: Buffer) => {
      countBytes(request, chunk.length);
      if (limit === undefined || bodyBytes(request) <= limit || response.headersSent) return;
      sendFrontPage(response, 413, { Connection: 'close' });
      outgoing.destroy();
    });
    request.pipe(outgoing);
  });
}

/** Sends a request of the double's own and collects the answer; undefined when the registry is down. */
export function ask(
  upstream: Upstream,
  exchange: Exchange,
  options: { method: string; path: string; headers: Record<string, string>; body?: Buffer },
): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const headers: Record<string, string> = { host: exchange.request.headers.host ?? '', ...options.headers };
    if (options.body !== undefined) headers['content-length'] = String(options.body.length);
    const protocol = exchange.request.headers['x-forwarded-proto'];
    if (typeof protocol === 'string') headers['x-forwarded-proto'] = protocol;
    const outgoing = sendRequest(
      {
        host: '127.0.0.1',
        port: upstream.port,
        agent: upstream.agent,
        method: options.method,
        path: options.path,
        headers,
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('end', () => {
          resolve({ status: incoming.statusCode ?? 502, headers: incoming.headers, body: Buffer.concat(chunks) });
        });
        incoming.on('error', () => {
          resolve(undefined);
        });
      },
    );
    outgoing.on('error', () => {
      resolve(undefined);
    });
    outgoing.end(options.body);
  });
}

/** Passes a collected answer on. */
export function relay(exchange: Exchange, answer: Answer | undefined): void {
  if (answer === undefined) send(exchange.response, 502, '');
  else {
    const headers = returnedHeaders(answer.headers);
    delete headers['content-length'];
    send(exchange.response, answer.status, answer.body, headers);
  }
}

function forwardedHeaders(request: IncomingMessage): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = {};
  for (const [name, value] of Object.entries(request.headers)) if (!notForwarded.has(name)) headers[name] = value;
  return headers;
}

function returnedHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const returned: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !notReturned.has(name)) returned[name] = value;
  return returned;
}
