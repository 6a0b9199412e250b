// @ts-check
import { createRequire } from 'node:module';

const virtual = '\0undici-parts';
const require = createRequire(import.meta.url);

/**
 * Takes of undici what regtar imports: its entry also loads fetch, WebSocket, mocks and caches, half of it. A name that is missing
 * here fails the build.
 * @returns {import('rolldown').Plugin}
 */
export function undiciParts() {
  return {
    name: 'regtar:undici-parts',
    resolveId: {
      order: 'pre',
      handler: (id, importer) => (id === 'undici' ? virtual : importer === virtual ? require.resolve(id) : undefined),
    },
    load: (id) => (id === virtual ? parts : undefined),
  };
}

// As undici/index.js does it, for these names.
const parts = `
import * as api from 'undici/lib/api/index.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import Client from 'undici/lib/dispatcher/client.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import ProxyAgent from 'undici/lib/dispatcher/proxy-agent.js';
Object.assign(Dispatcher.prototype, { request: api.request, stream: api.stream, pipeline: api.pipeline, connect: api.connect, upgrade: api.upgrade });
export { Agent, Client, Pool, ProxyAgent };
`;
