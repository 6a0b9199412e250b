import type { Caller } from './identity.ts';
import { projectName, type Project, type Role } from './world.ts';

/** What may be done in a project's repositories. */
export type Action = 'pull' | 'push' | 'delete';

/** A project younger than a token by more than this does not honour it, in seconds. */
const tokenBeforeProjectSeconds = 60;

const roleActions: Readonly<Record<Role, readonly Action[]>> = {
  projectAdmin: ['push', 'pull', 'delete'],
  maintainer: ['push', 'pull', 'delete'],
  developer: ['push', 'pull'],
  guest: ['pull'],
  limitedGuest: ['pull'],
};

/** What the caller may do in a project. */
export function actionsOn(caller: Caller, project: Project): ReadonlySet<Action> {
  const actions = new Set<Action>(project.public ? ['pull'] : []);
  switch (caller.kind) {
    case 'anonymous':
      return actions;
    case 'user': {
      const role = caller.user.admin ? 'projectAdmin' : project.members.get(caller.user.name);
      return new Set([...actions, ...(role === undefined ? [] : roleActions[role])]);
    }
    case 'robot': {
      for (const permission of caller.robot.permissions) {
        if (permission.kind !== 'project' || (permission.namespace !== '*' && permission.namespace !== project.name))
          continue;
        for (const { resource, action } of permission.access)
          if (resource === 'repository' && isAction(action)) actions.add(action);
      }
      return actions;
    }
    case 'token': {
      if (caller.issuedAt + tokenBeforeProjectSeconds < project.created.getTime() / 1000) return new Set();
      // Harbor checks a token by project, so one for a/b is good for a/c.
      const granted = caller.access.filter(
        (access) => access.type === 'repository' && projectName(access.name) === project.name,
      );
      return new Set(granted.flatMap((access) => access.actions.filter(isAction)));
    }
  }
}

/** Whether the caller is the system's administrator. Tokens never are. */
export function isAdmin(caller: Caller): boolean {
  return caller.kind === 'user' && caller.user.admin;
}

/** Whether the caller sees a project in lists. */
export function sees(caller: Caller, project: Project): boolean {
  if (project.public || isAdmin(caller)) return true;
  if (caller.kind === 'user') return project.members.has(caller.user.name);
  return (
    caller.kind === 'robot' &&
    caller.robot.permissions.some(
      ({ kind, namespace }) => kind === 'project' && (namespace === '*' || namespace === project.name),
    )
  );
}

/** Whether the caller may look at or change the project itself through the API. */
export function manages(caller: Caller, project: Project): boolean {
  return isAdmin(caller) || (caller.kind === 'user' && project.members.get(caller.user.name) === 'projectAdmin');
}

function isAction(action: string): action is Action {
  return action === 'pull' || action === 'push' || action === 'delete';
}
