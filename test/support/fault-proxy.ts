import {
  Agent,
  createServer,
  request as sendRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What goes wrong with a request.
 * - `reset`: the connection is reset: `before-body` nothing reaches the target; `in-body` the target gets the first `bytes` of the body;
 *   `after-body` the target does its work and nobody hears of it; `in-answer` the client gets the first `bytes` of the answer's body.
 * - `answer`: the proxy answers itself and the target hears nothing. By default the request's body is read first; `early` answers at once.
 * - `stall`: silence: `request` stops reading the body after `bytes`, `answer` lets the target work and holds its answer back. Then, if `milliseconds` is given, it goes on.
 * - `truncate`: the answer says its full length and ends properly after `bytes` of it.
 * - `trickle`: the answer comes in pieces of `bytes`, `milliseconds` apart.
 * - `location`: `Location` of the answer points to another origin (`http://host:port`), or with `relative` has none.
 * - `duplicate`: the target gets the whole request twice, one after the other; the client gets the second answer.
 */
export type Fault =
  | {
      readonly kind: 'reset';
      readonly when: 'before-body' | 'in-body' | 'after-body' | 'in-answer';
      readonly bytes?: number;
    }
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly early?: boolean;
    }
  | {
      readonly kind: 'stall';
      readonly when: 'request' | 'answer';
      readonly bytes?: number;
      readonly milliseconds?: number;
    }
  | { readonly kind: 'truncate'; readonly bytes: number }
  | { readonly kind: 'trickle'; readonly bytes: number; readonly milliseconds: number }
  | { readonly kind: 'location'; readonly origin: string }
  | { readonly kind: 'duplicate' };

/** When a fault happens. */
export interface FaultRule {
  /** Default: all. */
  readonly method?: string | readonly string[];
  /** Tried on path and query. Default: all. */
  readonly path?: RegExp;
  /** Which of the requests that fit, from 1 and since the rule was added. Default: every one. */
  readonly nth?:
    number | readonly number[] | ((n: number, request: Pick<ProxiedRequest, 'method' | 'path'>) => boolean);
  readonly fault: Fault;
}

/** A request that reached the proxy. */
export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  /** What was done to it. */
  readonly fault: Fault['kind'] | undefined;
  /** What the client was answered; 0 when it was not. */
  status: number;
  /** Body bytes that arrived at the proxy. */
  bytes: number;
  /** `performance.now()` of its arrival. */
  readonly at: number;
}

export interface FaultProxy {
  /** `127.0.0.1:port` */
  readonly host: string;
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** Every request so far, in the order of arrival. */
  readonly requests: readonly ProxiedRequest[];
  /** Adds rules; the first that fits a request decides. */
  add(...rules: readonly FaultRule[]): void;
  /** Forgets all rules: from now on everything goes through. */
  heal(): void;
  /** How many requests so far fit. */
  count(match?: Pick<FaultRule, 'method' | 'path'>): number;
  /** Resets every open connection. */
  dropConnections(): void;
  stop(): Promise<void>;
}

/** Answers as registries and what stands in front of them give them when they are in trouble. */
export const answers = {
  requestTimeout: { kind: 'answer', status: 408, headers: { Connection: 'close' }, body: '' },
  internalError: {
    kind: 'answer',
    status: 500,
    headers: { 'Content-Type': 'application/json' },
    body: '{"errors":[{"code":"UNKNOWN","message":"unknown error"}]}\n',
  },
  badGatewayPage: {
    kind: 'answer',
    status: 502,
    headers: { 'Content-Type': 'text/html' },
    body: '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n</body>\r\n</html>\r\n',
  },
  badGatewayEmpty: { kind: 'answer', status: 502, body: '' },
  unavailable: {
    kind: 'answer',
    status: 503,
    headers: { 'Content-Type': 'text/plain' },
    body: 'Service Unavailable\n',
  },
  entityTooLarge: {
    kind: 'answer',
    status: 413,
    headers: { 'Content-Type': 'text/html', Connection: 'close' },
    body: '<html><head><title>413 Request Entity Too Large</title></head></html>\r\n',
    early: true,
  },
} as const satisfies Readonly<Record<string, Fault>>;

/**
 * 429 with `Retry-After`.
 * @param wait seconds, or the moment itself for the header's date form
 */
export function tooManyRequests(wait: number | Date): Fault {
  return {
    kind: 'answer',
    status: 429,
    headers: {
      'Retry-After': typeof wait === 'number' ? String(wait) : wait.toUTCString(),
      'Content-Type': 'application/json',
    },
    body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"too many requests"}]}\n',
  };
}

