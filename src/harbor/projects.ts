import * as v from 'valibot';
import { RegtarError } from '../errors.ts';
import type { Registry } from '../remote/registry.ts';
import { askApi, parseApi, tryParseApi, type ApiOptions } from './api.ts';

/** A project that is there. */
export interface Project {
  /** Takes no pushes; undefined where the account may not see it. */
  readonly isProxyCache: boolean | undefined;
  /** False for guests and strangers; undefined where Harbor does not say, as for robots. */
  readonly mayPush: boolean | undefined;
}

/** In bytes. */
export interface Quota {
  /** -1 for none. */
  readonly limit: number;
  readonly used: number;
}

/** What a new project is created with. */
export interface NewProject {
  readonly isPublic?: boolean | undefined;
  /** Bytes, -1 for none; the server's own where absent. Harbor respects it from administrators only. */
  readonly storageLimit?: number | undefined;
}

const projectSchema = v.object({
  name: v.string(),
  registry_id: v.optional(v.nullable(v.number())),
  current_user_role_ids: v.optional(v.nullable(v.array(v.number()))),
});
const summarySchema = v.object({
  quota: v.optional(v.object({ hard: v.object({ storage: v.number() }), used: v.object({ storage: v.number() }) })),
});
const repositoriesSchema = v.array(v.object({ name: v.string() }));
const artifactSchema = v.object({
  tags: v.optional(v.nullable(v.array(v.object({ name: v.string(), immutable: v.optional(v.nullable(v.boolean())) })))),
});

/**
 * projectAdmin, developer, maintainer; guests and limited guests only pull.
 * @see goharbor/harbor, src/common/const.go
 */
const pushingRoles: ReadonlySet<number> = new Set([1, 2, 4]);
/** Digits alone would be taken for an ID. */
const byName = { 'x-is-resource-name': 'true' };
const pageSize = 100;

/**
 * @param account who asks: robots have no roles
 * @returns undefined when there is no such project; 'hidden' when the account may not ask
 */
export async function findProject(
  registry: Registry,
  name: string,
  account: 'admin' | 'user' | 'robot' | 'none',
  options: ApiOptions = {},
): Promise<Project | 'hidden' | undefined> {
  const answer = await askApi(registry, {
    method: 'GET',
    path: `/projects/${name}`,
    doing: `look for project ${name}`,
    headers: byName,
    accept: [401, 403, 404],
    mayBeDenied: true,
    ...options,
  });
  if (answer.status === 200) return projectFrom(parseApi(projectSchema, answer, registry), account);
  if (answer.status === 404) return undefined;
  // Accounts without access get 403 whether or not the project is there; HEAD answers every account.
  const head = await askApi(registry, {
    method: 'HEAD',
    path: `/projects?project_name=${encodeURIComponent(name)}`,
    doing: `look for project ${name}`,
    accept: [401, 403, 404],
    mayBeDenied: true,
    ...options,
  });
  if (head.status === 404) return undefined;
  if (head.status !== 200) return 'hidden';
  if (account !== 'robot') return { isProxyCache: undefined, mayPush: account === 'user' ? false : undefined };
  const list = await askApi(registry, {
    method: 'GET',
    path: `/projects?q=${encodeURIComponent(`name=${name}`)}&page_size=${pageSize}`,
    doing: `look for project ${name}`,
    accept: [401, 403],
    mayBeDenied: true,
    ...options,
  });
  const listed = tryParseApi(v.array(projectSchema), list)?.find((project) => project.name === name);
  // A robot is shown its own projects and public ones.
  return listed === undefined ? { isProxyCache: undefined, mayPush: false } : projectFrom(listed, account);
}

/**
 * Creates a project; one that another client has just created is as good.
 * @throws RegtarError PROJECT_FORBIDDEN, PROJECT_INVALID, READ_ONLY
 */
