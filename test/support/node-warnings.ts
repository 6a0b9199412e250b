import type { ChildProcess } from 'node:child_process';

/**
 * The same for a program that a test starts by itself: what it warns of is a warning of this process, and
 * `fail-on-warnings.ts` fails the file.
 */
export function watchWarnings(child: ChildProcess, command: string): void {
  if (child.stderr === null) throw new Error(`nobody hears what ${command} warns of: its standard error is not a pipe`);
  const chunks: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => void chunks.push(chunk));
  child.once('close', () => {
    try {
      requireNoWarnings(command, Buffer.concat(chunks).toString('utf8'));
    } catch (error) {
      process.emitWarning(error as Error);
    }
  });
}

/**
 * Every helper that starts a program asks this of what it wrote: a warning of Node's means a leak or something that will break.
 * @throws Error with the first warning
 */
export function requireNoWarnings(command: string, stderr: string): void {
  const warning = /^\(node:\d+\) \[?\w*(?:Warning|DEP\d+).*$/m.exec(stderr)?.[0];
  if (warning !== undefined) throw new Error(`${command} warned: ${warning}`);
}
