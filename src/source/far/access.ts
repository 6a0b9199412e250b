import type { Environment } from '../../net/proxy.ts';
import type { RetryOptions } from '../../net/retry.ts';
import type { Secret } from '../../net/secret.ts';
import type { RequestListener } from '../../net/sender.ts';

/** How bytes elsewhere are reached: SOURCE's own credentials and certificates, which TARGET never sees. */
export interface FarAccess {
  /** With `password`: basic authentication. */
  readonly username?: string | undefined;
  /** Alone: a bearer token. */
  readonly password?: Secret | undefined;
  /** Of an S3 server, where its address names none. */
  readonly s3Endpoint?: string | undefined;
  /** Trusted besides the system's authorities. */
  readonly caFile?: string | undefined;
  /** Whether `http://` is taken beyond loopback. @defaultValue false */
  readonly plainHttp?: boolean | undefined;
  /** Proxies, certificates and, for s3, credentials and region are read from it. */
  readonly env?: Environment | undefined;
  readonly home?: string | undefined;
  readonly retry?: RetryOptions | undefined;
  /** How long no byte may move. @defaultValue 60 */
  readonly stallTimeoutSeconds?: number | undefined;
  /** @defaultValue `regtar` */
  readonly userAgent?: string | undefined;
  /** Told of every request, repeated ones included. */
  readonly onRequest?: RequestListener | undefined;
}

/** Connections to one server. The figures of docs/decisions say why not more. */
export const farConnections = 12;

/** Of an answer that broke off, less than this is as good as nothing: a gigabyte would take millions of requests. */
export const leastProgressBytes = 64 * 1024;
