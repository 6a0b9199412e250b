import type { PeerCertificate } from 'node:tls';
import { RegtarError, systemErrorCode } from '../errors.ts';
import { isLoopback } from './host.ts';
import { isTransientStatus } from './retry.ts';
import type { ServerWords } from './server-words.ts';
import { probeTls } from './tls-probe.ts';

/** Why a request got no answer. */
export interface Failure {
  readonly error: RegtarError;
  /** Whether the same request may succeed later. */
  readonly transient: boolean;
}

/** What is known of the connection that failed. */
export interface FailureContext {
  readonly words: ServerWords;
  /** False where a proxy stands between, so that nothing can be fetched. */
  readonly direct: boolean;
  /** Whether the host never answered before. */
  readonly first: boolean;
}

const lastingErrors = new WeakSet<RegtarError>();

/** Marks a time-out that another attempt would only repeat. */
export function lasting(error: RegtarError): RegtarError {
  lastingErrors.add(error);
  return error;
}

/**
 * Names a failure of the network: who was not reached, why, and what would help. Certificates are fetched once more,
 * without verification and without sending anything, so that subject and issuer can be named.
 */
export async function explainFailure(error: unknown, url: URL, context: FailureContext): Promise<Failure> {
  const { words } = context;
  if (error instanceof RegtarError)
    return { error, transient: error.code === words.codes.timeout && !lastingErrors.has(error) };
  const refusal = proxyStatus(error);
  if (refusal !== undefined) return explainProxy(error, refusal, url, words);
  const code = causeCode(error) ?? '';
  const tls = (message: string, hint: string | undefined): Failure => ({
    error: new RegtarError(words.codes.tls, message, { hint, cause: error }),
    transient: false,
  });
  const trouble = certificateTroubles[code];
  if (trouble !== undefined) {
    const certificate = context.direct ? (await probeTls(url)).certificate : undefined;
    const named = certificate === undefined ? '' : `; ${describeCertificate(certificate)}`;
    return tls(
      `${url.host} has a certificate that is not trusted: ${reasonOf(error)}${named}`,
      certificateHint(trouble, words),
    );
  }
  if (notTlsPattern.test(code)) return tls(`${url.host} does not speak TLS (${code})`, plainHint(words));
  if (/^ERR_SSL_|^ERR_TLS_/.test(code))
    return tls(`the TLS handshake with ${url.host} failed: ${reasonOf(error)}`, clientHint(words));
  // A refused client sees no more than a closed connection where the refusal comes after the handshake.
  const alert =
    context.first && context.direct && url.protocol === 'https:' && code !== 'ECONNREFUSED' && code !== 'ENOTFOUND'
      ? (await probeTls(url, { alerts: true })).alert
      : undefined;
  if (alert !== undefined)
    return tls(`${url.host} refused this client in the TLS handshake (${alert})`, clientHint(words));
  return explainUnreachable(error, code, url, words);
}

/** As undici says that a proxy has not connected: as if somebody had stopped the request. */
const proxyPattern = /^Proxy response \((\d+)\)/;

/** Whether a request failed since the proxy would not connect. */
export function isRefusedByProxy(error: unknown): boolean {
  return proxyStatus(error) !== undefined;
}

function proxyStatus(error: unknown): number | undefined {
  const status = error instanceof Error ? proxyPattern.exec(error.message)?.[1] : undefined;
  return status === undefined ? undefined : Number(status);
}

function explainProxy(error: unknown, status: number, url: URL, words: ServerWords): Failure {
  const hints: Readonly<Record<number, string>> = {
    403: `have the proxy allow ${url.host}, or name it in NO_PROXY where it can be reached directly`,
    407: 'the proxy asks for user and password: write http://USER:PASSWORD@HOST:PORT into HTTPS_PROXY',
  };
  return {
    error: new RegtarError(words.codes.unreachable, `the proxy does not connect to ${url.host}: it answers ${status}`, {
      hint: hints[status] ?? 'check HTTPS_PROXY and NO_PROXY, and look into the log of the proxy',
      where: { url: url.origin },
      cause: error,
    }),
    transient: isTransientStatus(status),
  };
}

