import { Refusal, send } from './answers.ts';
import { artifactRoutes } from './artifacts-api.ts';
import { invalid, type Exchange } from './exchange.ts';
import { memberRoutes } from './members-api.ts';
import { projectRoutes } from './projects-api.ts';
import { quotaRoutes } from './quotas-api.ts';
import { robotRoutes } from './robots-api.ts';
import { systemRoutes } from './system-api.ts';

/** One request of the API: its groups are the path's parameters, decoded once more. */
export interface Route {
  readonly method: string;
  readonly pattern: RegExp;
  serve(exchange: Exchange, ...parameters: string[]): Promise<void> | void;
}

const base = '/api/v2.0/';
const routes: readonly Route[] = [
  ...systemRoutes,
  ...projectRoutes,
  ...memberRoutes,
  ...quotaRoutes,
  ...robotRoutes,
  ...artifactRoutes,
];

/** Everything below `/api/`. */
export async function serveApi(exchange: Exchange): Promise<void> {
  const { path, method, response } = exchange;
  if (path === '/api/version') {
    send(response, 200, '{"version":"v2.0"}\n', { 'Content-Type': 'text/plain; charset=utf-8' });
    return;
  }
  if (!path.startsWith(base)) {
    send(response, 404, '<!DOCTYPE HTML>\n<html><head><title>404 - Page Not Found</title></head></html>\n', {
      'Content-Type': 'text/html; charset=utf-8',
    });
    return;
  }
  const accept = exchange.request.headers.accept;
  const inner = path.slice(base.length);
  for (const route of routes) {
    const match = route.method === method ? route.pattern.exec(inner) : null;
    if (match === null) continue;
    if (accept !== undefined && inner !== 'ping' && !/\*\/\*|application\/(json|\*)/.test(accept))
      throw invalid('unsupported media type requested, only [application/json] are available');
    await route.serve(exchange, ...match.slice(1).map((parameter) => decodeURIComponent(parameter)));
    return;
  }
  throw new Refusal(404, 'NOT_FOUND', `path ${path} was not found`);
}
