import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { BlockList, isIP, type AddressInfo, type Socket } from 'node:net';
import { RegtarError, systemErrorCode, toRegtarError } from '../errors.ts';
import { createBuffers } from './buffers.ts';
import type { CheckedBlobs } from './checked-blobs.ts';
import type { Doorkeeper } from './htpasswd.ts';
import { limitCrowds } from './crowds.ts';
import { refuse } from './refusal.ts';
import type { RegistryAnswer, RegistryRequest } from './request.ts';
import type { Routes } from './routes.ts';
import { ClientGone, sendAnswer } from './send.ts';

/** PEM texts. */
export interface ServerTls {
  readonly certificate: string;
  readonly key: string;
}

/** What one client, and all of them, may take. Times are in milliseconds. */
export interface ServerLimits {
  /** Connections at once; further ones are closed at once. @defaultValue 1024 */
  readonly connections?: number;
  /** Connections at once from one address; further ones are closed at once. @defaultValue half of `connections` */
  readonly connectionsOfOne?: number;
  /** For the header of a request, from its first byte on. @defaultValue 15000 */
  readonly headerTime?: number;
  /** For a connection on which nothing moves: a client that waits, or one that takes no bytes. @defaultValue 120000 */
  readonly idleTime?: number;
}

/** One request, when its answer has ended. */
export interface ServedRequest {
  readonly request: RegistryRequest;
  /** undefined where the client went away before there was one. */
  readonly answer: RegistryAnswer | undefined;
  /** Address of the client, without its port. */
  readonly client: string;
  /** Whether everything was sent. */
  readonly isWhole: boolean;
  readonly milliseconds: number;
}

/** How to serve. */
export interface ServeOptions {
  readonly routes: Routes;
  readonly blobs: CheckedBlobs;
  /** A descriptor is a socket that another program listens on already. @defaultValue 127.0.0.1, port 5000 */
  readonly listen?: { readonly host: string; readonly port: number } | { readonly descriptor: number };
  readonly tls?: ServerTls | undefined;
  /** Allow http on addresses that other machines reach. @defaultValue false */
  readonly plainHttp?: boolean;
  /** Lets in who may come in; absent lets in everybody. */
  readonly doorkeeper?: Doorkeeper | undefined;
  readonly limits?: ServerLimits | undefined;
  /** Called when an answer has ended. */
  readonly onRequest?: ((served: ServedRequest) => void) | undefined;
  /** Called where an answer could not be given or not be completed, unless the client is the reason. */
  readonly onError?: ((error: RegtarError) => void) | undefined;
}

/** A server that listens. */
export interface RunningServer {
  /** As sockets have it: `127.0.0.1`, `::1`; a path for a socket of the file system. */
  readonly address: string;
  /** 0 for a socket of the file system. */
  readonly port: number;
  readonly scheme: 'http' | 'https';
  /** Takes no more requests and waits for the answers that are under way. */
  stop(): Promise<void>;
}

/**
 * Starts a registry.
 * @throws RegtarError LISTEN_FAILED where the address cannot be had; LISTEN_INSECURE where other machines would reach
 * it without TLS
 */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const { tls, limits = {} } = options;
  const settings = {
    headersTimeout: limits.headerTime ?? 15_000,
    // No request has a body that is read.
    requestTimeout: limits.headerTime ?? 15_000,
    keepAliveTimeout: limits.idleTime ?? 120_000,
    connectionsCheckingInterval: 1000,
    // A partial pull asks for up to 1,024 ranges in one header.
    maxHeaderSize: 64 * 1024,
    noDelay: true,
  };
  const handler = createHandler(options);
  const server: Server =
    tls === undefined
      ? createHttpServer(settings)
      : createHttpsServer({
          ...settings,
          cert: tls.certificate,
          key: tls.key,
          handshakeTimeout: settings.headersTimeout,
        });
  const connections = limits.connections ?? 1024;
  server.maxConnections = connections;
  limitCrowds(server, limits.connectionsOfOne ?? Math.ceil(connections / 2));
  server.maxHeadersCount = 100;
  server.timeout = limits.idleTime ?? 120_000;
  // A client that uploads must hear of the failure before it sends anything.
  server.on('request', handler).on('checkContinue', handler);
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    else socket.destroy();
  });
  const { address, port } = await listen(server, options);
  return {
    address,
    port,
    scheme: tls === undefined ? 'http' : 'https',
    stop: async () => stop(server),
  };
}

/** Requests of one connection that wait for the answers before them. Clients of registries send one at a time. */
const mostUnanswered = 100;