function explainUnreachable(error: unknown, code: string, url: URL, words: ServerWords): Failure {
  const address = `${url.protocol}//${url.host}`;
  const fail = (message: string, hint: string | undefined, transient: boolean): Failure => ({
    error: new RegtarError(words.codes.unreachable, message, {
      hint,
      where: { url: address },
      cause: error,
    }),
    transient,
  });
  if (code === 'ENOTFOUND')
    return fail(`${address} was not found: no such host name`, 'check the name, and DNS or /etc/hosts', false);
  const message = `no answer from ${address}: ${reasonOf(error)}`;
  if (code === 'ECONNREFUSED')
    return fail(message, `nothing listens there: check host and port, and that the ${words.noun} runs`, true);
  return fail(
    message,
    isLoopback(url.host) ? undefined : 'check the network, firewalls, and HTTPS_PROXY and NO_PROXY',
    true,
  );
}

const notTlsPattern =
  /^(?:ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG|ERR_SSL_HTTP_REQUEST|ERR_SSL_UNKNOWN_PROTOCOL|EPROTO)$/;

type CertificateTrouble = 'untrusted' | 'expired' | 'early' | 'revoked' | 'name';

const certificateTroubles: Readonly<Record<string, CertificateTrouble>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'untrusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'untrusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'untrusted',
  UNABLE_TO_GET_ISSUER_CERT: 'untrusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'untrusted',
  CERT_UNTRUSTED: 'untrusted',
  INVALID_CA: 'untrusted',
  CERT_SIGNATURE_FAILURE: 'untrusted',
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'early',
  CERT_REVOKED: 'revoked',
  ERR_TLS_CERT_ALTNAME_INVALID: 'name',
};

function certificateHint(trouble: CertificateTrouble, { noun, options }: ServerWords): string {
  const skip = options.insecure === undefined ? '' : `; ${options.insecure} skips the check`;
  switch (trouble) {
    case 'untrusted':
      return (
        `if this is the right server, pass its authority with ${options.caFile} (or put it into ` +
        `certs.d/<host>/ca.crt)${skip}`
      );
    case 'expired':
      return `renew the ${noun}'s certificate, and check this machine's clock${skip}`;
    case 'early':
      return `check this machine's clock${skip}`;
    case 'revoked':
      return `renew the ${noun}'s certificate${skip}`;
    case 'name':
      return `use a host name that the certificate has, or renew it with this one${skip}`;
  }
}

function plainHint({ noun, options }: ServerWords): string | undefined {
  return options.plainHttp && `if the ${noun} is served over plain http, pass ${options.plainHttp}`;
}

function clientHint({ noun, options }: ServerWords): string | undefined {
  return (
    options.clientCertificate &&
    `if the ${noun} asks for a client certificate, pass ${options.clientCertificate}, or put them into certs.d`
  );
}

/** undici and proxies wrap the socket's error. */
function causeCode(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    const code = systemErrorCode(at);
    if (code !== undefined && !code.startsWith('UND_ERR_')) return code;
    if (at instanceof AggregateError && at.errors.length > 0) return causeCode(at.errors[0]);
  }
  return undefined;
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message.replace(/\s+/g, ' ').slice(0, 300) : String(error);
}

function describeCertificate({ subject, issuer, subjectaltname, valid_to }: PeerCertificate): string {
  const names = subjectaltname ?? 'none';
  return `subject ${nameOf(subject)}, issuer ${nameOf(issuer)}, names ${names}, valid until ${valid_to}`;
}

function nameOf(name: PeerCertificate['subject'] | undefined): string {
  const text = Object.entries(name ?? {})
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(', ');
  return text === '' ? '(empty)' : `"${text}"`;
}
