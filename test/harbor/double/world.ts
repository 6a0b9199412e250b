/**
 * What a Harbor knows: accounts, projects, what lies in them, and its switches.
 * Plain data that the request handlers read and change; the blobs themselves lie in the registry behind.
 */

/** The roles a project member can have, by Harbor's `role_id`. */
export const roleIds = { 1: 'projectAdmin', 2: 'developer', 3: 'guest', 4: 'maintainer', 5: 'limitedGuest' } as const;
export type Role = (typeof roleIds)[keyof typeof roleIds];

export interface User {
  readonly id: number;
  readonly name: string;
  readonly password: string;
  readonly admin: boolean;
  readonly created: Date;
}

/** Who may do what: `namespace` is a project's name, `*` for all projects, `/` for the system itself. */
export interface RobotPermission {
  readonly kind: 'project' | 'system';
  readonly namespace: string;
  readonly access: readonly { readonly resource: string; readonly action: string }[];
}

export interface Robot {
  readonly id: number;
  /** The whole login name: `robot$project+name` or `robot$name`. */
  readonly name: string;
  readonly secret: string;
  readonly level: 'project' | 'system';
  permissions: readonly RobotPermission[];
  disabled: boolean;
  /** Seconds since 1970, -1 for never. */
  readonly expiresAt: number;
}

export interface ImmutableRule {
  readonly id: number;
  readonly tags: (tag: string) => boolean;
  /** Takes the repository without its project. */
  readonly repositories: (repository: string) => boolean;
}

export interface Artifact {
  readonly id: number;
  readonly digest: string;
  readonly manifestMediaType: string;
  readonly mediaType: string;
  readonly artifactType: string;
  readonly kind: string;
  /** Bytes of the manifest alone. */
  readonly manifestSize: number;
  /** Bytes of the manifest and all that it names. */
  readonly size: number;
  readonly pushed: Date;
  readonly subject: string | undefined;
  /** What a signature was tagged for; it stays its signature when the tag goes on. */
  signs: string | undefined;
  readonly children: readonly string[];
  readonly annotations: Readonly<Record<string, string>> | undefined;
  readonly extraAttributes: Readonly<Record<string, unknown>> | undefined;
}

export interface Repository {
  readonly id: number;
  /** With the project: `project/name`. */
  readonly name: string;
  readonly created: Date;
  readonly artifacts: Map<string, Artifact>;
  readonly tags: Map<string, { readonly id: number; readonly digest: string; readonly pushed: Date }>;
}

export interface Project {
  readonly id: number;
  /** Counts projects that were really created; quotas and allow lists carry this number. */
  readonly serial: number;
  readonly name: string;
  readonly owner: User;
  readonly created: Date;
  readonly public: boolean;
  /** Set on proxy-cache projects. */
  readonly registryId: number | undefined;
  readonly members: Map<string, Role>;
  /** Bytes; -1 for no limit. */
  storageLimit: number;
  /** Every blob and manifest that counts against the quota, with its bytes. */
  readonly counted: Map<string, number>;
  used: number;
  readonly rules: ImmutableRule[];
  readonly repositories: Map<string, Repository>;
}

export interface Settings {
  projectCreation: 'everyone' | 'adminonly';
  readOnly: boolean;
  /** The quota of projects that are created without one, in bytes; -1 for none. */
  storagePerProject: number;
  tokenLifeSeconds: number;
  tokenLeewaySeconds: number;
  loginLockMilliseconds: number;
  /** How long checking a user's password takes; robots' secrets are cheap. */
  passwordCheckMilliseconds: number;
  /** Largest request body that the front lets through, in bytes; undefined for no limit. */
  clientMaxBodySize: number | undefined;
  /** What the client gets when a large body is refused before it was read. */
  earlyRefusal: 'answer' | 'bad-gateway' | 'reset';
  version: string;
  /** Whether garbage collection runs, for whoever asks. */
  collecting: boolean;
}

export interface World {
  readonly users: Map<string, User>;
  readonly robots: Map<string, Robot>;
  readonly projects: Map<string, Project>;
  readonly settings: Settings;
  /** Where the registry behind keeps its files. */
  readonly registryStorage: string;
  /** Blobs and manifests that the database has a row of; what was only placed into storage has none. */
  readonly rows: Set<string>;
  /** Next numbers, by what they count. */
  readonly counters: Map<string, number>;
}

/** The next number of a sequence that starts at 1. */
export function nextId(world: World, sequence: string): number {
  const id = (world.counters.get(sequence) ?? 0) + 1;
  world.counters.set(sequence, id);
  return id;
}

/** A world with the administrator and the public project `library`, as Harbor comes. */
export function newWorld(adminPassword: string, registryStorage: string, settings: Settings): World {
  const world: World = {
    users: new Map(),
    robots: new Map(),
    projects: new Map(),
    settings,
    registryStorage,
    rows: new Set(),
    counters: new Map(),
  };
  const admin = addUser(world, 'admin', adminPassword, true);
  // Harbor's second account is the built-in anonymous one.
  nextId(world, 'user');
  addProject(world, 'library', admin, { public: true });
  return world;
}

/** Adds or replaces an account. */
export function addUser(world: World, name: string, password: string, admin = false): User {
  const user: User = { id: nextId(world, 'user'), name, password, admin, created: new Date() };
  world.users.set(name, user);
  return user;
}

/** Adds a project; the caller has made sure that the name is free and well formed. */
export function addProject(
  world: World,
  name: string,
  owner: User,
  options: { public?: boolean | undefined; storageLimit?: number | undefined; registryId?: number | undefined } = {},
): Project {
  const project: Project = {
    id: nextId(world, 'project'),
    serial: nextId(world, 'project serial'),
    name,
    owner,
    created: new Date(),
    public: options.public ?? false,
    registryId: options.registryId,
    members: new Map([[owner.name, 'projectAdmin']]),
    storageLimit: options.storageLimit ?? -1,
    counted: new Map(),
    used: 0,
    rules: [],
    repositories: new Map(),
  };
  // The owner is the project's first member.
  nextId(world, 'member');
  world.projects.set(name, project);
  return project;
}

/** The project of a repository path: its first component. */
export function projectOf(world: World, repository: string): Project | undefined {
  return world.projects.get(projectName(repository));
}

/** The first component of a repository path. */
export function projectName(repository: string): string {
  const slash = repository.indexOf('/');
  return slash < 0 ? repository : repository.slice(0, slash);
}

/** The repository, or undefined when nothing was pushed to it yet. */
export function repositoryOf(world: World, name: string): Repository | undefined {
  return projectOf(world, name)?.repositories.get(name);
}

/** Whether an existing tag may not be moved, by the project's rules. */
export function isImmutable(project: Project, repository: string, tag: string): boolean {
  const inner = repository.slice(project.name.length + 1);
  return project.rules.some((rule) => rule.tags(tag) && rule.repositories(inner));
}
