import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { RegtarError, systemErrorCode, systemReason } from '../errors.ts';
import type { Credential } from './credential.ts';
import type { Environment } from '../net/proxy.ts';
import { Secret } from '../net/secret.ts';

/** A file that may hold credentials. */
export interface CredentialPlace {
  readonly path: string;
  /** `~/.dockercfg`: the hosts stand at the top. */
  readonly legacy: boolean;
  /** This very file was asked for, so it has to be there. */
  readonly required: boolean;
}

/** A file's content; nothing is decoded before it is asked for. */
export interface CredentialFile {
  readonly entries: readonly CredentialEntry[];
  /** Helper names by host. */
  readonly helpers: ReadonlyMap<string, string>;
  /** The helper for every other host. */
  readonly store: string | undefined;
}

/** One entry of `auths`. */
export interface CredentialEntry {
  readonly key: string;
  /**
   * @returns undefined for the empty entries that docker leaves beside a helper.
   * @throws RegtarError CREDENTIALS_INVALID
   */
  credential(): Credential | undefined;
}

const entrySchema = v.looseObject({
  auth: v.optional(v.string()),
  username: v.optional(v.string()),
  password: v.optional(v.string()),
  identitytoken: v.optional(v.string()),
  registrytoken: v.optional(v.string()),
});
const authsSchema = v.record(v.string(), entrySchema);
const fileSchema = v.looseObject({
  auths: v.optional(v.nullable(authsSchema)),
  credHelpers: v.optional(v.nullable(v.record(v.string(), v.string()))),
  credsStore: v.optional(v.string()),
});

/** The files to look into, first to last; only the first where the user names one. */
export function credentialFiles(options: {
  readonly authFile?: string | undefined;
  readonly env: Environment;
  /** undefined where the user has none: then nothing is looked for in it. */
  readonly home: string | undefined;
  readonly uid: number;
}): readonly CredentialPlace[] {
  const { env, home } = options;
  const named = options.authFile ?? (env['REGISTRY_AUTH_FILE'] || undefined);
  if (named !== undefined) return [{ path: named, legacy: false, required: true }];
  const runtime = env['XDG_RUNTIME_DIR'] || undefined;
  const paths = [
    runtime === undefined ? `/run/containers/${options.uid}/auth.json` : join(runtime, 'containers/auth.json'),
    under(env['XDG_CONFIG_HOME'] || under(home, '.config'), 'containers/auth.json'),
    under(env['DOCKER_CONFIG'] || under(home, '.docker'), 'config.json'),
  ];
  const old = under(home, '.dockercfg');
  return [
    ...paths.flatMap((path) => (path === undefined ? [] : [{ path, legacy: false, required: false }])),
    ...(old === undefined ? [] : [{ path: old, legacy: true, required: false }]),
  ];
}

function under(folder: string | undefined, name: string): string | undefined {
  return folder === undefined ? undefined : join(folder, name);
}

/**
 * @returns undefined when the file is not there and was not asked for, or is empty
 * @throws RegtarError CREDENTIALS_INVALID naming the file; never with anything that stands in it
 */
export function readCredentialFile(place: CredentialPlace): CredentialFile | undefined {
  const text = readText(place);
  if (text === undefined || text.trim() === '') return undefined;
  const json = parseJson(text, place.path);
  const parsed = v.safeParse(fileSchema, place.legacy ? { auths: json } : json);
  // The validator's issues quote what they found, so they stay out of the error.
  if (!parsed.success) throw invalid(place.path, 'is not a file of credentials of docker, podman or skopeo');
  const { auths, credHelpers, credsStore } = parsed.output;
  return {
    entries: Object.entries(auths ?? {}).map(([key, entry]) => ({
      key,
      credential: memoized(() => credentialOf(entry, key, place.path)),
    })),
    helpers: new Map(Object.entries(credHelpers ?? {})),
    store: credsStore || undefined,
  };
}

function credentialOf(entry: v.InferOutput<typeof entrySchema>, key: string, path: string): Credential | undefined {
  const origin = `${path}, "${key}"`;
  if (entry.identitytoken) return { kind: 'identity-token', token: new Secret(entry.identitytoken), origin };
  if (entry.registrytoken) return { kind: 'registry-token', token: new Secret(entry.registrytoken), origin };
  if (entry.auth) {
    // Docker has padded passwords with NULs.
    const pair = Buffer.from(entry.auth, 'base64').toString('utf8').replace(/\0+$/, '');
    const colon = pair.indexOf(':');
    if (colon < 1) throw invalid(path, `has an entry for "${key}" that is not user:password in base64`);
    return { kind: 'basic', username: pair.slice(0, colon), password: new Secret(pair.slice(colon + 1)), origin };
  }
  if (entry.username && entry.password)
    return { kind: 'basic', username: entry.username, password: new Secret(entry.password), origin };
  return undefined;
}

function readText(place: CredentialPlace): string | undefined {
  try {
    return readFileSync(place.path, 'utf8');
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (!place.required && (code === 'ENOENT' || code === 'ENOTDIR' || isOutOfReach(place.path))) return undefined;
    throw new RegtarError('CREDENTIALS_INVALID', `${place.path} cannot be read: ${systemReason(cause)}`, {
      where: { path: place.path },
      cause,
      hint: 'name another file with --authfile, or pass --username and --password-stdin',
    });
  }
}

/** A folder that this user may not enter holds nothing of theirs: root's home, or `/run/containers` made by root. */
function isOutOfReach(path: string): boolean {
  try {
    statSync(path);
    return false;
  } catch (cause) {
    return systemErrorCode(cause) === 'EACCES';
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Without its cause: Node quotes the text in it.
    throw invalid(path, 'is not JSON');
  }
}

function invalid(path: string, reason: string): RegtarError {
  return new RegtarError('CREDENTIALS_INVALID', `${path} ${reason}`, {
    where: { path },
    hint: 'write it again with `docker login` or `skopeo login`, or pass --username and --password-stdin',
  });
}

function memoized<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