function createHandler(options: ServeOptions): (message: IncomingMessage, response: ServerResponse) => void {
  const { routes, blobs } = options;
  const buffers = createBuffers();
  /** Of each connection, the last answer, and how many are to come. */
  const queues = new WeakMap<Socket, { last: Promise<void>; waiting: number }>();
  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const began = performance.now();
    const request = requestOf(message);
    const client = (message.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    let answer: RegistryAnswer | undefined;
    response
      .setHeader('Docker-Distribution-Api-Version', 'registry/2.0')
      .setHeader('X-Content-Type-Options', 'nosniff');
    let isWhole = false;
    try {
      answer = (await refuseStranger(request, client, options.doorkeeper)) ?? (await routes(request));
      await sendAnswer(response, answer, { blobs, buffers });
      isWhole = true;
    } catch (thrown) {
      if (!(thrown instanceof ClientGone)) {
        const error = toRegtarError(thrown);
        // Damage was reported where it was found.
        if (error.code !== 'BLOB_CORRUPT') options.onError?.(error);
        answer = refuseBroken(request, error);
      }
      if (response.headersSent || thrown instanceof ClientGone) response.destroy();
      else await sendAnswer(response, answer ?? refuse(request, 'UNAVAILABLE', ''), { blobs, buffers });
    }
    options.onRequest?.({ request, answer, client, isWhole, milliseconds: performance.now() - began });
  };
  return (message, response) => {
    // Both errors are a client that went away; the answer's own loop sees it.
    response.on('error', () => undefined);
    message.on('error', () => undefined);
    // Requests that were sent without waiting for answers are served one after the other, with one buffer for all.
    const queue = queues.get(message.socket) ?? { last: Promise.resolve(), waiting: 0 };
    queues.set(message.socket, queue);
    if (++queue.waiting > mostUnanswered) {
      message.socket.destroy();
      return;
    }
    queue.last = queue.last
      .then(async () => (message.socket.destroyed ? undefined : serve(message, response)))
      .catch((error: unknown) => {
        options.onError?.(toRegtarError(error));
        response.destroy();
      })
      .finally(() => void queue.waiting--);
  };
}

async function refuseStranger(
  request: RegistryRequest,
  client: string,
  doorkeeper: Doorkeeper | undefined,
): Promise<RegistryAnswer | undefined> {
  switch (await doorkeeper?.admit(request.headers['authorization'], client)) {
    case undefined:
    case 'welcome':
      return undefined;
    case 'unknown':
      return refuse(request, 'UNAUTHORIZED', 'a user and password are needed', {
        'WWW-Authenticate': 'Basic realm="regtar", charset="UTF-8"',
      });
    case 'busy':
      return refuse(request, 'TOOMANYREQUESTS', 'too many passwords from this address', { 'Retry-After': '10' });
  }
}

function requestOf({ method = 'GET', url = '/', headers }: IncomingMessage): RegistryRequest {
  return {
    method,
    target: url,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
    ),
  };
}

function refuseBroken(request: RegistryRequest, error: RegtarError): RegistryAnswer {
  return error.code === 'BLOB_CORRUPT' || error.code === 'BLOB_MISSING'
    ? refuse(request, 'BLOB_UNKNOWN', 'the backup has lost this blob')
    : refuse(request, 'UNAVAILABLE', 'the backup cannot be read');
}

async function listen(server: Server, options: ServeOptions): Promise<{ address: string; port: number }> {
  const at = options.listen ?? { host: '127.0.0.1', port: 5000 };
  await new Promise<void>((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => reject(listenFailed(at, cause));
    server.once('error', onError);
    const onListening = (): void => {
      server.off('error', onError);
      resolve();
    };
    if ('descriptor' in at) server.listen({ fd: at.descriptor }, onListening);
    else server.listen({ host: at.host, port: at.port }, onListening);
  });
  const place = server.address();
  const { address, port }: Pick<AddressInfo, 'address' | 'port'> =
    typeof place === 'string' ? { address: place, port: 0 } : (place ?? { address: '', port: 0 });
  const isAllowed = options.plainHttp === true && options.doorkeeper === undefined;
  if (options.tls === undefined && !isAllowed && port !== 0 && !isLoopbackAddress(address)) {
    server.close();
    throw new RegtarError('LISTEN_INSECURE', `other machines can reach ${address}, and http protects nothing there`, {
      side: 'usage',
      hint:
        options.doorkeeper === undefined
          ? 'give --tls-cert and --tls-key, or --tls-self-signed; --plain-http serves without TLS all the same'
          : 'give --tls-cert and --tls-key, or --tls-self-signed: passwords never travel over http',
    });
  }
  return { address, port };
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine reaches an IP address. */
export function isLoopbackAddress(address: string): boolean {
  return isIP(address) !== 0 && loopback.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function listenFailed(at: NonNullable<ServeOptions['listen']>, cause: NodeJS.ErrnoException): RegtarError {
  const code = systemErrorCode(cause) ?? cause.message;
  const where = 'descriptor' in at ? `the socket with descriptor ${at.descriptor}` : `${at.host}:${at.port}`;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program listens there',
    EADDRNOTAVAIL: 'this machine does not have that address',
    EACCES: 'ports below 1024 need a privilege',
    ENOTFOUND: 'there is no such host',
  };
  return new RegtarError('LISTEN_FAILED', `cannot listen on ${where}: ${reasons[code] ?? code}`, {
    side: 'usage',
    cause,
    hint: 'choose another address with --listen; port 0 takes a free one',
  });
}

async function stop(server: Server): Promise<void> {
  // Connections that wait for a further request are closed as soon as their answers have ended.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearInterval(sweep);
}
