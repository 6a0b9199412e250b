import { codeFacts, RegtarError } from '../errors.ts';
import { forEachParallel } from '../io/parallel.ts';
import { createOncePerKey } from '../io/per-key.ts';
import type { Credential } from '../remote/credential.ts';
import type { Registry } from '../remote/registry.ts';
import type { ApiOptions } from './api.ts';
import {
  createProject,
  findProject,
  listProjectRepositories,
  readDefaultQuota,
  readQuota,
  type NewProject,
  type Quota,
} from './projects.ts';
import { recogniseAccount, type Harbor, type HarborAccount } from './recognise-harbor.ts';

/** What a push will meet in one project. */
export interface ProjectFacts {
  readonly name: string;
  /** `missing` will be created; `unknown` where the account may not ask. */
  readonly state: 'exists' | 'missing' | 'unknown';
  /** Why nothing can be pushed into it. */
  readonly obstacle: RegtarError | undefined;
  /** Who asked. */
  readonly account: HarborAccount;
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

/**
 * Looks at every project that a push needs, each with its own account; changes nothing.
 * @param repositories one repository of each project, by the project's name: its credential is the project's
 */
export async function inspectProjects(
  registry: Registry,
  harbor: Harbor,
  repositories: ReadonlyMap<string, string>,
  options: ProjectsOptions,
): Promise<ReadonlyMap<string, ProjectFacts>> {
  const facts = new Map<string, ProjectFacts>();
  const accounts = createAccounts(registry, harbor, options);
  let defaultQuota: Promise<number | undefined> | undefined;
  const readDefault = (): Promise<number | undefined> => (defaultQuota ??= readDefaultQuota(registry, options));
  await forEachParallel([...repositories], options.parallel, async ([name, repository]) => {
    const account = await accounts(repository);
    facts.set(
      name,
      account instanceof RegtarError
        ? { name, state: 'unknown', obstacle: account, account: harbor, quota: undefined, repositories: undefined }
        : await inspectProject(registry, account, { name, repository }, { ...options, repository }, readDefault),
    );
  });
  return facts;
}

/** @returns what is known of a repository's account, asked once for each credential; or why it is none */
function createAccounts(
  registry: Registry,
  harbor: Harbor,
  { signal }: ApiOptions,
): (repository: string) => Promise<HarborAccount | RegtarError> {
  const known = createOncePerKey<Credential, HarborAccount | RegtarError>();
  return async (repository) => {
    const credential = await registry.credentialFor(repository);
    if (credential === (await registry.credentialFor()) && credential.kind !== 'anonymous') return harbor;
    return known.get(credential, async () => {
      if (credential.kind === 'anonymous')
        return new RegtarError('AUTH_FAILED', `there is no credential for ${repository} of ${registry.host}`, {
          where: { repository },
          hint:
            `give ${registry.host} or its project a key in the file of --authfile, or pass --username and ` +
            '--password-stdin',
        });
      try {
        await registry.login(signal, repository);
        return await recogniseAccount(registry, credential, { repository, signal });
      } catch (error) {
        if (error instanceof RegtarError && error.code === 'AUTH_FAILED') return error;
        throw error;
      }
    });
  };
}

/** A project to be created, by the account of one of its repositories. */
export interface NewProjectPlace {
  readonly name: string;
  readonly repository: string;
  /** What helps where the account may not. */
  readonly hint: string;
}

/** Creates projects that are missing. @returns why not, by name, for those that could not be created */
export async function createProjects(
  registry: Registry,
  projects: readonly NewProjectPlace[],
  project: NewProject,
  options: ApiOptions & { readonly parallel: number },
): Promise<ReadonlyMap<string, RegtarError>> {
  const failures = new Map<string, RegtarError>();
  await forEachParallel(projects, options.parallel, async ({ name, repository, hint }) => {
    try {
      await createProject(registry, name, project, hint, { ...options, repository });
    } catch (error) {
      if (!(error instanceof RegtarError) || !isRefusal(error)) throw error;
      failures.set(name, error);
    }
  });
  // Tokens name what was allowed when they were made.
  if (projects.length > failures.size) registry.forgetTokens();
  return failures;
}

async function inspectProject(
  registry: Registry,
  account: HarborAccount,
  { name, repository }: { readonly name: string; readonly repository: string },
  options: ProjectsOptions,
  readDefault: () => Promise<number | undefined>,
): Promise<ProjectFacts> {
  const nothing = { name, account, quota: undefined, repositories: undefined };
  const project = await findProject(registry, name, account.account, options);
  if (project === undefined) {
    const obstacle = refuseCreation(registry, account, name, options.create);
    const limit = obstacle === undefined && account.account === 'admin' ? await readDefault() : undefined;
    return {
      ...nothing,
      state: 'missing',
      repositories: new Set(),
      obstacle,
      quota: limit === undefined ? undefined : { limit, used: 0 },
    };
  }
  const obstacle =
    (project === 'hidden' ? undefined : await refuseProject(registry, { name, repository }, project, account)) ??
    (await refuseRights(registry, name, repository));
  if (project === 'hidden') return { ...nothing, state: 'unknown', obstacle };
  if (obstacle !== undefined) return { ...nothing, state: 'exists', obstacle };
  const [quota, repositories] = await Promise.all([
    readQuota(registry, name, options),
    listProjectRepositories(registry, name, options),
  ]);
  return { ...nothing, state: 'exists', obstacle, quota, repositories: repositories && new Set(repositories) };
}

/**
 * A token says what it allows before anything is tried; everything but the first write works without the right to push.
 */
async function refuseRights(registry: Registry, name: string, repository: string): Promise<RegtarError | undefined> {
  const granted = await registry.granted(repository);
  const missing = ['pull', 'push'].filter((action) => granted?.has(action) === false);
  if (missing.length === 0) return undefined;
  const who = await describeAccount(registry, repository);
  const has = missing.length === 2 ? 'has no rights' : `may not ${missing.join('')}`;
  return new RegtarError('PROJECT_FORBIDDEN', `${who} ${has} in project ${name} of ${registry.host}`, {
    hint:
      `a push needs pull and push in every project: give the account ${missing.join(' and ')}, or push ` +
      'as another one',
  });
}

function refuseCreation(
  registry: Registry,
  account: HarborAccount,
  name: string,
  create: boolean,
): RegtarError | undefined {
  if (!create)
    return new RegtarError('PROJECT_MISSING', `${registry.host} has no project ${name}`, {
      hint: 'create it, or leave --no-create-projects out',
    });
  return account.mayCreateProjects === 'no'
    ? new RegtarError(
        'PROJECT_FORBIDDEN',
        `${registry.host} has no project ${name}, and this account may not create it`,
        { hint: account.creationHint },
      )
    : undefined;
}

async function refuseProject(
  registry: Registry,
  { name, repository }: { readonly name: string; readonly repository: string },
  { isProxyCache, mayPush }: { readonly isProxyCache: boolean | undefined; readonly mayPush: boolean | undefined },
  { account }: HarborAccount,
): Promise<RegtarError | undefined> {
  if (isProxyCache === true)
    return new RegtarError(
      'PROJECT_PROXY',
      `project ${name} of ${registry.host} is a proxy cache, which takes no pushes`,
      { hint: 'choose another project with --project or --map' },
    );
  if (mayPush !== false) return undefined;
  const who = await describeAccount(registry, repository);
  return new RegtarError('PROJECT_FORBIDDEN', `${who} may not push into project ${name} of ${registry.host}`, {
    hint:
      account === 'robot'
        ? 'push as a robot that has pull and push in this project, or as another account'
        : 'have it made a developer, maintainer or administrator of the project, or push as another account',
  });
}

async function describeAccount(registry: Registry, repository: string): Promise<string> {
  const credential = await registry.credentialFor(repository);
  return credential.kind === 'basic' ? `user "${credential.username}"` : 'this account';
}

function isRefusal({ code }: RegtarError): boolean {
  return codeFacts[code].ends === 'repository' || code === 'READ_ONLY';
}
