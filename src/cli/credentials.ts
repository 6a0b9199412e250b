import { addAbortSignal } from 'node:stream';
import { text } from 'node:stream/consumers';
import { RegtarError } from '../errors.ts';
import type { CredentialSource } from '../remote/credential.ts';
import { findCredentials } from '../remote/credentials.ts';
import { Secret } from '../net/secret.ts';
import { homeFolder } from './user.ts';

/** How the account of TARGET is given on the command line. */
export interface AccountOptions {
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly registryTokenStdin?: boolean;
  readonly anonymous?: boolean;
  readonly authfile?: string;
}

/**
 * What the command line says, else the environment, else the files and helpers of docker and podman.
 * @throws RegtarError USAGE, CREDENTIALS_INVALID; the signal's reason
 */
export async function readCredentials(
  host: string,
  options: AccountOptions,
  signal: AbortSignal,
): Promise<CredentialSource> {
  const chosen = [
    options.anonymous === true,
    options.registryTokenStdin === true,
    options.username !== undefined,
  ].filter(Boolean).length;
  if (chosen > 1) throw usage('--anonymous, --registry-token-stdin and --username exclude each other');
  if (options.passwordStdin === true && options.username === undefined)
    throw usage('--password-stdin needs --username');
  return findCredentials({
    host,
    username: options.username,
    password: await readPassword(options, signal),
    registryToken: options.registryTokenStdin === true ? await readSecret('--registry-token-stdin', signal) : undefined,
    anonymous: options.anonymous,
    authFile: options.authfile,
    env: process.env,
    home: homeFolder(),
    // A user ID is enough; that of a container may have no name anywhere.
    uid: process.getuid?.() ?? 0,
  });
}

async function readPassword(options: AccountOptions, signal: AbortSignal): Promise<Secret | undefined> {
  if (options.passwordStdin === true) return readSecret('--password-stdin', signal);
  const isAsked =
    options.username !== undefined && !process.env['REGTAR_PASSWORD'] && process.stdin.isTTY && process.stderr.isTTY;
  return isAsked ? promptPassword(options.username) : undefined;
}

async function readSecret(option: string, signal: AbortSignal): Promise<Secret> {
  const secret = (await text(addAbortSignal(signal, process.stdin))).replace(/\r?\n$/, '');
  if (secret === '') throw usage(`${option}: there was nothing on standard input`);
  return new Secret(secret);
}

/** Asks without showing what is typed. */
async function promptPassword(username: string): Promise<Secret> {
  const { createInterface } = await import('node:readline');
  const { Writable } = await import('node:stream');
  process.stderr.write(`Password for ${username}: `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await new Promise<Secret>((resolve, reject) => {
      reader
        .once('line', (line) => resolve(new Secret(line)))
        .once('SIGINT', () => reject(new RegtarError('INTERRUPTED', 'stopped by Ctrl-C')));
    });
  } finally {
    reader.close();
    process.stderr.write('\n');
  }
}

function usage(message: string): RegtarError {
  return new RegtarError('USAGE', message, { hint: 'run `regtar push --help`' });
}
