import { isAdmin } from './access.ts';
import { Refusal, send, sendJson } from './answers.ts';
import { readJson, type Exchange } from './exchange.ts';
import { isLoggedIn } from './identity.ts';
import { addUser } from './world.ts';
import type { Route } from './api.ts';

/** Ping, health, system information, accounts and configuration. */
export const systemRoutes: readonly Route[] = [
  {
    method: 'GET',
    pattern: /^ping$/,
    serve: ({ response }) => {
      send(response, 200, 'Pong', { 'Content-Type': 'text/plain' });
    },
  },
  { method: 'GET', pattern: /^systeminfo$/, serve: systemInfo },
  { method: 'GET', pattern: /^system\/gc$/, serve: collections },
  { method: 'GET', pattern: /^users\/current$/, serve: currentUser },
  { method: 'POST', pattern: /^users$/, serve: createUser },
  { method: 'GET', pattern: /^configurations$/, serve: configurations },
  { method: 'PUT', pattern: /^configurations$/, serve: configure },
];

/** The API knows tokens of the registry for nothing. */
export function isApiLogin(exchange: Exchange): boolean {
  return exchange.caller.kind !== 'token' && isLoggedIn(exchange.caller);
}

/** @throws Refusal 401 or 403 unless the caller is the administrator */
export function requireAdmin(exchange: Exchange): void {
  if (!isApiLogin(exchange)) throw new Refusal(401, 'UNAUTHORIZED', 'unauthorized');
  if (!isAdmin(exchange.caller)) throw new Refusal(403, 'FORBIDDEN', 'forbidden');
}

function systemInfo(exchange: Exchange): void {
  const { world, request } = exchange;
  const short = {
    auth_mode: 'db_auth',
    banner_message: '',
    oidc_provider_name: '',
    primary_auth_mode: false,
    self_registration: false,
  };
  if (!isApiLogin(exchange)) {
    sendJson(exchange.response, 200, short);
    return;
  }
  const host = request.headers.host ?? '';
  sendJson(exchange.response, 200, {
    ...short,
    current_time: new Date().toISOString(),
    external_url: `http://${host}`,
    harbor_version: world.settings.version,
    has_ca_root: false,
    notification_enable: true,
    project_creation_restriction: world.settings.projectCreation,
    read_only: world.settings.readOnly,
    registry_storage_provider_name: 'filesystem',
    registry_url: host,
  });
}

/** The history of garbage collection, newest first; administrators alone see it. */
function collections(exchange: Exchange): void {
  requireAdmin(exchange);
  const { collecting } = exchange.world.settings;
  sendJson(exchange.response, 200, [
    ...(collecting ? [{ id: 2, job_name: 'GARBAGE_COLLECTION', job_kind: 'MANUAL', job_status: 'Running' }] : []),
    { id: 1, job_name: 'GARBAGE_COLLECTION', job_kind: 'MANUAL', job_status: 'Success' },
  ]);
}

function currentUser(exchange: Exchange): void {
  const { caller } = exchange;
  if (caller.kind === 'robot')
    throw new Refusal(412, 'PRECONDITION', 'get current user not available for security context: robot');
  if (caller.kind !== 'user') throw new Refusal(401, 'UNAUTHORIZED', 'unauthorized');
  const created = caller.user.created.toISOString();
  sendJson(exchange.response, 200, {
    admin_role_in_auth: false,
    comment: caller.user.admin ? 'admin user' : '',
    creation_time: created,
    realname: caller.user.admin ? 'system admin' : caller.user.name,
    sysadmin_flag: caller.user.admin,
    update_time: created,
    user_id: caller.user.id,
    username: caller.user.name,
  });
}

async function createUser(exchange: Exchange): Promise<void> {
  requireAdmin(exchange);
  const body = await readJson(exchange, 'userReq');
  const user = addUser(exchange.world, String(body['username']), String(body['password']));
  send(exchange.response, 201, '', { Location: `/api/v2.0/users/${String(user.id)}` });
}

function configurations(exchange: Exchange): void {
  requireAdmin(exchange);
  const { settings } = exchange.world;
  sendJson(exchange.response, 200, {
    auth_mode: { editable: false, value: 'db_auth' },
    project_creation_restriction: { editable: true, value: settings.projectCreation },
    read_only: { editable: true, value: settings.readOnly },
    storage_per_project: { editable: true, value: settings.storagePerProject },
  });
}

async function configure(exchange: Exchange): Promise<void> {
  const { caller, world } = exchange;
  if (caller.kind === 'user' && !caller.user.admin) throw new Refusal(403, 'FORBIDDEN', caller.user.name);
  requireAdmin(exchange);
  const body = await readJson(exchange, 'configurations');
  if (body['project_creation_restriction'] !== undefined)
    world.settings.projectCreation = body['project_creation_restriction'] === 'adminonly' ? 'adminonly' : 'everyone';
  if (typeof body['read_only'] === 'boolean') world.settings.readOnly = body['read_only'];
  // Minutes here, seconds in the token's answer.
  if (typeof body['token_expiration'] === 'number') world.settings.tokenLifeSeconds = body['token_expiration'] * 60;
  send(exchange.response, 200, '');
}
