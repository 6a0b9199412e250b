import { text } from 'node:stream/consumers';
import { RegtarError } from '../errors.ts';
import { anonymousCredentials, type Credential, type CredentialSource } from '../remote/credential.ts';
import { Secret } from '../remote/secret.ts';

export interface CredentialOptions {
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly registryTokenStdin?: boolean;
  readonly anonymous?: boolean;
  readonly authfile?: string;
}

/** What the command line and the environment say; undefined leaves it to the files and helpers of docker and podman. @throws RegtarError USAGE */
export async function explicitCredentials(options: CredentialOptions): Promise<CredentialSource | undefined> {
  const chosen = [options.anonymous === true, options.registryTokenStdin === true, options.username !== undefined].filter(Boolean).length;
  if (chosen > 1) throw usage('--anonymous, --registry-token-stdin and --username exclude each other');
  if (options.anonymous === true) return anonymousCredentials();
  if (options.registryTokenStdin === true) return always({ kind: 'registry-token', token: new Secret(await readSecret('--registry-token-stdin')), origin: '--registry-token-stdin' });
  if (options.passwordStdin === true && options.username === undefined) throw usage('--password-stdin needs --username');
  if (options.username !== undefined) return always({ kind: 'basic', username: options.username, password: new Secret(await readPassword(options)), origin: '--username' });
  const username = process.env['REGTAR_USERNAME'];
  const password = process.env['REGTAR_PASSWORD'];
  if (username !== undefined && password !== undefined) return always({ kind: 'basic', username, password: new Secret(password), origin: 'REGTAR_USERNAME' });
  return undefined;
}

function always(credential: Credential): CredentialSource {
  return () => Promise.resolve(credential);
}

async function readPassword(options: CredentialOptions): Promise<string> {
  if (options.passwordStdin === true) return readSecret('--password-stdin');
  const password = process.env['REGTAR_PASSWORD'];
  if (password !== undefined) return password;
  if (process.stdin.isTTY && process.stderr.isTTY) return promptPassword(options.username ?? '');
  throw usage('--username needs --password-stdin, REGTAR_PASSWORD or a terminal to ask on');
}

async function readSecret(option: string): Promise<string> {
  const secret = (await text(process.stdin)).replace(/\r?\n$/, '');
  if (secret === '') throw usage(`${option} found nothing on standard input`);
  return secret;
}

/** Asks without showing what is typed. */
async function promptPassword(username: string): Promise<string> {
  const { createInterface } = await import('node:readline');
  const { Writable } = await import('node:stream');
  process.stderr.write(`Password for ${username}: `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      reader.once('line', resolve).once('SIGINT', () => reject(new RegtarError('INTERRUPTED', 'interrupted', { side: 'usage' })));
    });
  } finally {
    reader.close();
    process.stderr.write('\n');
  }
}

function usage(message: string): RegtarError {
  return new RegtarError('USAGE', message, { side: 'usage', hint: 'run `regtar push --help`' });
}