/**
 * Starts a proxy on loopback that spoils what its rules say and passes everything else on as it is, Host header included,
 * so that a target which writes absolute Locations writes the proxy's.
 * @param target `http://host:port`
 */
export async function startFaultProxy(target: string, rules: readonly FaultRule[] = []): Promise<FaultProxy> {
  let active = rules.map(newCounter);
  const requests: ProxiedRequest[] = [];
  const sockets = new Set<Socket>();
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const server = createServer(
    { keepAliveTimeout: 75_000, requestTimeout: 0, maxHeaderSize: 256 * 1024 },
    (request, response) => {
      const seen = { method: request.method ?? '', path: request.url ?? '' };
      // Every rule counts every request that fits, also those that an earlier rule spoils.
      const fault = active.filter((rule) => rule.takes(seen))[0]?.fault;
      const logged: ProxiedRequest = { ...seen, fault: fault?.kind, status: 0, bytes: 0, at: performance.now() };
      requests.push(logged);
      response.on('finish', () => {
        logged.status = response.statusCode;
      });
      const passage: Passage = { request, response, target: new URL(target), agent, logged };
      // What fails here is a connection that somebody closed: the client sees that for itself.
      request.on('error', () => undefined);
      response.on('error', () => undefined);
      pass(passage, fault).catch(() => request.socket.destroy());
    },
  );
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return {
    host,
    url: `http://${host}`,
    requests,
    add: (...more) => {
      active = [...active, ...more.map(newCounter)];
    },
    heal: () => {
      active = [];
    },
    count: (match = {}) => requests.filter((request) => fits(match, request)).length,
    dropConnections: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      agent.destroy();
      await closed;
    },
  };
}

/** One request on its way. */
interface Passage {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: URL;
  readonly agent: Agent;
  readonly logged: ProxiedRequest;
}

async function pass(passage: Passage, fault: Fault | undefined): Promise<void> {
  const { request, response } = passage;
  switch (fault?.kind) {
    case undefined:
      await giveBack(passage, await forward(passage));
      return;
    case 'answer':
      await answer(passage, fault);
      return;
    case 'reset':
      await reset(passage, fault);
      return;
    case 'stall':
      await stall(passage, fault);
      return;
    case 'truncate':
      await truncate(passage, fault.bytes, () => {
        request.socket.end();
      });
      return;
    case 'trickle':
      await trickle(passage, fault.bytes, fault.milliseconds);
      return;
    case 'location': {
      const incoming = await forward(passage);
      if (incoming.headers.location !== undefined)
        incoming.headers.location = moved(incoming.headers.location, fault.origin);
      await giveBack(passage, incoming);
      return;
    }
    case 'duplicate': {
      const body = await collect(passage);
      (await forward(passage, { body })).resume();
      await giveBack(passage, await forward(passage, { body }));
      return;
    }
    default:
      response.destroy(fault satisfies never);
  }
}

async function answer(passage: Passage, fault: Extract<Fault, { kind: 'answer' }>): Promise<void> {
  if (fault.early !== true) await collect(passage);
  const body = Buffer.from(fault.body ?? '');
  passage.response.writeHead(fault.status, { 'Content-Length': String(body.length), ...fault.headers });
  passage.response.end(body);
}

async function reset(passage: Passage, fault: Extract<Fault, { kind: 'reset' }>): Promise<void> {
  const { socket } = passage.request;
  switch (fault.when) {
    case 'before-body':
      socket.resetAndDestroy();
      return;
    case 'in-body':
      // The target is left with a request that never ends, as when the client's network goes away.
      await forward(passage, {
        upTo: fault.bytes ?? 1,
        then: (outgoing) => {
          outgoing.destroy();
          socket.resetAndDestroy();
        },
      }).catch(() => undefined);
      socket.resetAndDestroy();
      return;
    case 'after-body':
      (await forward(passage)).resume().on('end', () => {
        socket.resetAndDestroy();
      });
      return;
    case 'in-answer':
      await truncate(passage, fault.bytes ?? 0, () => {
        socket.resetAndDestroy();
      });
  }
}

async function stall(passage: Passage, fault: Extract<Fault, { kind: 'stall' }>): Promise<void> {
  const { request } = passage;
  const closed = new AbortController();
  request.socket.once('close', () => {
    closed.abort();
  });
  const silence = async (): Promise<void> => {
    await sleep(fault.milliseconds ?? 2 ** 31 - 1, undefined, { signal: closed.signal }).catch(() => undefined);
  };
  if (fault.when === 'answer') {
    const incoming = await forward(passage);
    await silence();
    await giveBack(passage, incoming);
  } else {
    await giveBack(
      passage,
      await forward(passage, {
        upTo: fault.bytes ?? 0,
        then: async (outgoing) => {
          await silence();
          if (closed.signal.aborted) outgoing.destroy();
        },
      }),
    );
  }
}

