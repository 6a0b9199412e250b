import { spawn } from 'node:child_process';
import * as v from 'valibot';
import { RegtarError } from '../errors.ts';
import type { Credential } from './credential.ts';
import type { Environment } from '../net/proxy.ts';
import { Secret } from '../net/secret.ts';
import { tryJson } from '../io/try-json.ts';

const answerSchema = v.object({ Username: v.string(), Secret: v.string() });
const notFoundPattern = /credentials not found|not found in native keychain/i;
const timeoutMilliseconds = 60_000;
const answerBytes = 1024 * 1024;

/**
 * Asks `docker-credential-<name> get` for a server's credential. What it prints is never shown.
 * @returns undefined when it has none
 * @throws RegtarError CREDENTIAL_HELPER when it is missing, fails or answers with something else
 * @see docker-credential-helpers, "Development"
 */
export async function askHelper(
  name: string,
  server: string,
  options: { readonly env: Environment; readonly signal?: AbortSignal | undefined },
): Promise<Credential | undefined> {
  if (!/^[A-Za-z0-9._-]+$/.test(name)) throw failed(name, 'has a name that no program can have');
  const program = `docker-credential-${name}`;
  const { code, output } = await run(program, server, options);
  if (code !== 0) {
    if (notFoundPattern.test(output)) return undefined;
    throw failed(program, `ended with ${code} when it was asked for ${server}`);
  }
  const parsed = v.safeParse(answerSchema, tryJson(output));
  if (!parsed.success) throw failed(program, 'gave an answer that is not a credential');
  const { Username: username, Secret: secret } = parsed.output;
  if (secret === '') return undefined;
  return username === '<token>'
    ? { kind: 'identity-token', token: new Secret(secret), origin: program }
    : { kind: 'basic', username, password: new Secret(secret), origin: program };
}

function run(
  program: string,
  input: string,
  options: { readonly env: Environment; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly code: number | string; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], {
      env: { ...options.env },
      stdio: ['pipe', 'pipe', 'ignore'],
      signal: options.signal,
    });
    // Not spawn's own: that one keeps the process for its whole time when the program is not there.
    const timer = setTimeout(() => child.kill(), timeoutMilliseconds);
    const chunks: Buffer[] = [];
    let size = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > answerBytes) child.kill();
      else chunks.push(chunk);
    });
    // It may end without reading.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      if (error.name === 'AbortError') reject(error);
      else
        reject(
          failed(
            program,
            error.code === 'ENOENT' ? 'is not installed' : `cannot be run (${error.code ?? 'unknown reason'})`,
          ),
        );
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code: code ?? signal ?? 'nothing', output: Buffer.concat(chunks).toString('utf8') });
    });
  });
}

function failed(program: string, reason: string): RegtarError {
  return new RegtarError('CREDENTIAL_HELPER', `the credential helper ${program} ${reason}`, {
    hint: 'install or repair it, take it out of credHelpers or credsStore, or pass --username and --password-stdin',
  });
}
