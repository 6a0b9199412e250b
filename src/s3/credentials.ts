import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RegtarError, systemErrorCode, systemReason } from '../errors.ts';
import type { Environment } from '../net/proxy.ts';
import { Secret } from '../net/secret.ts';

/** The keys of one account. */
export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret | undefined;
  /** Where they came from, for messages. */
  readonly origin: string;
}

/** What environment and profile files say. */
export interface S3Settings {
  /** undefined: requests are not signed, as for public buckets. */
  readonly keys: S3Keys | undefined;
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  /** PEM certificates of authorities. */
  readonly caFile: string | undefined;
}

/**
 * Reads what the tools of AWS read, in their order: the environment, then the profile of `AWS_PROFILE` in the shared
 * files. What needs a program or a service (SSO, roles, instances) is left to `aws configure export-credentials
 * --format env`.
 * @throws RegtarError CREDENTIALS_INVALID for a profile that is named and is not there, or half a pair of keys
 */
export function readS3Settings(env: Environment, home: string | undefined): S3Settings {
  const profileName = env['AWS_PROFILE'] ?? env['AWS_DEFAULT_PROFILE'];
  const profile = readProfile(profileName ?? 'default', env, home);
  const id = env['AWS_ACCESS_KEY_ID'];
  // As for the tools of AWS: a profile that is named is more than keys that happen to be in the environment only where
  // these are absent.
  const fromEnvironment = isGiven(id);
  if (profileName !== undefined && !fromEnvironment && profile === undefined)
    throw invalid(`the profile ${profileName.slice(0, 100)} is in none of the shared files`);
  const keys = fromEnvironment
    ? keysOf(id, env['AWS_SECRET_ACCESS_KEY'], env['AWS_SESSION_TOKEN'], 'the environment')
    : keysOf(
        profile?.get('aws_access_key_id'),
        profile?.get('aws_secret_access_key'),
        profile?.get('aws_session_token'),
        `the profile ${profileName ?? 'default'}`,
      );
  return {
    keys,
    region: given(env['AWS_REGION']) ?? given(env['AWS_DEFAULT_REGION']) ?? profile?.get('region'),
    endpoint: given(env['AWS_ENDPOINT_URL_S3']) ?? given(env['AWS_ENDPOINT_URL']) ?? profile?.get('endpoint_url'),
    caFile: given(env['AWS_CA_BUNDLE']) ?? profile?.get('ca_bundle'),
  };
}

function keysOf(
  id: string | undefined,
  secret: string | undefined,
  token: string | undefined,
  origin: string,
): S3Keys | undefined {
  if (!isGiven(id) && !isGiven(secret)) return undefined;
  if (!isGiven(id) || !isGiven(secret)) throw invalid(`${origin} has only one of access key and secret key`);
  return {
    accessKeyId: id,
    secretAccessKey: new Secret(secret),
    sessionToken: isGiven(token) ? new Secret(token) : undefined,
    origin,
  };
}

function isGiven(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}

function given(text: string | undefined): string | undefined {
  return isGiven(text) ? text : undefined;
}

/** `[name]` of the credentials file over `[profile name]` of the config file. */
function readProfile(
  name: string,
  env: Environment,
  home: string | undefined,
): ReadonlyMap<string, string> | undefined {
  const at = (file: string): string | undefined => (home === undefined ? undefined : join(home, '.aws', file));
  const config = readSection(env['AWS_CONFIG_FILE'] ?? at('config'), name === 'default' ? name : `profile ${name}`);
  const credentials = readSection(env['AWS_SHARED_CREDENTIALS_FILE'] ?? at('credentials'), name);
  if (config === undefined && credentials === undefined) return undefined;
  return new Map([...(config ?? []), ...(credentials ?? [])]);
}

function readSection(path: string | undefined, name: string): ReadonlyMap<string, string> | undefined {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw invalid(`${path} cannot be read: ${systemReason(cause)}`);
  }
  let found: Map<string, string> | undefined;
  let isInside = false;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line)?.[1];
    if (section !== undefined) {
      isInside = section.replace(/\s+/g, ' ') === name;
      if (isInside) found ??= new Map();
      continue;
    }
    // An indented line belongs to a nested setting, none of which is read.
    const pair = isInside ? /^([A-Za-z_]+)\s*=\s*(.*?)\s*$/.exec(line) : null;
    if (pair?.[1] !== undefined && pair[2] !== undefined) found?.set(pair[1].toLowerCase(), pair[2]);
  }
  return found;
}

function invalid(message: string): RegtarError {
  return new RegtarError('CREDENTIALS_INVALID', `credentials for s3: ${message}`, {
    hint:
      'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; `aws configure export-credentials ' +
      '--format env` prints them',
  });
}
