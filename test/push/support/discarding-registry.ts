import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A registry that says yes to everything and keeps nothing: what a push costs by itself. */
export interface DiscardingRegistry {
  readonly host: string;
  readonly counts: { requests: number; bytes: number; manifests: number };
  stop(): Promise<void>;
}

export async function startDiscardingRegistry(): Promise<DiscardingRegistry> {
  const counts = { requests: 0, bytes: 0, manifests: 0 };
  const offsets = new Map<string, number>();
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const location =
      url.pathname.includes('/uploads/') && !url.pathname.endsWith('/uploads/')
        ? url.pathname
        : `${url.pathname}${counts.requests}`;
    if (request.method === 'POST') response.writeHead(url.searchParams.has('mount') ? 201 : 202, { location });
    else if (request.method === 'PATCH')
      response.writeHead(202, { location, range: `0-${(offsets.get(location) ?? 1) - 1}` });
    else if (request.method === 'PUT')
      response.writeHead(
        201,
        url.searchParams.has('digest') ? { 'docker-content-digest': url.searchParams.get('digest') ?? '' } : {},
      );
    else if (url.pathname === '/v2/') response.writeHead(200, { 'docker-distribution-api-version': 'registry/2.0' });
    else if (url.pathname === '/v2/_catalog')
      return void response.writeHead(200, { 'content-type': 'application/json' }).end('{"repositories":[]}');
    else response.writeHead(404);
    response.end();
  };
  const server = createServer({ keepAliveTimeout: 75_000, requestTimeout: 0 }, (request, response) => {
    counts.requests++;
    if (request.method === 'PUT' && request.url?.includes('/manifests/') === true) counts.manifests++;
    request.on('data', (chunk: Buffer) => {
      counts.bytes += chunk.length;
      if (request.method === 'PATCH')
        offsets.set(request.url ?? '', (offsets.get(request.url ?? '') ?? 0) + chunk.length);
    });
    request.once('end', () => answer(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
