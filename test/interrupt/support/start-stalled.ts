import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { bareEnvironment, program } from '../../e2e/support/regtar.ts';
import { requireNoWarnings } from '../../support/node-warnings.ts';

/** A program that stands still in the middle of its work, whatever the machine is busy with. */
export interface StalledRegtar {
  kill(): Promise<void>;
  /** Lets it go on. @returns its exit code and what it said */
  goOn(): Promise<{ readonly code: number; readonly stderr: string }>;
}

const sliceMilliseconds = 4;

/**
 * Starts `regtar …` and lets it work in slices of time, so that what is looked for is found while it stands still.
 * @param isReady asked between slices until it says that enough was done
 */
export async function startStalled(args: readonly string[], isReady: () => boolean): Promise<StalledRegtar> {
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, ...bareEnvironment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => void chunks.push(chunk));
  const said = (): string => Buffer.concat(chunks).toString('utf8');
  let isOver = false;
  const ended = new Promise<number>((resolve) =>
    child.once('close', (code, signal) => {
      isOver = true;
      resolve(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0));
    }),
  );
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  const end = performance.now() + 60_000;
  while (!isReady()) {
    child.kill('SIGCONT');
    await sleep(sliceMilliseconds);
    child.kill('SIGSTOP');
    if (!isOver && performance.now() < end) continue;
    await kill();
    throw new Error(`it did not stand still where it should: ${said()}`);
  }
  return {
    kill,
    async goOn() {
      child.kill('SIGCONT');
      const code = await ended;
      requireNoWarnings(['regtar', ...args].join(' '), said());
      return { code, stderr: said() };
    },
  };
}
