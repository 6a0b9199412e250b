import { actionsOn, isAdmin, manages, sees } from './access.ts';
import { Refusal, send, sendJson, type Headers } from './answers.ts';
import { invalid, isObject, readJson, type Exchange } from './exchange.ts';
import { isApiLogin } from './system-api.ts';
import { addProject, nextId, roleIds, type Project, type User } from './world.ts';
import type { Route } from './api.ts';

/** Projects: do they exist, which are there, make one, remove one. */
export const projectRoutes: readonly Route[] = [
  { method: 'HEAD', pattern: /^projects$/, serve: headProject },
  { method: 'GET', pattern: /^projects$/, serve: listProjects },
  { method: 'POST', pattern: /^projects$/, serve: createProject },
  { method: 'GET', pattern: /^projects\/([^/]+)$/, serve: getProject },
  { method: 'DELETE', pattern: /^projects\/([^/]+)$/, serve: deleteProject },
  { method: 'GET', pattern: /^projects\/([^/]+)\/summary$/, serve: summarize },
];

const projectNamePattern = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/;

/**
 * The project that a path names, by name or number, if the caller may see it.
 * @param allowed who besides the administrator
 * @throws Refusal 401, 403 or 404
 */
export function requireProject(exchange: Exchange, nameOrId: string, allowed: (project: Project) => boolean): Project {
  const header = exchange.request.headers['x-is-resource-name'];
  const byId = header !== 'true' && /^\d+$/.test(nameOrId);
  const project = byId
    ? [...exchange.world.projects.values()].find(({ id }) => id === Number(nameOrId))
    : exchange.world.projects.get(nameOrId);
  if (project !== undefined && (isAdmin(exchange.caller) || allowed(project))) return project;
  if (!isApiLogin(exchange)) throw new Refusal(401, 'UNAUTHORIZED', 'unauthorized');
  if (project !== undefined || !isAdmin(exchange.caller)) throw new Refusal(403, 'FORBIDDEN', 'forbidden');
  throw new Refusal(404, 'NOT_FOUND', `project ${nameOrId} not found`);
}

/** One page of a list, with the headers that say how to go on. */
export function pageOf<T>(exchange: Exchange, items: readonly T[]): { page: readonly T[]; headers: Headers } {
  const size = Number(exchange.query.get('page_size') ?? 10);
  const number = Number(exchange.query.get('page') ?? 1);
  if (size > 100) throw invalid('page_size in query should be less than or equal to 100');
  const page = size < 0 ? items : items.slice((number - 1) * size, number * size);
  const link = (target: number, relation: string): string => {
    const query = new URLSearchParams(exchange.query);
    query.set('page', String(target));
    query.set('page_size', String(size));
    query.sort();
    return `<${exchange.path}?${query.toString()}>; rel="${relation}"`;
  };
  const links = [
    ...(number > 1 && size > 0 ? [link(number - 1, 'prev')] : []),
    ...(size < 0 || number * size < items.length ? [link(number + 1, 'next')] : []),
  ];
  return {
    page,
    headers: { 'X-Total-Count': String(items.length), ...(links.length > 0 ? { Link: links.join(' , ') } : {}) },
  };
}

function headProject(exchange: Exchange): void {
  const name = exchange.query.get('project_name');
  if (name === null) throw invalid('project_name in query is required');
  if (!isApiLogin(exchange)) throw new Refusal(401, 'UNAUTHORIZED', 'unauthorized');
  if (!projectNamePattern.test(name)) throw new Refusal(400, 'BAD_REQUEST', `invalid project name: ${name}`);
  if (!exchange.world.projects.has(name)) throw new Refusal(404, 'NOT_FOUND', `project ${name} not found`);
  send(exchange.response, 200, '');
}

function listProjects(exchange: Exchange): void {
  const exact = /(?:^|,)name=([^~,][^,]*)/.exec(exchange.query.get('q') ?? '')?.[1];
  const fuzzy = exchange.query.get('name') ?? '';
  const visible = [...exchange.world.projects.values()].filter(
    (project) =>
      sees(exchange.caller, project) && project.name.includes(fuzzy) && (exact === undefined || project.name === exact),
  );
  const sorted = visible.sort((a, b) => (a.name < b.name ? -1 : 1));
  const { page, headers } = pageOf(exchange, sorted);
  sendJson(
    exchange.response,
    200,
    page.map((project) => describe(exchange, project)),
    headers,
  );
}

function getProject(exchange: Exchange, nameOrId: string): void {
  const project = requireProject(
    exchange,
    nameOrId,
    (found) => exchange.caller.kind !== 'robot' && sees(exchange.caller, found),
  );
  sendJson(exchange.response, 200, describe(exchange, project));
}

