import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireNoWarnings } from './node-warnings.ts';

export interface StartOptions {
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
  /**
   * Asked again and again until it answers true; it must tell this process from another that listens in its place.
   * @param log everything that the process wrote so far
   */
  readonly ready: (log: string) => Promise<boolean>;
  readonly readySeconds?: number;
}

export interface StartedProcess {
  readonly pid: number;
  /** Everything it wrote so far, standard output and error mixed. */
  log(): string;
  kill(signal: NodeJS.Signals): void;
  /** Its exit code, once it has ended; undefined where a signal ended it. */
  readonly ended: Promise<number | undefined>;
  /** Ends it by SIGTERM, and by SIGKILL when that takes more than ten seconds. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
let isWatched = false;

/**
 * Starts a server and waits until it is ready.
 * @throws Error with its output when it ends or does not become ready in time
 */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: StartOptions,
): Promise<StartedProcess> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  let failure: string | undefined;
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => resolve(void (failure = error.message)));
    child.once('exit', (code, signal) => resolve(void (failure = `ended with ${code ?? signal ?? 'nothing'}`)));
  });
  child.stdout.on('data', (chunk: Buffer) => void chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => void chunks.push(chunk));
  const log = (): string => Buffer.concat(chunks).toString('utf8');
  remember(child, ended);

  const stop = async (): Promise<void> => {
    if (failure !== undefined) return;
    child.kill('SIGTERM');
    const patience = new AbortController();
    await Promise.race([
      ended,
      sleep(10_000, undefined, { signal: patience.signal }).then(
        () => child.kill('SIGKILL'),
        () => undefined,
      ),
    ]);
    patience.abort();
    await ended;
    requireNoWarnings(command, log());
  };

  const deadline = Date.now() + (options.readySeconds ?? 30) * 1000;
  while (!(await options.ready(log()).catch(() => false))) {
    if (failure !== undefined || Date.now() > deadline) {
      await stop();
      throw new Error(`${command} did not become ready: ${failure ?? 'time is up'}\n${log().slice(-4000)}`);
    }
    await sleep(30);
  }
  return {
    pid: child.pid ?? -1,
    log,
    kill: (signal) => void child.kill(signal),
    ended: ended.then(() => child.exitCode ?? undefined),
    stop,
  };
}

/** A test run that ends early must not leave servers behind. */
function remember(child: ChildProcess, ended: Promise<void>): void {
  if (!isWatched) process.once('exit', killAll);
  isWatched = true;
  running.add(child);
  void ended.then(() => running.delete(child));
}

function killAll(): void {
  for (const child of running) child.kill('SIGTERM');
}
