import { codeFacts, RegtarError } from '../errors.ts';
import { forEachParallel } from '../io/parallel.ts';
import type { Registry } from '../remote/registry.ts';
import type { ApiOptions } from './api.ts';
import {
  createProject,
  findProject,
  listProjectRepositories,
  readQuota,
  type NewProject,
  type Quota,
} from './projects.ts';
import type { Harbor } from './recognise.ts';

/** What a push will meet in one project. */
export interface ProjectFacts {
  readonly name: string;
  /** `missing` will be created; `unknown` where the account may not ask. */
  readonly state: 'exists' | 'missing' | 'unknown';
  /** Why nothing can be pushed into it. */
  readonly obstacle: RegtarError | undefined;
  /** undefined where the account may not read it. */
  readonly quota: Quota | undefined;
  /** Full names; undefined where the account may not list them. */
  readonly repositories: ReadonlySet<string> | undefined;
}

/** How projects are looked at. */
export interface ProjectsOptions extends ApiOptions {
  /** Create what is missing. */
  readonly create: boolean;
  readonly parallel: number;
}

/** Looks at every project that a push needs; changes nothing. */
export async function inspectProjects(
  registry: Registry,
  harbor: Harbor,
  names: readonly string[],
  options: ProjectsOptions,
): Promise<ReadonlyMap<string, ProjectFacts>> {
  const facts = new Map<string, ProjectFacts>();
  await forEachParallel(names, options.parallel, async (name) => {
    facts.set(name, await inspectProject(registry, harbor, name, options));
  });
  return facts;
}

/** Creates projects that are missing. @returns why not, by name, for those that could not be created */
export async function createProjects(
  registry: Registry,
  harbor: Harbor,
  names: readonly string[],
  project: NewProject,
  options: ApiOptions & { readonly parallel: number },
): Promise<ReadonlyMap<string, RegtarError>> {
  const failures = new Map<string, RegtarError>();
  await forEachParallel(names, options.parallel, async (name) => {
    try {
      await createProject(registry, name, project, harbor.creationHint, options);
    } catch (error) {
      if (!(error instanceof RegtarError) || !isRefusal(error)) throw error;
      failures.set(name, error);
    }
  });
  // Tokens name what was allowed when they were made.
  if (names.length > failures.size) registry.forgetTokens();
  return failures;
}

async function inspectProject(
  registry: Registry,
  harbor: Harbor,
  name: string,
  options: ProjectsOptions,
): Promise<ProjectFacts> {
  const nothing = { name, quota: undefined, repositories: undefined };
  const project = await findProject(registry, name, harbor.account, options);
  if (project === 'hidden') return { ...nothing, state: 'unknown', obstacle: undefined };
  if (project === undefined)
    return {
      ...nothing,
      state: 'missing',
      repositories: new Set(),
      obstacle: refuseCreation(registry, harbor, name, options.create),
    };
  const obstacle = refuseProject(registry, name, project);
  if (obstacle !== undefined) return { ...nothing, state: 'exists', obstacle };
  const [quota, repositories] = await Promise.all([
    readQuota(registry, name, options),
    listProjectRepositories(registry, name, options),
  ]);
  return { name, state: 'exists', obstacle: undefined, quota, repositories: repositories && new Set(repositories) };
}

function refuseCreation(registry: Registry, harbor: Harbor, name: string, create: boolean): RegtarError | undefined {
  if (!create)
    return new RegtarError('PROJECT_MISSING', `${registry.host} has no project ${name}`, {
      hint: 'create it, or leave --no-create-projects out',
    });
  return harbor.mayCreateProjects === 'no'
    ? new RegtarError(
        'PROJECT_FORBIDDEN',
        `${registry.host} has no project ${name}, and this account may not create it`,
        { hint: harbor.creationHint },
      )
    : undefined;
}

function refuseProject(
  registry: Registry,
  name: string,
  { isProxyCache, mayPush }: { readonly isProxyCache: boolean | undefined; readonly mayPush: boolean | undefined },
): RegtarError | undefined {
  if (isProxyCache === true)
    return new RegtarError(
      'PROJECT_PROXY',
      `project ${name} of ${registry.host} is a proxy cache, which takes no pushes`,
      { hint: 'choose another project with --project or --map' },
    );
  if (mayPush === false)
    return new RegtarError('PROJECT_FORBIDDEN', `this account may not push into project ${name} of ${registry.host}`, {
      hint: 'have it made a developer, maintainer or administrator of the project, or push as another account',
    });
  return undefined;
}

function isRefusal({ code }: RegtarError): boolean {
  return codeFacts[code].ends === 'repository' || code === 'READ_ONLY';
}
