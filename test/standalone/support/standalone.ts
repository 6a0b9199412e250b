import { fileURLToPath } from 'node:url';
import { bareEnvironment, program } from '../../e2e/support/regtar.ts';
import { run, type RunOptions, type RunResult } from '../../support/run.ts';

/** What `npm run build:standalone` makes. */
export const standaloneFolder = fileURLToPath(new URL('../../../build/standalone/', import.meta.url));

export const executableName = `regtar-${process.platform}-${process.arch}`;
/** What it makes for each processor. */
export const executables = ['regtar-linux-x64', 'regtar-linux-arm64'];
export const moduleName = 'regtar.mjs';

/** The program in every form that it is carried in: what to start, and what with. */
export const forms: readonly { readonly name: string; readonly start: readonly [string, ...string[]] }[] = [
  { name: 'the package', start: [process.execPath, program] },
  { name: moduleName, start: [process.execPath, `${standaloneFolder}${moduleName}`] },
  { name: executableName, start: [`${standaloneFolder}${executableName}`] },
];

/** Makes build/standalone, unless it was made from these sources. */
export async function buildStandalone(): Promise<void> {
  await run(process.execPath, [
    fileURLToPath(new URL('../../../scripts/build-standalone.js', import.meta.url)),
    '--if-changed',
  ]);
}

/** Runs one form as on a machine that has nothing else: no Node to be found, nobody's settings. */
export async function runForm(
  start: readonly [string, ...string[]],
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const [command, ...first] = start;
  return run(command, [...first, ...args], {
    ...options,
    env: { ...bareEnvironment, PATH: '/nonexistent', ...options.env },
  });
}
