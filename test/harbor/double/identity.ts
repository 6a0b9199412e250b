import { verifyToken, type TokenAccess } from './token.ts';
import type { Robot, User, World } from './world.ts';

/** Who sends a request. A login that fails is anonymous; whether that is an error depends on the request. */
export type Caller =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'user'; readonly user: User }
  | { readonly kind: 'robot'; readonly robot: Robot }
  | {
      readonly kind: 'token';
      readonly subject: string;
      readonly access: readonly TokenAccess[];
      readonly issuedAt: number;
    };

const anonymous: Caller = { kind: 'anonymous' };
const locks = new WeakMap<World, Map<string, number>>();

/** Finds out who sends a request, taking as long over a wrong password as Harbor does. */
export async function identify(world: World, authorization: string | undefined): Promise<Caller> {
  if (authorization === undefined) return anonymous;
  if (authorization.startsWith('Bearer ')) {
    const claims = verifyToken(world, authorization.slice(7));
    return claims === undefined
      ? anonymous
      : { kind: 'token', subject: claims.sub, access: claims.access, issuedAt: claims.iat };
  }
  if (!/^basic /i.test(authorization)) return anonymous;
  const [name, password] = splitCredentials(Buffer.from(authorization.slice(6), 'base64').toString());
  return name.startsWith('robot$') ? loginRobot(world, name, password) : loginUser(world, name, password);
}

/** Whether the caller proved an account, or holds a token of one. */
export function isLoggedIn(caller: Caller): boolean {
  return caller.kind === 'user' || caller.kind === 'robot' || (caller.kind === 'token' && caller.subject !== '');
}

/** The name for tokens and logs; empty for anonymous. */
export function callerName(caller: Caller): string {
  switch (caller.kind) {
    case 'user':
      return caller.user.name;
    case 'robot':
      return caller.robot.name;
    case 'token':
      return caller.subject;
    case 'anonymous':
      return '';
  }
}

async function loginUser(world: World, name: string, password: string): Promise<Caller> {
  const locked = locks.get(world) ?? new Map<string, number>();
  locks.set(world, locked);
  // A locked name is refused at once, even with the right password.
  if ((locked.get(name) ?? 0) > performance.now()) return anonymous;
  const user = world.users.get(name);
  if (user?.password === password) {
    if (world.settings.passwordCheckMilliseconds > 0) await pause(world.settings.passwordCheckMilliseconds);
    return { kind: 'user', user };
  }
  locked.set(name, performance.now() + world.settings.loginLockMilliseconds);
  await pause(world.settings.loginLockMilliseconds);
  locked.delete(name);
  return anonymous;
}

async function loginRobot(world: World, name: string, secret: string): Promise<Caller> {
  const robot = world.robots.get(name);
  const expired = robot !== undefined && robot.expiresAt >= 0 && robot.expiresAt * 1000 < Date.now();
  if (robot?.secret === secret && !robot.disabled && !expired) return { kind: 'robot', robot };
  await pause(world.settings.loginLockMilliseconds);
  return anonymous;
}

function splitCredentials(credentials: string): [string, string] {
  const colon = credentials.indexOf(':');
  return colon < 0 ? [credentials, ''] : [credentials.slice(0, colon), credentials.slice(colon + 1)];
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
