import { randomBytes } from 'node:crypto';
import { isAdmin, manages } from './access.ts';
import { Refusal, send, sendJson } from './answers.ts';
import { isObject, readJson, type Exchange } from './exchange.ts';
import { isApiLogin } from './system-api.ts';
import { nextId, type Robot, type RobotPermission, type World } from './world.ts';
import type { Route } from './api.ts';

/** Robot accounts. */
export const robotRoutes: readonly Route[] = [
  { method: 'POST', pattern: /^robots$/, serve: createRobot },
  { method: 'PUT', pattern: /^robots\/(\d+)$/, serve: updateRobot },
];

const repositoryActions = new Set(['push', 'pull', 'delete', 'list', 'read', 'update', 'create', 'stop', 'operate']);

/** What a new robot may be. */
export interface RobotRequest {
  readonly name: string;
  readonly level: 'project' | 'system';
  /** Days, or -1 for never. */
  readonly duration: number;
  readonly permissions: readonly RobotPermission[];
}

/** Makes a robot with a secret of its own, as the API would. */
export function addRobot(world: World, request: RobotRequest): Robot {
  const namespace = request.permissions.find(({ kind }) => kind === 'project')?.namespace ?? '';
  const robot: Robot = {
    id: nextId(world, 'robot'),
    name: `robot$${request.level === 'project' ? `${namespace}+` : ''}${request.name}`,
    secret: randomBytes(16).toString('base64url'),
    level: request.level,
    permissions: request.permissions,
    disabled: false,
    expiresAt: request.duration < 0 ? -1 : Math.floor(Date.now() / 1000) + request.duration * 86_400,
  };
  if (world.robots.has(robot.name)) {
    const project = world.projects.get(namespace);
    throw new Refusal(
      409,
      'CONFLICT',
      `robot account ${project === undefined ? '' : `${String(project.id)}:`}${robot.name.slice('robot$'.length)} already exists`,
    );
  }
  world.robots.set(robot.name, robot);
  return robot;
}

async function createRobot(exchange: Exchange): Promise<void> {
  const body = await readJson(exchange, 'robot');
  const duration = Number(body['duration']);
  if (duration === 0 || duration < -1)
    throw new Refusal(
      400,
      'BAD_REQUEST',
      `bad request error duration input: ${String(duration)}, duration must be either -1(Never) or a positive integer`,
    );
  const permissions = readPermissions(body['permissions']);
  requireManager(exchange, permissions);
  const robot = addRobot(exchange.world, {
    name: String(body['name']),
    level: body['level'] === 'system' ? 'system' : 'project',
    duration,
    permissions,
  });
  sendJson(
    exchange.response,
    201,
    {
      creation_time: new Date().toISOString(),
      expires_at: robot.expiresAt,
      id: robot.id,
      name: robot.name,
      secret: robot.secret,
    },
    { Location: `/api/v2.0/robots/${String(robot.id)}` },
  );
}

async function updateRobot(exchange: Exchange, id: string): Promise<void> {
  const body = await readJson(exchange, 'robot');
  const robot = [...exchange.world.robots.values()].find((candidate) => String(candidate.id) === id);
  if (robot === undefined) throw new Refusal(404, 'NOT_FOUND', `robot ${id} not found`);
  requireManager(exchange, robot.permissions);
  robot.disabled = body['disable'] === true;
  robot.permissions = readPermissions(body['permissions']);
  send(exchange.response, 200, '');
}

function requireManager(exchange: Exchange, permissions: readonly RobotPermission[]): void {
  const { caller, world } = exchange;
  if (!isApiLogin(exchange)) throw new Refusal(401, 'UNAUTHORIZED', 'unauthorized');
  const own = permissions.every(({ kind, namespace }) => {
    const project = world.projects.get(namespace);
    return kind === 'project' && project !== undefined && manages(caller, project);
  });
  if (!isAdmin(caller) && !own) throw new Refusal(403, 'FORBIDDEN', 'forbidden');
}

function readPermissions(value: unknown): RobotPermission[] {
  const permissions = Array.isArray(value) ? value.filter(isObject) : [];
  return permissions.map(({ kind, namespace, access }) => ({
    kind: kind === 'system' ? 'system' : 'project',
    namespace: String(namespace),
    access: (Array.isArray(access) ? access.filter(isObject) : []).map(({ resource, action }) => {
      if (resource === 'repository' && !repositoryActions.has(String(action)))
        throw new Refusal(400, 'BAD_REQUEST', `bad request permission: repository:${String(action)}`);
      return { resource: String(resource), action: String(action) };
    }),
  }));
}
