import { readFileSync } from 'node:fs';
import { RegtarError, systemReason } from '../errors.ts';
import { Secret } from '../net/secret.ts';
import type { FarAccess } from '../source/far/access.ts';
import type { Context } from './context.ts';
import { homeFolder } from './user.ts';

/** What the command line says of a SOURCE that lies on a server; TARGET's options are others. */
export interface FarOptions {
  readonly sourceUsername?: string;
  readonly sourcePasswordFile?: string;
  readonly sourceCaFile?: string;
  readonly s3Endpoint?: string;
  readonly plainHttp?: boolean;
  readonly retryTimes?: number;
  readonly retryDelay?: number;
  readonly stallTimeout?: number;
}

/** @throws RegtarError USAGE, CREDENTIALS_INVALID */
export function farAccess(options: FarOptions, context: Context): FarAccess {
  if (options.sourceUsername !== undefined && options.sourcePasswordFile === undefined)
    throw new RegtarError('USAGE', '--source-username needs --source-password-file', {
      hint: 'every user of this machine could see a password on the command line',
    });
  return {
    username: options.sourceUsername,
    password: options.sourcePasswordFile === undefined ? undefined : readSecret(options.sourcePasswordFile),
    caFile: options.sourceCaFile,
    s3Endpoint: options.s3Endpoint,
    plainHttp: options.plainHttp,
    env: process.env,
    home: homeFolder(),
    retry: {
      ...(options.retryTimes !== undefined && { times: options.retryTimes }),
      ...(options.retryDelay !== undefined && { delaySeconds: options.retryDelay }),
    },
    stallTimeoutSeconds: options.stallTimeout,
    userAgent: `regtar/${context.version}`,
  };
}

function readSecret(path: string): Secret {
  const invalid = (reason: string, cause?: unknown): RegtarError =>
    new RegtarError('CREDENTIALS_INVALID', `--source-password-file ${path} ${reason}`, {
      hint: 'name a file that holds the password, or a token, and nothing else',
      cause,
    });
  let text: string;
  try {
    text = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw invalid(`cannot be read: ${systemReason(cause)}`, cause);
  }
  if (text === '' || /[\r\n]/.test(text)) throw invalid('must hold exactly one line');
  return new Secret(text);
}
