import { closeSync, constants, openSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { systemErrorCode } from '../errors.ts';
import { openPipe } from '../io/open-pipe.ts';
import { createNewFile, temporaryName } from '../io/temporary-file.ts';
import type { Context } from './context.ts';

/** Options that name a small file, which is read at once and perhaps again. */
const named = [
  'authfile',
  'caFile',
  'certFile',
  'keyFile',
  'sourcePasswordFile',
  'sourceCaFile',
  'signedReport',
  'requireSignature',
  'htpasswd',
  'tlsCert',
  'tlsKey',
];

/**
 * Reads pipes that options name, such as `<(pass show harbor)`, before a command begins: a program that waits in the
 * system for the first writer hears no signal. What they held is in a file without a name then, which only this process
 * can open.
 * @param options changed in place
 * @throws the signal's reason
 */
export async function holdPipes(options: object, context: Context): Promise<void> {
  const given = options as Record<string, unknown>;
  for (const name of named) {
    const path = given[name];
    if (typeof path === 'string') given[name] = await holdPipe(path, context);
  }
}

/** The same for one file. @returns where to read it; `path` itself where it is not a pipe */
export async function holdPipe(path: string, context: Pick<Context, 'output' | 'signal'>): Promise<string> {
  if (!isPipe(path)) return path;
  return keep(await whileWaiting(path, context, () => buffer(openPipe(path, context.signal))));
}

/** Reads what may be a pipe, and says so when its writer takes longer than a person expects. */
export async function whileWaiting<Result>(
  path: string,
  { output, signal }: Pick<Context, 'output' | 'signal'>,
  work: () => Promise<Result>,
): Promise<Result> {
  if (!isPipe(path)) return work();
  const timer = setTimeout(() => output.message(`waiting for ${path}: nothing has come out of this pipe yet`), 5000);
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Where a reader may have to wait for the first writer. */
export function isPipe(path: string): boolean {
  try {
    return statSync(path).isFIFO();
  } catch (cause) {
    // What cannot be looked at, such as a link to itself, is named when it is opened.
    if (systemErrorCode(cause) === undefined) throw cause;
    return false;
  }
}

function keep(bytes: Uint8Array): string {
  const path = temporaryName(join(tmpdir(), 'pipe'));
  const writer = createNewFile(path, 0o600);
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(writer, bytes, done);
    const reader = openSync(path, constants.O_RDONLY);
    return `/dev/fd/${reader}`;
  } finally {
    closeSync(writer);
    unlinkSync(path);
  }
}
