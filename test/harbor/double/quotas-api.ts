import { Refusal, send, sendJson } from './answers.ts';
import { isObject, readJson, type Exchange } from './exchange.ts';
import { pageOf } from './projects-api.ts';
import { requireAdmin } from './system-api.ts';
import type { Project } from './world.ts';
import type { Route } from './api.ts';

/** Quotas, for the administrator only. */
export const quotaRoutes: readonly Route[] = [
  { method: 'GET', pattern: /^quotas$/, serve: listQuotas },
  {
    method: 'GET',
    pattern: /^quotas\/(\d+)$/,
    serve: (exchange, id) => {
      sendJson(exchange.response, 200, describe(findQuota(exchange, id)));
    },
  },
  { method: 'PUT', pattern: /^quotas\/(\d+)$/, serve: setQuota },
];

function listQuotas(exchange: Exchange): void {
  requireAdmin(exchange);
  const wanted = exchange.query.get('reference_id');
  const projects = [...exchange.world.projects.values()]
    .filter(({ id }) => wanted === null || String(id) === wanted)
    .sort((a, b) => b.serial - a.serial);
  const { page, headers } = pageOf(exchange, projects);
  sendJson(exchange.response, 200, page.map(describe), headers);
}

async function setQuota(exchange: Exchange, id: string): Promise<void> {
  const project = findQuota(exchange, id);
  const body = await readJson(exchange, 'hard');
  const storage = isObject(body['hard']) ? body['hard']['storage'] : undefined;
  if (typeof storage !== 'number') throw new Refusal(400, 'BAD_REQUEST', 'bad request: storage is required');
  project.storageLimit = storage;
  send(exchange.response, 200, '');
}

function findQuota(exchange: Exchange, id: string): Project {
  requireAdmin(exchange);
  const project = [...exchange.world.projects.values()].find(({ serial }) => String(serial) === id);
  if (project === undefined) throw new Refusal(404, 'NOT_FOUND', `quota ${id} not found`);
  return project;
}

function describe(project: Project): Record<string, unknown> {
  const created = project.created.toISOString();
  return {
    creation_time: created,
    hard: { storage: project.storageLimit },
    id: project.serial,
    ref: { id: project.id, name: project.name, owner_name: '' },
    update_time: created,
    used: { storage: project.used },
  };
}
