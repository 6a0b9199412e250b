import { fileURLToPath } from 'node:url';
import { run, type RunOptions, type RunResult } from '../../support/run.ts';

/** The program as it ships; `npm run build` makes it. */
export const program = fileURLToPath(new URL('../../../bin/regtar.js', import.meta.url));

export interface Account {
  readonly username: string;
  readonly password: string;
}

export interface PushReport {
  readonly images: readonly {
    readonly repository: string;
    readonly tag?: string;
    readonly digest?: string;
    readonly target?: string;
    readonly status: string;
    readonly state?: string;
    /** It failed because the target was gone before its turn. */
    readonly untried?: true;
    readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
  }[];
  readonly blobs: {
    readonly copied: number;
    readonly present: number;
    readonly mounted: number;
    readonly bytes: number;
    readonly placed?: number;
  };
  readonly unnamedBlobs?: readonly string[];
  readonly projectsToCreate?: readonly string[];
  readonly estimate?: {
    readonly images: Readonly<Record<string, number>>;
    readonly upload: { readonly blobs: number; readonly bytes: number };
    readonly mount: { readonly blobs: number; readonly bytes: number };
    readonly requests: number;
    readonly place?: { readonly blobs: number; readonly bytes: number };
    readonly lacking?: {
      readonly inTarget: { readonly blobs: number; readonly bytes: number };
      readonly nowhere: { readonly blobs: number; readonly bytes: number };
    };
  };
}

export type PushResult = RunResult & { readonly report: PushReport };

/** Nobody's login files, settings or proxies may reach the program. */
export const quietEnvironment = {
  HOME: '/nonexistent',
  DOCKER_CONFIG: '/nonexistent',
  XDG_RUNTIME_DIR: '/nonexistent',
  XDG_CONFIG_HOME: '/nonexistent',
  HTTP_PROXY: undefined,
  HTTPS_PROXY: undefined,
  http_proxy: undefined,
  https_proxy: undefined,
};

/** `regtar push SOURCE TARGET --json …`; a failure is an answer too. */
export async function push(
  source: string,
  target: string,
  options: { readonly account?: Account; readonly args?: readonly string[]; readonly run?: RunOptions } = {},
): Promise<PushResult> {
  const { account, args = [] } = options;
  const login = account === undefined ? [] : ['--username', account.username, '--password-stdin'];
  const result = await run(
    process.execPath,
    [program, 'push', '--json', '--no-progress', '--retry-delay', '0.05', ...login, ...args, source, target],
    {
      ...options.run,
      env: { ...quietEnvironment, ...options.run?.env },
      input: account?.password,
      allowFailure: true,
    },
  );
  return {
    ...result,
    report:
      result.stdout === ''
        ? { images: [], blobs: { copied: 0, present: 0, mounted: 0, bytes: 0 } }
        : (JSON.parse(result.stdout) as PushReport),
  };
}

/** Codes of the images that failed, by `repository:tag`. */
export function failures({ report }: PushResult): Record<string, string> {
  return Object.fromEntries(
    report.images
      .filter(({ error }) => error !== undefined)
      .map(({ repository, tag, digest, error }) => [
        tag === undefined ? `${repository}@${digest ?? ''}` : `${repository}:${tag}`,
        error?.code ?? '',
      ]),
  );
}

/** How many images have each status. */
export function statuses({ report }: PushResult): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of report.images) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
