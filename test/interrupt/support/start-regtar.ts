import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { requireNoWarnings } from '../../support/node-warnings.ts';
import { bareEnvironment, program } from '../../e2e/support/regtar.ts';

export interface RunningRegtar {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it has said so many lines, or has ended. */
  said(lines: number): Promise<void>;
  /** How many lines it has said so far. */
  readonly lines: number;
  /** Exit code, 128 and the signal's number where one ended it; and what it said. */
  readonly ended: Promise<{ readonly code: number; readonly stderr: string }>;
}

/** Starts `regtar …` and does not wait for it. @param shell a line that starts `"$@"`, for limits and other accounts */
export function startRegtar(
  args: readonly string[],
  options: { readonly cwd?: string; readonly shell?: string } = {},
): RunningRegtar {
  const words = [process.execPath, program, ...args];
  const [command = '', ...rest] = options.shell === undefined ? words : ['sh', '-c', options.shell, 'sh', ...words];
  const child = spawn(command, rest, {
    cwd: options.cwd,
    env: { ...process.env, ...bareEnvironment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  let lines = 0;
  let waiting: { readonly lines: number; readonly resolve: () => void } | undefined;
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('latin1');
    for (const byte of chunk) if (byte === 10) lines++;
    if (waiting !== undefined && lines >= waiting.lines) waiting.resolve();
  });
  const ended = once(child, 'close').then((event) => {
    const [code, signal] = event as [number | null, NodeJS.Signals | null];
    requireNoWarnings(['regtar', ...args].join(' '), stderr);
    return { code: code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0), stderr };
  });
  return {
    pid: child.pid ?? -1,
    kill: (signal) => void child.kill(signal),
    get lines() {
      return lines;
    },
    said: (wanted) =>
      Promise.race([
        ended.then(() => undefined),
        new Promise<void>((resolve) => (waiting = { lines: wanted, resolve })),
      ]),
    ended,
  };
}
