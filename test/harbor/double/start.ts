import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bodyBytes } from './exchange.ts';
import { serve } from './front.ts';
import { newUpstream, type Upstream } from './forward.ts';
import { immutableRule } from './immutable.ts';
import { startRegistryProcess } from './registry-process.ts';
import { addRobot, type RobotRequest } from './robots-api.ts';
import { addProject, addUser, newWorld, nextId, type Project, type Role, type Settings, type World } from './world.ts';

/** How the double behaves; every default is what the measured Harbor does. */
export interface HarborDoubleOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Default `Harbor12345`. */
  readonly adminPassword?: string;
  /** Root directory of the registry behind. Default: a temporary one, removed by `stop`. */
  readonly registryStorage?: string;
  /** Default `everyone`. */
  readonly projectCreation?: Settings['projectCreation'];
  /** Life of tokens. Default 1800. */
  readonly tokenLifeSeconds?: number;
  /** How long after its end a token still counts. Default 60. */
  readonly tokenLeewaySeconds?: number;
  /** How long a wrong password takes, and locks the name. Default 1500. */
  readonly loginLockMilliseconds?: number;
  /** How long a user's right password takes on each request; Harbor's hash costs 100 to 150. Default 0, so that it does not hide what else costs time. */
  readonly passwordCheckMilliseconds?: number;
  /** nginx's `client_max_body_size`, in bytes. Default: no limit. */
  readonly clientMaxBodySize?: number;
  /** What happens when a body of 4 MiB or more is refused for the quota; Harbor does all three. Default `answer`: a 403 before the body was read. */
  readonly earlyRefusal?: Settings['earlyRefusal'];
  /** Default `v2.15.2-080b022057`. Below 2.15 a push by tag reaches the registry by tag, so that signed schema 1 passes. */
  readonly version?: string;
  /** Keep no list of requests: for pushes of hundreds of thousands. Default false. */
  readonly withoutLog?: boolean;
}

/** One request that arrived, in the order of its end. */
export interface LoggedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** 0 when the connection ended without an answer. */
  readonly status: number;
  readonly auth: 'none' | 'basic' | 'bearer';
  /** Body bytes that really arrived; what was refused unread is not counted. */
  readonly requestBytes: number;
  readonly milliseconds: number;
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** A running Harbor double. */
export interface HarborDouble {
  /** `127.0.0.1:port`, as image references name it. */
  readonly host: string;
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  readonly admin: Credentials;
  /** What arrived so far; `length = 0` empties it. */
  readonly requests: LoggedRequest[];
  /** Root directory of the registry behind: `docker/registry/v2` lies below it. */
  readonly registryStorage: string;
  /** The registry behind, to compare what arrived: `http://127.0.0.1:port`. It knows digests only, the double keeps the tags. */
  readonly registryUrl: string;
  /** Its switches, to be changed at any time. */
  readonly settings: Settings;
  /** Which tags of a repository point where, now. */
  tags(repository: string): ReadonlyMap<string, string>;
  /** Every repository that holds something, sorted. */
  repositories(): string[];
  createProject(name: string, options?: { public?: boolean; storageLimit?: number }): void;
  /** A proxy-cache project: it refuses pushes. */
  addProxyProject(name: string): void;
  /** @param bytes the limit, -1 for none */
  setQuota(project: string, bytes: number): void;
  /** Bytes that count against the project's quota. */
  quotaUsed(project: string): number;
  setReadOnly(readOnly: boolean): void;
  /** @param tags a glob such as `v*` @param repositories a glob, without the project */
  addImmutableRule(project: string, tags: string, repositories?: string): void;
  addUser(name: string, password: string, roles?: Readonly<Record<string, Role>>): Credentials;
  /** Gives a user a role in a project. */
  setRole(project: string, user: string, role: Role): void;
  addRobot(request: RobotRequest): Credentials;
  /** A robot that may pull and push in one project, or in all with `*`. */
  addPusher(name: string, project: string): Credentials;
  /** @param username as its credentials have it: tokens that it has still count */
  disableRobot(username: string): void;
  /** The registry behind goes down: 502 without a body. */
  stopRegistry(): Promise<void>;
  startRegistry(): Promise<void>;
  /** The core goes down: the front answers 502 with its HTML page. */
  setCoreDown(down: boolean): void;
  /** The database goes down: logins and tokens are refused as if they were wrong. */
  setDatabaseDown(down: boolean): void;
  /** Closes every open connection, as a restart of the front does. */
  dropConnections(): void;
  stop(): Promise<void>;
}