async function createProject(exchange: Exchange): Promise<void> {
  const { world } = exchange;
  const body = await readJson(exchange, 'project');
  const name = typeof body['project_name'] === 'string' ? body['project_name'] : '';
  const metadata = isObject(body['metadata']) ? body['metadata'] : {};
  if (name.length > 255)
    throw invalid('validation failure list:\nproject_name in body should be at most 255 chars long');
  if (typeof metadata['public'] === 'boolean')
    throw invalid(
      'parsing project body from "" failed, because json: cannot unmarshal bool into Go struct field ProjectMetadata.metadata.public of type string',
    );
  const owner = requireCreator(exchange);
  if (name === '')
    throw new Refusal(400, 'BAD_REQUEST', 'Project name  is illegal in length. (greater than 255 or less than 1)');
  if (!projectNamePattern.test(name))
    throw new Refusal(400, 'BAD_REQUEST', 'project name is not in lower case or contains illegal characters');
  const limit = isAdmin(exchange.caller) && typeof body['storage_limit'] === 'number' ? body['storage_limit'] : 0;
  if (limit < -1)
    throw new Refusal(
      400,
      'BAD_REQUEST',
      `bad request: invalid non-positive value for quota limit, value=${String(limit)}`,
    );
  if (world.projects.has(name)) {
    // The database hands out a number before it finds the name taken.
    nextId(world, 'project');
    throw new Refusal(409, 'CONFLICT', `The project named ${name} already exists`);
  }
  const registryId = typeof body['registry_id'] === 'number' ? body['registry_id'] : undefined;
  const project = addProject(world, name, owner, {
    public: metadata['public'] === 'true' || body['public'] === true,
    storageLimit: limit === 0 ? world.settings.storagePerProject : limit,
    registryId,
  });
  const byName = exchange.request.headers['x-resource-name-in-location'] === 'true';
  send(exchange.response, 201, '', { Location: `/api/v2.0/projects/${byName ? name : String(project.id)}` });
}

/** Who will own a new project. */
function requireCreator(exchange: Exchange): User {
  const { caller, world } = exchange;
  const admin = world.users.get('admin');
  if (caller.kind === 'robot') {
    if (caller.robot.level !== 'system')
      throw new Refusal(403, 'FORBIDDEN', 'Only system level robot can create project');
    const mayCreate = caller.robot.permissions.some(
      ({ kind, access }) =>
        kind === 'system' && access.some(({ resource, action }) => resource === 'project' && action === 'create'),
    );
    if (world.settings.projectCreation === 'adminonly' && !mayCreate)
      throw new Refusal(403, 'FORBIDDEN', 'Only system admin can create project');
    if (admin !== undefined) return admin;
  }
  if (caller.kind !== 'user') throw new Refusal(401, 'UNAUTHORIZED', 'unauthorized');
  if (world.settings.projectCreation === 'adminonly' && !caller.user.admin)
    throw new Refusal(403, 'FORBIDDEN', 'Only system admin can create project');
  return caller.user;
}

function deleteProject(exchange: Exchange, nameOrId: string): void {
  const project = requireProject(exchange, nameOrId, (found) => manages(exchange.caller, found));
  if (project.repositories.size > 0)
    throw new Refusal(
      412,
      'PRECONDITION',
      'precondition failed: the project contains repositories, can not be deleted',
    );
  exchange.world.projects.delete(project.name);
  send(exchange.response, 200, '');
}

function summarize(exchange: Exchange, nameOrId: string): void {
  const project = requireProject(
    exchange,
    nameOrId,
    (found) => exchange.caller.kind === 'user' && actionsOn(exchange.caller, found).has('pull'),
  );
  sendJson(exchange.response, 200, {
    project_admin_count: [...project.members.values()].filter((role) => role === 'projectAdmin').length,
    quota: { hard: { storage: project.storageLimit }, used: { storage: project.used } },
    repo_count: project.repositories.size,
  });
}

function describe(exchange: Exchange, project: Project): Record<string, unknown> {
  const created = project.created.toISOString();
  const never = '0001-01-01T00:00:00.000Z';
  const role = roleNumber(exchange, project);
  return {
    creation_time: created,
    ...(role === undefined
      ? { current_user_role_ids: null }
      : { current_user_role_id: role, current_user_role_ids: [role] }),
    cve_allowlist: { creation_time: never, id: project.serial, items: [], project_id: project.id, update_time: never },
    metadata: { public: String(project.public), ...(project.registryId === undefined ? {} : { retention_id: '1' }) },
    name: project.name,
    owner_id: project.owner.id,
    owner_name: project.owner.name,
    project_id: project.id,
    ...(project.registryId === undefined ? {} : { registry_id: project.registryId }),
    repo_count: project.repositories.size,
    update_time: created,
  };
}

function roleNumber(exchange: Exchange, project: Project): number | undefined {
  const { caller } = exchange;
  if (caller.kind !== 'user') return undefined;
  const role = caller.user.admin ? 'projectAdmin' : project.members.get(caller.user.name);
  const found = Object.entries(roleIds).find(([, named]) => named === role);
  return found === undefined ? undefined : Number(found[0]);
}
