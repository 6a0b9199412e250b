import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { requireNoWarnings } from '../../support/node-warnings.ts';
import { program, quietEnvironment } from './regtar.ts';

/** A push under way. */
export interface StartedPush {
  kill(signal: NodeJS.Signals): void;
  /** @returns its exit code, 128 and the signal's number where that ended it, and what it wrote on standard error */
  readonly ended: Promise<{ readonly code: number; readonly stderr: string }>;
}

/** Starts `regtar push SOURCE TARGET …` and does not wait for it. */
export function startPush(source: string, target: string, args: readonly string[] = [], cwd?: string): StartedPush {
  const child = spawn(
    process.execPath,
    [program, 'push', '--no-progress', '--retry-delay', '0.05', ...args, source, target],
    { cwd, env: { ...process.env, ...quietEnvironment }, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const chunks: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => void chunks.push(chunk));
  const numbers: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
  return {
    kill: (signal) => void child.kill(signal),
    ended: once(child, 'close').then((event) => {
      const [code, signal] = event as [number | null, NodeJS.Signals | null];
      const stderr = Buffer.concat(chunks).toString('utf8');
      requireNoWarnings('regtar push', stderr);
      return { code: code ?? 128 + (numbers[signal ?? 'SIGKILL'] ?? 0), stderr };
    }),
  };
}
