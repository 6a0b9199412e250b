import * as v from 'valibot';
import { RegtarError } from '../errors.ts';
import type { Credential } from '../remote/credential.ts';
import type { Registry } from '../remote/registry.ts';
import { askApi, tryParseApi, type ApiOptions } from './api.ts';

/** What an account may do to projects that do not exist yet. `unknown`: only trying tells. */
export type MayCreate = 'yes' | 'no' | 'unknown';

/** What one account may do. */
export interface HarborAccount {
  /** `none` where the API does not know this kind of credential: a bearer or identity token. */
  readonly account: 'admin' | 'user' | 'robot' | 'none';
  readonly mayCreateProjects: MayCreate;
  /** Why not, for a person. */
  readonly creationHint: string;
}

/** A Harbor, as the account that asks sees it. */
export interface Harbor extends HarborAccount {
  /** `v2.15.2`; undefined where the account is not told. */
  readonly version: string | undefined;
  readonly isReadOnly: boolean;
}

const systemSchema = v.object({
  auth_mode: v.string(),
  harbor_version: v.optional(v.string()),
  read_only: v.optional(v.nullable(v.boolean())),
  project_creation_restriction: v.optional(v.string()),
});
const userSchema = v.object({ sysadmin_flag: v.optional(v.nullable(v.boolean())) });

/**
 * Recognises Harbor by what it answers, not by its name: `systeminfo` of its API, which may be read with any account
 * and with none.
 * @returns undefined for every other registry
 */
export async function recogniseHarbor(
  registry: Registry,
  credential: Credential,
  options: ApiOptions = {},
): Promise<Harbor | undefined> {
  // No password before it is known who asks for it: every other registry would see it, too.
  const anybody = await readSystem(registry, 'none', options);
  if (anybody === undefined) return undefined;
  const system = credential.kind === 'basic' ? ((await readSystem(registry, 'password', options)) ?? anybody) : anybody;
  return {
    version: /^v?[0-9]+\.[0-9]+(?:\.[0-9]+)?/.exec(system.harbor_version ?? '')?.[0],
    isReadOnly: system.read_only === true,
    ...(await accountFrom(registry, system, credential, options)),
  };
}

/**
 * What the account of one repository may do, where paths have credentials of their own.
 * @param options repository: whose
 */
export async function recogniseAccount(
  registry: Registry,
  credential: Credential,
  options: ApiOptions,
): Promise<HarborAccount> {
  const system = await readSystem(registry, 'password', options);
  return accountFrom(registry, system ?? { auth_mode: '' }, credential, options);
}

async function accountFrom(
  registry: Registry,
  system: v.InferOutput<typeof systemSchema>,
  credential: Credential,
  options: ApiOptions,
): Promise<HarborAccount> {
  const account = system.harbor_version === undefined ? 'none' : await readAccount(registry, options);
  return { account, ...creationRight(account, system.project_creation_restriction, credential) };
}

/** Whether it is at least this version; undefined where it does not say. */
export function isAtLeast(harbor: Harbor, major: number, minor: number): boolean | undefined {
  const numbers = harbor.version?.replace(/^v/, '').split('.').map(Number);
  const [ownMajor, ownMinor] = numbers ?? [];
  if (ownMajor === undefined || ownMinor === undefined) return undefined;
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

async function readSystem(
  registry: Registry,
  shows: 'none' | 'password',
  options: ApiOptions,
): Promise<v.InferOutput<typeof systemSchema> | undefined> {
  try {
    // A registry that is none has any answer to a path that it does not know.
    const accept = Array.from({ length: 200 }, (_, index) => 300 + index);
    const answer = await askApi(registry, {
      method: 'GET',
      path: '/systeminfo',
      doing: 'ask whether it is Harbor',
      shows,
      accept,
      mayBeDenied: true,
      retryTimes: 2,
      ...options,
    });
    return answer.status === 200 ? tryParseApi(systemSchema, answer) : undefined;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof RegtarError && error.where.status !== undefined) return undefined;
    throw error;
  }
}

async function readAccount(registry: Registry, options: ApiOptions): Promise<Harbor['account']> {
  const answer = await askApi(registry, {
    method: 'GET',
    path: '/users/current',
    doing: 'ask who it is talking to',
    accept: [401, 403, 404, 412],
    mayBeDenied: true,
    ...options,
  });
  // Robots have no user behind them, and Harbor says so with this status.
  if (answer.status === 412) return 'robot';
  if (answer.status !== 200) return 'none';
  return tryParseApi(userSchema, answer)?.sysadmin_flag === true ? 'admin' : 'user';
}

function creationRight(
  account: Harbor['account'],
  restriction: string | undefined,
  credential: Credential,
): Pick<Harbor, 'mayCreateProjects' | 'creationHint'> {
  const isRestricted = restriction === 'adminonly';
  switch (account) {
    case 'admin':
      return { mayCreateProjects: 'yes', creationHint: '' };
    case 'user':
      return {
        mayCreateProjects: isRestricted ? 'no' : 'yes',
        creationHint: 'only administrators may create projects in this Harbor: have one do it, or push as one',
      };
    case 'robot':
      // Robots of a project are called robot$project+name; no other account may have a + in its name.
      if (credential.kind === 'basic' && credential.username.includes('+'))
        return {
          mayCreateProjects: 'no',
          creationHint:
            'a project robot may not create projects: have them created, or push as a user or a system robot',
        };
      return {
        mayCreateProjects: isRestricted ? 'unknown' : 'yes',
        creationHint:
          'only administrators may create projects in this Harbor: have one do it, or give the robot the ' +
          'permission to create projects',
      };
    case 'none':
      return {
        mayCreateProjects: 'unknown',
        creationHint:
          'Harbor creates projects for accounts with a password only: have them created, or pass --username and ' +
          '--password-stdin',
      };
  }
}
