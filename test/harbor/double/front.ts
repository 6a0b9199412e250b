import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal, send, sendError, sendFrontPage, sendJson } from './answers.ts';
import { serveApi } from './api.ts';
import { isReading, type Exchange } from './exchange.ts';
import { ask, type Upstream } from './forward.ts';
import { serveRegistry } from './gateway.ts';
import { identify } from './identity.ts';
import { serveToken } from './token.ts';
import type { World } from './world.ts';

/** nginx's limit for one line of a request's head, in bytes. */
const longestLine = 8 * 1024;

/** What serves a request. */
export interface Front {
  readonly world: World;
  readonly upstream: Upstream;
  readonly coreDown: boolean;
  /** PostgreSQL is away: nobody can be looked up. */
  readonly databaseDown: boolean;
}

/** Takes a request the way Harbor's nginx and core do, up to the part that knows the answer. */
export async function serve(front: Front, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A client that goes away is its own business.
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  if (refuseInFront(front, request, response)) return;
  try {
    const exchange = await readExchange(front.world, request, response);
    refuseInCore(exchange);
    await route(front, exchange);
  } catch (error) {
    if (error instanceof Refusal) sendError(response, error.status, error.code, error.message, error.headers);
    else if (!request.destroyed)
      sendError(
        response,
        500,
        'UNKNOWN',
        `the double failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
  }
}

async function route(front: Front, exchange: Exchange): Promise<void> {
  const { path, request, response } = exchange;
  const publicUrl = `http://${request.headers.host ?? ''}`;
  if (front.databaseDown && refuseWithoutDatabase(exchange)) return;
  if (path.startsWith('/v2/')) await serveRegistry(front.upstream, exchange, publicUrl);
  else if (path === '/service/token') serveToken(exchange);
  else if (path === '/api/v2.0/health') await serveHealth(front.upstream, exchange);
  else if (path.startsWith('/api/')) await serveApi(exchange);
  else
    send(response, 200, '<!doctype html><html><head><title>Harbor</title></head><body></body></html>', {
      'Content-Type': 'text/html',
      'Accept-Ranges': 'bytes',
    });
}

/** What the core answers while its database is away. @returns false for what needs none */
function refuseWithoutDatabase({ path, method, request, response }: Exchange): boolean {
  const words = 'failed to connect to `user=postgres database=registry`: dial error: connect: connection refused';
  if (path === '/service/token') send(response, 401, '');
  else if (path.startsWith('/v2/') && request.headers.authorization !== undefined) {
    if (method === 'PUT' && path.includes('/manifests/')) sendError(response, 500, 'UNKNOWN', 'internal server error');
    else sendError(response, 401, 'UNAUTHORIZED', words, { 'Www-Authenticate': 'Basic realm="harbor"' });
  } else if (path.startsWith('/api/') && path !== '/api/v2.0/health' && path !== '/api/v2.0/ping')
    sendError(response, 500, 'UNKNOWN', 'internal server error');
  else return false;
  request.resume();
  return true;
}

/** What nginx answers by itself. */
function refuseInFront(front: Front, request: IncomingMessage, response: ServerResponse): boolean {
  const url = request.url ?? '/';
  if (url.length > longestLine) {
    sendFrontPage(response, 414, { Connection: 'close' });
    return true;
  }
  if (
    request.rawHeaders.some(
      (text, index) => index % 2 === 1 && text.length + (request.rawHeaders[index - 1]?.length ?? 0) + 4 > longestLine,
    )
  ) {
    sendFrontPage(response, 400, { Connection: 'close' }, 'Request Header Or Cookie Too Large');
    return true;
  }
  const limit = front.world.settings.clientMaxBodySize;
  if (limit !== undefined && Number(request.headers['content-length'] ?? 0) > limit) {
    sendFrontPage(response, 413, { Connection: 'close' });
    return true;
  }
  if (front.coreDown) {
    sendFrontPage(response, 502);
    return true;
  }
  if (url.split('?', 1)[0] === '/v2') {
    sendFrontPage(response, 301, { Location: `http://${request.headers.host ?? ''}/v2/` });
    return true;
  }
  return false;
}

/** What the core refuses before it looks at the request's meaning. */
function refuseInCore(exchange: Exchange): void {
  const { request, response, method, path, world } = exchange;
  const cookies = request.headers.cookie ?? '';
  const fromBrowser = /(?:^|;\s*)sid=/.test(cookies);
  if (fromBrowser) response.setHeader('X-Harbor-Csrf-Token', randomBytes(32).toString('base64'));
  if (isReading(method)) return;
  const answersForgery =
    /(?:^|;\s*)_gorilla_csrf=/.test(cookies) && request.headers['x-harbor-csrf-token'] !== undefined;
  // A session cookie makes the client a browser, and a browser has to show that a page of Harbor's sent it.
  if (fromBrowser && !answersForgery) throw new Refusal(403, 'FORBIDDEN', 'CSRF token not found in request');
  if (
    world.settings.readOnly &&
    (path.startsWith('/v2/') || path.startsWith('/api/')) &&
    path !== '/api/v2.0/configurations'
  ) {
    throw new Refusal(403, 'DENIED', 'The system is in read only mode. Any modification is prohibited.');
  }
}

async function readExchange(world: World, request: IncomingMessage, response: ServerResponse): Promise<Exchange> {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const rawPath = (mark < 0 ? url : url.slice(0, mark)).replace(/\/{2,}/g, '/');
  const search = mark < 0 ? '' : url.slice(mark);
  return {
    request,
    response,
    method: request.method ?? 'GET',
    rawPath,
    path: decode(rawPath),
    search,
    query: new URLSearchParams(search),
    world,
    caller: await identify(world, request.headers.authorization),
  };
}

async function serveHealth(upstream: Upstream, exchange: Exchange): Promise<void> {
  const up = (await ask(upstream, exchange, { method: 'GET', path: '/v2/', headers: {} })) !== undefined;
  const components = ['core', 'database', 'jobservice', 'portal', 'redis', 'registry', 'registryctl'].map((name) =>
    name === 'registry' && !up
      ? { error: 'failed to check health: connection refused', name, status: 'unhealthy' }
      : { name, status: 'healthy' },
  );
  sendJson(exchange.response, 200, { components, status: up ? 'healthy' : 'unhealthy' });
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
