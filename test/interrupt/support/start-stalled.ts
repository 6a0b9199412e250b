import { spawn } from 'node:child_process';
import { closeSync, createReadStream, openSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { bareEnvironment, program } from '../../e2e/support/regtar.ts';
import { requireNoWarnings } from '../../support/node-warnings.ts';
import { run } from '../../support/run.ts';

/** A program that stands still in the middle of its work, whatever the machine is busy with. */
export interface StalledRegtar {
  kill(): Promise<void>;
  /** Lets it go on. @returns its exit code and what it said */
  goOn(): Promise<{ readonly code: number; readonly stderr: string }>;
}

/**
 * Starts `regtar …` with its events going into a pipe that nobody reads: when 64 KiB of them are in it, it waits. So
 * the work must have many more.
 * @param pipe a path for the pipe
 * @param isReady asked until it says that enough was done
 */
export async function startStalled(
  args: readonly string[],
  pipe: string,
  isReady: () => boolean,
): Promise<StalledRegtar> {
  await run('mkfifo', [pipe]);
  // For reading and writing, so that nobody waits for the other end.
  const descriptor = openSync(pipe, 'r+');
  const child = spawn(process.execPath, [program, ...args, '--events', 'jsonl'], {
    env: { ...process.env, ...bareEnvironment },
    stdio: ['ignore', 'ignore', descriptor],
  });
  const ended = new Promise<number>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0))),
  );
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    closeSync(descriptor);
  };
  for (let tries = 0; !isReady(); tries++) {
    if (tries > 1200 || child.exitCode !== null) {
      await kill();
      throw new Error('it did not stand still where it should');
    }
    await sleep(50);
  }
  return {
    kill,
    async goOn() {
      let stderr = '';
      const reader = createReadStream(pipe, 'utf8');
      reader.on('data', (text) => void (stderr += text.toString()));
      const drained = new Promise<void>((resolve) => reader.once('close', () => resolve()));
      await new Promise<void>((resolve) => reader.once('open', () => resolve()));
      closeSync(descriptor);
      const code = await ended;
      await drained;
      requireNoWarnings(['regtar', ...args].join(' '), stderr);
      return { code, stderr };
    },
  };
}
