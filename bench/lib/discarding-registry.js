// @ts-check
import { createServer } from 'node:http';

/**
 * A registry that takes everything and keeps nothing: what a push costs by itself.
 * @returns {Promise<{ host: string, stop: () => Promise<void> }>}
 */
export async function startDiscardingRegistry() {
  let sessions = 0;
  const server = createServer({ keepAliveTimeout: 75_000, requestTimeout: 0 }, (request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const words = new URLSearchParams(query);
    const answer = () => {
      const location = path.endsWith('/uploads/') ? `${path}${sessions++}` : path;
      if (request.method === 'POST') response.writeHead(words.has('mount') ? 201 : 202, { location });
      else if (request.method === 'PATCH') response.writeHead(202, { location, range: '0-0' });
      else if (request.method === 'PUT') response.writeHead(201);
      else if (path === '/v2/') response.writeHead(200, { 'docker-distribution-api-version': 'registry/2.0' });
      else response.writeHead(404);
      response.end();
    };
    request.resume().once('end', answer);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    host: `127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
