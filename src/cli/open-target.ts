import { openRegistry, type Registry } from '../remote/registry.ts';
import type { Target } from '../remote/target.ts';
import type { Context } from './context.ts';
import { readCredentials, type AccountOptions } from './credentials.ts';
import { homeFolder } from './user.ts';

/** How regtar talks to a registry: credentials, certificates, patience. */
export interface RemoteOptions extends AccountOptions {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly certDir?: string;
  readonly insecure?: boolean;
  readonly plainHttp?: boolean;
  readonly retryTimes?: number;
  readonly retryDelay?: number;
  readonly stallTimeout?: number;
}

/**
 * Opens the registry of a target with everything that the command line says of it.
 * @throws RegtarError USAGE, CREDENTIALS_INVALID, CONFIG_INVALID
 */
export function openTarget(
  target: Target,
  options: RemoteOptions & { readonly jobs: number },
  context: Context,
): Promise<Registry> {
  return readCredentials(target.host, options, context.signal).then((credentials) =>
    openRegistry({
      host: target.host,
      scheme: options.plainHttp === true ? 'http' : target.scheme,
      credentials,
      tls: {
        caFile: options.caFile,
        certFile: options.certFile,
        keyFile: options.keyFile,
        certDir: options.certDir,
        insecure: options.insecure,
        env: process.env,
        home: homeFolder(),
      },
      env: process.env,
      retry: {
        ...(options.retryTimes !== undefined && { times: options.retryTimes }),
        ...(options.retryDelay !== undefined && { delaySeconds: options.retryDelay }),
      },
      stallTimeoutSeconds: options.stallTimeout,
      connections: options.jobs,
      userAgent: `regtar/${context.version}`,
      onWarning: (text) => context.output.message(`${target.host} warns: ${text}`),
      onTrouble: (text) => context.output.message(text),
      signal: context.signal,
    }),
  );
}