async function truncate(passage: Passage, bytes: number, end: () => void): Promise<void> {
  const incoming = await forward(passage);
  passage.response.writeHead(incoming.statusCode ?? 502, ownHeaders(incoming));
  passage.response.flushHeaders();
  const body = await collectAll(incoming);
  if (bytes > 0) passage.response.write(body.subarray(0, bytes));
  // A reset takes back what the client has not read yet.
  await sleep(30);
  end();
}

async function trickle(passage: Passage, bytes: number, milliseconds: number): Promise<void> {
  const { response } = passage;
  const incoming = await forward(passage);
  const body = await collectAll(incoming);
  response.writeHead(incoming.statusCode ?? 502, ownHeaders(incoming));
  response.flushHeaders();
  for (let sent = 0; sent < body.length && !response.destroyed; sent += bytes) {
    response.write(body.subarray(sent, sent + bytes));
    await sleep(milliseconds);
  }
  response.end();
}

interface ForwardOptions {
  /** Send this and not what the client sends. */
  readonly body?: Buffer;
  /** After this many bytes of the body… */
  readonly upTo?: number;
  /** …do this before going on. */
  readonly then?: (outgoing: ReturnType<typeof sendRequest>) => void | Promise<void>;
}

/** Sends the request on; its body is streamed. */
function forward({ request, target, agent, logged }: Passage, options: ForwardOptions = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = sendRequest(
      {
        agent,
        hostname: target.hostname,
        port: target.port,
        method: request.method,
        path: request.url,
        headers: { ...ownHeaders(request), host: request.headers.host },
      },
      resolve,
    );
    outgoing.on('error', reject);
    if (options.body !== undefined) {
      outgoing.end(options.body);
      return;
    }
    request.on('aborted', () => outgoing.destroy());
    void (async () => {
      let left = options.upTo;
      for await (const chunk of request as AsyncIterable<Buffer>) {
        logged.bytes += chunk.length;
        const first = left === undefined ? chunk : chunk.subarray(0, left);
        await write(outgoing, first);
        if (left === undefined) continue;
        left -= first.length;
        if (left > 0) continue;
        await options.then?.(outgoing);
        left = undefined;
        await write(outgoing, chunk.subarray(first.length));
      }
      outgoing.end();
    })().catch((error: unknown) => {
      reject(error instanceof Error ? error : new Error(String(error)));
    });
  });
}

async function giveBack({ request, response }: Passage, incoming: IncomingMessage): Promise<void> {
  response.writeHead(incoming.statusCode ?? 502, ownHeaders(incoming));
  incoming.on('aborted', () => request.socket.destroy());
  await new Promise<void>((resolve) => {
    response.on('close', resolve);
    incoming.pipe(response);
  });
}

async function collect({ request, logged }: Passage): Promise<Buffer> {
  const body = await collectAll(request);
  logged.bytes = body.length;
  return body;
}

async function collectAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function write(outgoing: ReturnType<typeof sendRequest>, chunk: Buffer): Promise<void> {
  if (chunk.length === 0 || outgoing.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    outgoing.write(chunk, () => {
      resolve();
    });
  });
}

/** Without what belongs to one connection. */
function ownHeaders({ headers }: IncomingMessage): OutgoingHttpHeaders {
  const own: OutgoingHttpHeaders = { ...headers };
  for (const name of ['connection', 'keep-alive', 'expect']) Reflect.deleteProperty(own, name);
  return own;
}

function moved(location: string, origin: string): string {
  const url = new URL(location, 'http://unknown');
  return (origin === 'relative' ? '' : origin) + url.pathname + url.search;
}

interface CountingRule {
  readonly fault: Fault;
  takes(request: { method: string; path: string }): boolean;
}

function newCounter(rule: FaultRule): CountingRule {
  let seen = 0;
  return {
    fault: rule.fault,
    takes(request) {
      if (!fits(rule, request)) return false;
      seen += 1;
      const { nth } = rule;
      if (nth === undefined) return true;
      return typeof nth === 'function'
        ? nth(seen, request)
        : typeof nth === 'number'
          ? nth === seen
          : nth.includes(seen);
    },
  };
}

function fits(
  { method, path }: Pick<FaultRule, 'method' | 'path'>,
  request: { method: string; path: string },
): boolean {
  const methods = typeof method === 'string' ? [method] : method;
  return (methods === undefined || methods.includes(request.method)) && (path === undefined || path.test(request.path));
}
