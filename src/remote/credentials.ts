import { RegtarError } from '../errors.ts';
import { createOncePerKey } from '../io/per-key.ts';
import { anonymous, type Credential, type CredentialSource } from './credential.ts';
import { credentialFiles, readCredentialFile, type CredentialEntry, type CredentialFile } from './credential-files.ts';
import { askHelper } from './credential-helper.ts';
import { dockerHubHosts } from './greet.ts';
import type { Environment } from '../net/proxy.ts';
import { Secret } from '../net/secret.ts';

/** Where credentials may come from. */
export interface CredentialOptions {
  /** `host` or `host:port` as the user wrote it: keys are compared with it. */
  readonly host: string;
  readonly username?: string | undefined;
  readonly password?: Secret | undefined;
  /** A bearer token that is used as it is. */
  readonly registryToken?: Secret | undefined;
  /** Look nowhere. */
  readonly anonymous?: boolean | undefined;
  /** Look into this file alone. */
  readonly authFile?: string | undefined;
  /** The variables that name users and files, and `PATH` for helpers. */
  readonly env: Environment;
  /** undefined where the user has none. */
  readonly home: string | undefined;
  readonly uid: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Where credentials come from, in this order: options, `REGTAR_USERNAME` and `REGTAR_PASSWORD`, the named file, then
 * the places of podman, skopeo and docker. Within a file the most specific key wins (`host/a/b`, `host/a`, `host`); for
 * a whole host, helpers before stored passwords.
 * Nothing is read before the first credential is asked for.
 * @returns a source that throws CREDENTIALS_INVALID for files that cannot be understood and CREDENTIAL_HELPER for
 * helpers that fail
 * @throws RegtarError CREDENTIALS_INVALID when a user name or a password is missing beside the other
 * @see containers-auth.json(5); docker, docs/reference/commandline/login.md
 */
export function findCredentials(options: CredentialOptions): CredentialSource {
  const given = givenCredential(options);
  if (given) return () => Promise.resolve(given);
  const files = lazily(() => Promise.resolve(readFiles(options)));
  const helped = createOncePerKey<string, Credential | undefined>();
  const found = createOncePerKey<string, Credential>();
  const help = (helper: string): Promise<Credential | undefined> =>
    helped.get(helper, () => askHelper(helper, serverOf(options.host), options));
  const find = (repository = ''): Promise<Credential> =>
    found.get(repository, async () => search(await files(), options.host, repository, help));
  const below = `${canonicalHost(options.host)}/`;
  const hasPaths = async (): Promise<boolean> =>
    (await files()).some(({ entries }) => entries.some(({ key }) => normalKey(key).startsWith(below)));
  return Object.assign(find, { hasPaths });
}

function givenCredential(options: CredentialOptions): Credential | undefined {
  if (options.anonymous === true) return anonymous;
  if (options.registryToken)
    return { kind: 'registry-token', token: options.registryToken, origin: '--registry-token-stdin' };
  const { env } = options;
  const username = options.username ?? (env['REGTAR_USERNAME'] || undefined);
  const password = options.password ?? (env['REGTAR_PASSWORD'] ? new Secret(env['REGTAR_PASSWORD']) : undefined);
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || password === undefined) {
    throw new RegtarError(
      'CREDENTIALS_INVALID',
      username === undefined ? 'there is a password but no user name' : `there is no password for user "${username}"`,
      {
        hint:
          'pass --username and --password-stdin, or set REGTAR_USERNAME and REGTAR_PASSWORD; write ' +
          "'robot$name' in single quotes, or the shell takes the $ away",
      },
    );
  }
  return {
    kind: 'basic',
    username,
    password,
    origin: options.username === undefined ? 'REGTAR_USERNAME' : '--username',
  };
}

function readFiles(options: CredentialOptions): readonly CredentialFile[] {
  return credentialFiles(options)
    .map((place) => readCredentialFile(place))
    .filter((file) => file !== undefined);
}

async function search(
  files: readonly CredentialFile[],
  host: string,
  repository: string,
  help: (helper: string) => Promise<Credential | undefined>,
): Promise<Credential> {
  for (const file of files) {
    const credential = await searchFile(file, host, repository, help);
    if (credential) return credential;
  }
  return anonymous;
}

async function searchFile(
  file: CredentialFile,
  host: string,
  repository: string,
  help: (helper: string) => Promise<Credential | undefined>,
): Promise<Credential | undefined> {
  const entries = new Map<string, CredentialEntry>();
  for (const entry of file.entries) {
    const key = normalKey(entry.key);
    // The plain form of a key beats its URL forms, and the first of these the others.
    if (!entries.has(key) || entry.key === key) entries.set(key, entry);
  }
  const own = canonicalHost(host);
  // Helpers know hosts alone, so a project's own entry cannot be theirs.
  for (let path = repository; path !== ''; path = path.slice(0, Math.max(path.lastIndexOf('/'), 0))) {
    const credential = entries.get(`${own}/${path}`)?.credential();
    if (credential) return credential;
  }
  const helper = [...file.helpers].find(([key]) => normalKey(key) === own)?.[1];
  if (helper !== undefined) {
    const credential = await help(helper);
    if (credential) return credential;
  }
  if (file.store !== undefined && file.store !== helper) {
    const credential = await help(file.store);
    if (credential) return credential;
  }
  return entries.get(own)?.credential();
}

/** `https://host/v1/` is how docker once wrote `host`. */
function normalKey(key: string): string {
  const withoutScheme = key.replace(/^https?:\/\//, '');
  const path = withoutScheme === key ? key.replace(/\/+$/, '') : withoutScheme.replace(/\/(?:v[12]\/?)?$/, '');
  const slash = path.indexOf('/');
  return slash < 0 ? canonicalHost(path) : `${canonicalHost(path.slice(0, slash))}${path.slice(slash)}`;
}

function canonicalHost(host: string): string {
  const lower = host.toLowerCase();
  return dockerHubHosts.has(lower) || lower === 'registry-1.docker.io' ? 'docker.io' : lower;
}

function serverOf(host: string): string {
  return canonicalHost(host) === 'docker.io' ? 'https://index.docker.io/v1/' : host;
}

function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= new Promise((resolve) => resolve(make())));
}
