import { chmodSync, writeFileSync } from 'node:fs';
import { bareEnvironment, program } from '../../e2e/support/regtar.ts';
import { run, type RunOptions, type RunResult } from '../../support/run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const commands = temporaryFolder();
writeFileSync(commands.file('regtar'), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
chmodSync(commands.file('regtar'), 0o755);

/** Runs a line as somebody types it, in a shell that finds `regtar`. @throws Error when it fails, unless that is allowed */
export async function typed(line: string, options: RunOptions = {}): Promise<RunResult> {
  return run('bash', ['--norc', '-c', line], {
    ...options,
    env: { ...bareEnvironment, PATH: `${commands.path}:${process.env['PATH'] ?? ''}`, ...options.env },
  });
}
