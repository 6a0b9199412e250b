import { spawn } from 'node:child_process';
import * as v from 'valibot';
import { RegtarError } from '../errors.ts';
import type { Credential } from './credential.ts';
import type { Environment } from '../net/proxy.ts';
import { Secret } from '../net/secret.ts';
import { tryJson } from '../io/try-json.ts';

const answerSchema = v.object({ Username: v.string(), Secret: v.string() });
const notFoundPattern = /credentials not found|not found in native keychain/i;
const answerBytes = 1024 * 1024;
/** What a helper has written before it ended is read by then. */
const lastWordsMilliseconds = 1000;

/** How a helper is run. */
export interface HelperOptions {
  readonly env: Environment;
  readonly signal?: AbortSignal | undefined;
  /** For its whole answer: a person may have to open a key store for it. @defaultValue 60 */
  readonly timeoutSeconds?: number | undefined;
}

/**
 * Asks `docker-credential-<name> get` for a server's credential. What it prints is never shown.
 * @returns undefined when it has none
 * @throws RegtarError CREDENTIAL_HELPER when it is missing, fails or answers with something else
 * @see docker-credential-helpers, "Development"
 */
export async function askHelper(name: string, server: string, options: HelperOptions): Promise<Credential | undefined> {
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
  { env, signal, timeoutSeconds = 60 }: HelperOptions,
): Promise<{ readonly code: number | string; readonly output: string }> {
  return new Promise((resolve, reject) => {
    // Not to be ignored: it only reads, and a program that has been told to end must not wait for it.
    const child = spawn(program, ['get'], {
      env: { ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
      signal,
      killSignal: 'SIGKILL',
    });
    const chunks: Buffer[] = [];
    let size = 0;
    /** Lets go of its output, too, which a program that it has left behind may hold open for ever. */
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.unref();
      act();
    };
    const giveUp = (reason: string): void => {
      child.kill('SIGKILL');
      settle(() => reject(failed(program, reason)));
    };
    // Not spawn's own: that one keeps the process for its whole time when the program is not there.
    const timer = setTimeout(() => giveUp(`gave no answer within ${timeoutSeconds} s`), timeoutSeconds * 1000);
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > answerBytes) giveUp('gave an answer that is not a credential');
      else chunks.push(chunk);
    });
    // It may end without reading.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.name === 'AbortError') settle(() => reject(error));
      else giveUp(error.code === 'ENOENT' ? 'is not installed' : `cannot be run (${error.code ?? 'unknown reason'})`);
    });
    const end = (code: number | string): void =>
      settle(() => resolve({ code, output: Buffer.concat(chunks).toString('utf8') }));
    child.once('exit', (code, by) => setTimeout(() => end(code ?? by ?? 'nothing'), lastWordsMilliseconds).unref());
    child.once('close', (code, by) => end(code ?? by ?? 'nothing'));
  });
}

function failed(program: string, reason: string): RegtarError {
  return new RegtarError('CREDENTIAL_HELPER', `the credential helper ${program} ${reason}`, {
    hint: 'install or repair it, take it out of credHelpers or credsStore, or pass --username and --password-stdin',
  });
}
