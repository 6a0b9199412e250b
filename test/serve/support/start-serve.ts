import { bareEnvironment, program } from '../../e2e/support/regtar.ts';
import { startProcess, type StartedProcess } from '../../support/start-process.ts';

export interface Served {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** `http://127.0.0.1:PORT`, or https. */
  readonly url: string;
  readonly process: StartedProcess;
}

const address = / at ((https?):\/\/(\S+?:\d+))/;

/** Starts `regtar serve …` on a free port of 127.0.0.1, unless the arguments say where, and waits for its line. */
export async function startServe(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Served> {
  const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
  const started = await startProcess(process.execPath, [program, 'serve', ...args, ...listen], {
    cwd: options.cwd,
    env: { ...bareEnvironment, ...options.env },
    ready: async (log) => address.test(log),
  });
  const [, url = '', , host = ''] = address.exec(started.log()) ?? [];
  return { url, host, process: started };
}
