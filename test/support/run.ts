import { spawn } from 'node:child_process';
import { requireNoWarnings } from './node-warnings.ts';

export interface RunOptions {
  readonly cwd?: string | undefined;
  /** Added to this process's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** What the program reads on standard input; nothing when absent. */
  readonly input?: string | Uint8Array | undefined;
  /** Return a failure instead of throwing it. */
  readonly allowFailure?: boolean;
  /** The program is killed after this; 120 by default, so that a hang fails one test and not the run. */
  readonly timeoutSeconds?: number;
}

export interface RunResult {
  /** Exit code; 128 + 9 and the like when a signal ended it, -1 when it could not be started. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as it came, for programs that write archives there. */
  readonly bytes: Buffer;
}

/**
 * Runs a program to its end.
 * @throws Error with the command, its code and its standard error when it fails, unless `allowFailure` is set; always where Node warned
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await spawnAndCollect(command, args, options);
  requireNoWarnings([command, ...args].join(' '), result.stderr);
  if (result.code !== 0 && options.allowFailure !== true) {
    throw new Error(
      `${[command, ...args].join(' ')} ended with ${result.code}\n${result.stderr}${result.stdout.slice(-2000)}`,
    );
  }
  return result;
}

function spawnAndCollect(command: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: 'pipe',
      timeout: (options.timeoutSeconds ?? 120) * 1000,
      killSignal: 'SIGKILL',
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => void out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => void err.push(chunk));
    // A program may end without reading its input; that is its business.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input);
    const finish = (code: number, note = ''): void => {
      const bytes = Buffer.concat(out);
      resolve({ code, bytes, stdout: bytes.toString('utf8'), stderr: Buffer.concat(err).toString('utf8') + note });
    };
    child.once('error', (error) => finish(-1, error.message));
    child.once('close', (code, signal) => finish(code ?? 128 + signalNumber(signal)));
  });
}

function signalNumber(signal: NodeJS.Signals | null): number {
  const numbers: Partial<Record<NodeJS.Signals, number>> = {
    SIGHUP: 1,
    SIGINT: 2,
    SIGABRT: 6,
    SIGKILL: 9,
    SIGSEGV: 11,
    SIGPIPE: 13,
    SIGTERM: 15,
  };
  return signal === null ? 0 : (numbers[signal] ?? 0);
}