/** Starts a Harbor double in front of a real docker-registry of its own. */
export async function startHarborDouble(options: HarborDoubleOptions = {}): Promise<HarborDouble> {
  const folder = await mkdtemp(path.join(tmpdir(), 'harbor-double-'));
  const registryStorage = options.registryStorage ?? path.join(folder, 'registry');
  const registry = await startRegistryProcess(registryStorage);
  const settings = settingsFrom(options);
  const admin: Credentials = { username: 'admin', password: options.adminPassword ?? 'Harbor12345' };
  const world = newWorld(admin.password, registryStorage, settings);
  const upstream = newUpstream(registry.port);
  const requests: LoggedRequest[] = [];
  const state = { coreDown: false, databaseDown: false };
  const sockets = new Set<Socket>();
  // Node's own limits give way to the front's, which answers as nginx does.
  const server = createServer(
    { maxHeaderSize: 256 * 1024, keepAliveTimeout: 75_000, requestTimeout: 0 },
    (request, response) => {
      if (options.withoutLog !== true) log(requests, request, response);
      void serve({ world, upstream, ...state }, request, response);
    },
  );
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return {
    host,
    url: `http://${host}`,
    admin,
    requests,
    registryStorage,
    registryUrl: `http://127.0.0.1:${String(registry.port)}`,
    settings,
    ...controls(world),
    stopRegistry: () => registry.stop(),
    startRegistry: () => registry.start(),
    setCoreDown: (down) => {
      state.coreDown = down;
    },
    setDatabaseDown: (down) => {
      state.databaseDown = down;
    },
    dropConnections: () => {
      for (const socket of sockets) socket.destroy();
    },
    stop: () => stop(server, sockets, upstream, () => registry.stop(), folder),
  };
}

type Controls = Pick<
  HarborDouble,
  | 'tags'
  | 'repositories'
  | 'createProject'
  | 'addProxyProject'
  | 'setQuota'
  | 'quotaUsed'
  | 'setReadOnly'
  | 'addImmutableRule'
  | 'addUser'
  | 'setRole'
  | 'addRobot'
  | 'addPusher'
  | 'disableRobot'
>;

function controls(world: World): Controls {
  const need = (name: string): Project => {
    const project = world.projects.get(name);
    if (project === undefined) throw new Error(`the double has no project ${name}`);
    return project;
  };
  const admin = world.users.get('admin') ?? addUser(world, 'admin', '', true);
  const robot = (request: RobotRequest): Credentials => {
    const made = addRobot(world, request);
    return { username: made.name, password: made.secret };
  };
  return {
    tags: (repository) =>
      new Map(
        [...(world.projects.get(repository.split('/')[0] ?? '')?.repositories.get(repository)?.tags ?? [])].map(
          ([tag, { digest }]) => [tag, digest],
        ),
      ),
    repositories: () => [...world.projects.values()].flatMap((project) => [...project.repositories.keys()]).sort(),
    createProject: (name, options) => {
      addProject(world, name, admin, options);
    },
    addProxyProject: (name) => {
      addProject(world, name, admin, { registryId: 1 });
    },
    setQuota: (project, bytes) => {
      need(project).storageLimit = bytes;
    },
    quotaUsed: (project) => need(project).used,
    setReadOnly: (readOnly) => {
      world.settings.readOnly = readOnly;
    },
    addImmutableRule: (project, tags, repositories = '**') => {
      need(project).rules.push(
        immutableRule(
          nextId(world, 'immutable rule'),
          [{ pattern: tags, excludes: false }],
          [{ pattern: repositories, excludes: false }],
        ),
      );
    },
    addUser: (name, password, roles = {}) => {
      addUser(world, name, password);
      for (const [project, role] of Object.entries(roles)) need(project).members.set(name, role);
      return { username: name, password };
    },
    setRole: (project, user, role) => {
      need(project).members.set(user, role);
    },
    addRobot: robot,
    disableRobot: (username) => {
      const found = [...world.robots.values()].find(({ name }) => name === username);
      if (found === undefined) throw new Error(`the double has no robot ${username}`);
      found.disabled = true;
    },
    addPusher: (name, project) =>
      robot({
        name,
        level: project === '*' ? 'system' : 'project',
        duration: -1,
        permissions: [
          {
            kind: 'project',
            namespace: project,
            access: [
              { resource: 'repository', action: 'push' },
              { resource: 'repository', action: 'pull' },
            ],
          },
        ],
      }),
  };
}

function settingsFrom(options: HarborDoubleOptions): Settings {
  return {
    projectCreation: options.projectCreation ?? 'everyone',
    readOnly: false,
    storagePerProject: -1,
    tokenLifeSeconds: options.tokenLifeSeconds ?? 1800,
    tokenLeewaySeconds: options.tokenLeewaySeconds ?? 60,
    loginLockMilliseconds: options.loginLockMilliseconds ?? 1500,
    passwordCheckMilliseconds: options.passwordCheckMilliseconds ?? 0,
    clientMaxBodySize: options.clientMaxBodySize,
    earlyRefusal: options.earlyRefusal ?? 'answer',
    version: options.version ?? 'v2.15.2-080b022057',
    collecting: false,
  };
}

function log(requests: LoggedRequest[], request: IncomingMessage, response: ServerResponse): void {
  const begun = performance.now();
  const authorization = request.headers.authorization ?? '';
  response.on('close', () => {
    requests.push({
      method: request.method ?? '',
      path: request.url ?? '',
      status: response.headersSent ? response.statusCode : 0,
      auth: authorization === '' ? 'none' : authorization.startsWith('Bearer ') ? 'bearer' : 'basic',
      requestBytes: bodyBytes(request),
      milliseconds: performance.now() - begun,
    });
  });
}

async function stop(
  server: ReturnType<typeof createServer>,
  sockets: ReadonlySet<Socket>,
  upstream: Upstream,
  stopRegistry: () => Promise<void>,
  folder: string,
): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  for (const socket of sockets) socket.destroy();
  await closed;
  upstream.agent.destroy();
  await stopRegistry();
  await rm(folder, { recursive: true, force: true });
}
