import { bareEnvironment, program } from '../../e2e/support/regtar.ts';
import { startProcess, type StartedProcess } from '../../support/start-process.ts';

export interface Served {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** `http://127.0.0.1:PORT`, or https. */
  readonly url: string;
  readonly process: StartedProcess;
}

const address = / at (https?:\/\/(\S+?:\d+))/;

/** Starts `regtar serve …` on a free port of 127.0.0.1, unless the arguments say where, and waits for its line. */
export async function startServe(
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string>>;
    /** Finds the URL and in it the host in what it writes. */
    readonly ready?: RegExp;
  } = {},
): Promise<Served> {
  const { ready = address } = options;
  const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
  const started = await startProcess(process.execPath, [program, 'serve', ...args, ...listen], {
    cwd: options.cwd,
    env: { ...bareEnvironment, ...options.env },
    ready: async (log) => ready.test(log),
  });
  const [, url = '', host = ''] = ready.exec(started.log()) ?? [];
  return { url, host, process: started };
}