export async function createProject(
  registry: Registry,
  name: string,
  project: NewProject,
  hint: string,
  options: ApiOptions = {},
): Promise<void> {
  const body = {
    project_name: name,
    metadata: { public: String(project.isPublic === true) },
    ...(project.storageLimit !== undefined && { storage_limit: project.storageLimit }),
  };
  try {
    await askApi(registry, {
      method: 'POST',
      path: '/projects',
      doing: `create project ${name}`,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(body)),
      accept: [409],
      ...options,
    });
  } catch (error) {
    if (!(error instanceof RegtarError)) throw error;
    if (error.code === 'AUTH_DENIED' || error.code === 'AUTH_FAILED')
      throw new RegtarError('PROJECT_FORBIDDEN', error.message, {
        where: error.where,
        hint,
        cause: error,
      });
    if (error.where.status === 400 || error.where.status === 422)
      throw new RegtarError('PROJECT_INVALID', error.message, {
        where: error.where,
        hint: 'rename it with --map or --project',
        cause: error,
      });
    throw error;
  }
}

/** @returns undefined where the account may not read it */
export async function readQuota(
  registry: Registry,
  name: string,
  options: ApiOptions = {},
): Promise<Quota | undefined> {
  const answer = await askApi(registry, {
    method: 'GET',
    path: `/projects/${name}/summary`,
    doing: `read the quota of project ${name}`,
    headers: byName,
    accept: [401, 403, 404],
    mayBeDenied: true,
    ...options,
  });
  const quota = answer.status === 200 ? tryParseApi(summarySchema, answer)?.quota : undefined;
  return quota === undefined ? undefined : { limit: quota.hard.storage, used: quota.used.storage };
}

const configurationsSchema = v.object({ storage_per_project: v.object({ value: v.number() }) });

/**
 * The quota that new projects get, in bytes, -1 for none.
 * @returns undefined for everybody but administrators, who alone may read it
 */
export async function readDefaultQuota(registry: Registry, options: ApiOptions = {}): Promise<number | undefined> {
  const answer = await askApi(registry, {
    method: 'GET',
    path: '/configurations',
    doing: 'read the quota of new projects',
    accept: [401, 403, 404],
    mayBeDenied: true,
    ...options,
  });
  return answer.status === 200 ? tryParseApi(configurationsSchema, answer)?.storage_per_project.value : undefined;
}

/**
 * Full names of a project's repositories.
 * @returns undefined where the account may not list them, or there are more than are worth listing
 */
export async function listProjectRepositories(
  registry: Registry,
  name: string,
  options: ApiOptions = {},
): Promise<readonly string[] | undefined> {
  const names: string[] = [];
  for (let page = 1; page <= pagesAtMost; page++) {
    const answer = await askApi(registry, {
      method: 'GET',
      path: `/projects/${name}/repositories?page=${page}&page_size=${pageSize}`,
      doing: `list the repositories of project ${name}`,
      headers: byName,
      accept: [401, 403, 404],
      mayBeDenied: true,
      ...options,
    });
    const repositories = answer.status === 200 ? tryParseApi(repositoriesSchema, answer) : undefined;
    if (repositories === undefined) return undefined;
    names.push(...repositories.map((repository) => repository.name));
    if (repositories.length < pageSize) return names;
  }
  return undefined;
}

const pagesAtMost = 100;

/** Whether a rule makes this tag immutable. @returns undefined where the account may not see it */
export async function isTagImmutable(
  registry: Registry,
  repository: string,
  tag: string,
  options: ApiOptions = {},
): Promise<boolean | undefined> {
  const slash = repository.indexOf('/');
  // Harbor decodes slashes inside repositories twice.
  const inProject = encodeURIComponent(encodeURIComponent(repository.slice(slash + 1)));
  const answer = await askApi(registry, {
    method: 'GET',
    path:
      `/projects/${repository.slice(0, slash)}/repositories/${inProject}/artifacts/` +
      `${tag}?with_tag=true&with_immutable_status=true`,
    doing: `ask whether ${repository}:${tag} is immutable`,
    headers: byName,
    accept: [400, 401, 403, 404],
    mayBeDenied: true,
    ...options,
  });
  return answer.status === 200
    ? (tryParseApi(artifactSchema, answer)?.tags?.find(({ name }) => name === tag)?.immutable ?? undefined)
    : undefined;
}

function projectFrom(
  project: v.InferOutput<typeof projectSchema>,
  account: 'admin' | 'user' | 'robot' | 'none',
): Project {
  const roles = project.current_user_role_ids ?? [];
  return {
    isProxyCache: typeof project.registry_id === 'number' && project.registry_id > 0,
    mayPush: account === 'admin' ? true : account === 'user' ? roles.some((role) => pushingRoles.has(role)) : undefined,
  };
}
