import { manages } from './access.ts';
import { send } from './answers.ts';
import { isObject, readJson, type Exchange } from './exchange.ts';
import { immutableRule, type Selector } from './immutable.ts';
import { requireProject } from './projects-api.ts';
import { nextId, roleIds, type Role } from './world.ts';
import type { Route } from './api.ts';

/** What a project's administrator sets up inside it: members and immutable tags. */
export const memberRoutes: readonly Route[] = [
  { method: 'POST', pattern: /^projects\/([^/]+)\/members$/, serve: addMember },
  { method: 'POST', pattern: /^projects\/([^/]+)\/immutabletagrules$/, serve: addRule },
];

async function addMember(exchange: Exchange, nameOrId: string): Promise<void> {
  const project = requireProject(exchange, nameOrId, (found) => manages(exchange.caller, found));
  const body = await readJson(exchange, 'projectMember');
  const user = isObject(body['member_user']) ? String(body['member_user']['username']) : '';
  project.members.set(user, roleIds[Number(body['role_id']) as keyof typeof roleIds] satisfies Role);
  send(exchange.response, 201, '', {
    Location: `/api/v2.0/projects/${nameOrId}/members/${String(nextId(exchange.world, 'member'))}`,
  });
}

async function addRule(exchange: Exchange, nameOrId: string): Promise<void> {
  const project = requireProject(exchange, nameOrId, (found) => manages(exchange.caller, found));
  const body = await readJson(exchange, 'immutableRule');
  const scopes = isObject(body['scope_selectors']) ? body['scope_selectors']['repository'] : [];
  const rule = immutableRule(
    nextId(exchange.world, 'immutable rule'),
    selectors(body['tag_selectors']),
    selectors(scopes),
  );
  project.rules.push(rule);
  send(exchange.response, 201, '', { Location: `/api/v2.0/projects/${nameOrId}/immutabletagrules/${String(rule.id)}` });
}

function selectors(value: unknown): Selector[] {
  return Array.isArray(value)
    ? value.filter(isObject).map(({ pattern, decoration }) => ({
        pattern: String(pattern),
        excludes: String(decoration).endsWith('xcludes'),
      }))
    : [];
}
