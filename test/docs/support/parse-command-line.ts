import { CommanderError } from 'commander';
import { createProgram } from '../../../src/cli/declare/program.ts';

/** Whether the program takes these words: its own parser, with nothing behind it. @returns what is wrong */
export async function parseCommandLine(words: readonly string[]): Promise<string | undefined> {
  let isRun = false;
  const program = createProgram('0.0.0', async () => void (isRun = true));
  program.configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? undefined : error.message;
  }
  return isRun ? undefined : 'no command was run';
}
