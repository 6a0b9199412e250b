import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { run, type RunOptions, type RunResult } from '../../support/run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** The program that people start. */
export const program = fileURLToPath(new URL('../../../bin/regtar.js', import.meta.url));

const built = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

/** Empty, and both home and working directory unless a test says otherwise: nobody's credentials or settings take part. */
const nowhere = temporaryFolder();

/** What of this machine could change what regtar does. */
export const bareEnvironment: Readonly<Record<string, string | undefined>> = {
  ...Object.fromEntries(
    Object.keys(process.env)
      .filter((name) => /^(REGTAR_|DOCKER_|REGISTRY_|AWS_|XDG_|SSL_CERT|NODE_EXTRA)|_proxy$/i.test(name))
      .map((name) => [name, undefined]),
  ),
  HOME: nowhere.path,
  NO_COLOR: '1',
};

/** Runs `regtar …` to its end. Failures are returned, not thrown: their exit codes are what tests look at. */
export async function regtar(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  if (!existsSync(built)) throw new Error('dist/main.js is not there: run `npm run build` first');
  return run(process.execPath, [program, ...args], {
    cwd: nowhere.path,
    allowFailure: true,
    ...options,
    env: { ...bareEnvironment, ...options.env },
  });
}

/** Runs `regtar …`, which must end with 0. @throws Error with its standard error otherwise */
export async function regtarDone(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return regtar(args, { ...options, allowFailure: false });
}

/** Runs `regtar … --json` and parses the report. @param code the exit code that is expected */
export async function regtarJson<Report>(args: readonly string[], code = 0, options: RunOptions = {}): Promise<Report> {
  const result = await regtar([...args, '--json'], options);
  if (result.code !== code) throw new Error(`regtar ${args.join(' ')} ended with ${result.code}\n${result.stderr}`);
  return JSON.parse(result.stdout) as Report;
}
