import type { PeerCertificate } from 'node:tls';
import { RegtarError, systemErrorCode } from '../errors.ts';
import { isLoopback } from './host.ts';
import { probeTls } from './tls-probe.ts';

/** Why a request got no answer. */
export interface Failure {
  readonly error: RegtarError;
  /** Whether the same request may succeed later. */
  readonly transient: boolean;
}

/**
 * Names a failure of the network: who was not reached, why, and what would help. Certificates are fetched once more, without
 * verification and without sending anything, so that subject and issuer can be named.
 * @param context `direct` is false where a proxy stands between, so that nothing can be fetched; `first` where the host never answered before
 */
export async function explainFailure(
  error: unknown,
  url: URL,
  context: { readonly direct: boolean; readonly first: boolean },
): Promise<Failure> {
  if (error instanceof RegtarError) return { error, transient: error.code === 'TARGET_TIMEOUT' };
  const code = causeCode(error) ?? '';
  const certificateHint = certificateHints[code];
  if (certificateHint !== undefined) {
    const certificate = context.direct ? (await probeTls(url)).certificate : undefined;
    const named =
      certificate === undefined
        ? ''
        : `; subject ${nameOf(certificate.subject)}, issuer ${nameOf(certificate.issuer)}, names ${certificate.subjectaltname ?? 'none'}, valid until ${certificate.valid_to}`;
    return lasting(
      'TARGET_TLS',
      `${url.host} has a certificate that is not trusted: ${reasonOf(error)}${named}`,
      certificateHint,
      error,
    );
  }
  if (notTlsPattern.test(code))
    return lasting(
      'TARGET_TLS',
      `${url.host} does not speak TLS (${code})`,
      'if the registry is served over plain http, pass --plain-http',
      error,
    );
  if (/^ERR_SSL_|^ERR_TLS_/.test(code)) {
    return lasting('TARGET_TLS', `the TLS handshake with ${url.host} failed: ${reasonOf(error)}`, clientHint, error);
  }
  // A refused client sees no more than a closed connection where the refusal comes after the handshake.
  const alert =
    context.first && context.direct && url.protocol === 'https:' && code !== 'ECONNREFUSED' && code !== 'ENOTFOUND'
      ? (await probeTls(url, { alerts: true })).alert
      : undefined;
  if (alert !== undefined)
    return lasting('TARGET_TLS', `${url.host} refused this client in the TLS handshake (${alert})`, clientHint, error);
  const address = `${url.protocol}//${url.host}`;
  if (code === 'ENOTFOUND')
    return lasting(
      'TARGET_UNREACHABLE',
      `${address} was not found: no such host name`,
      'check the target’s name, and DNS or /etc/hosts',
      error,
    );
  const hint =
    code === 'ECONNREFUSED'
      ? 'nothing listens there: check host and port, and that the registry runs'
      : isLoopback(url.host)
        ? undefined
        : 'check the network, firewalls, and HTTPS_PROXY and NO_PROXY';
  return {
    error: new RegtarError('TARGET_UNREACHABLE', `no answer from ${address}: ${reasonOf(error)}`, {
      hint,
      where: { url: address },
      cause: error,
    }),
    transient: true,
  };
}

const notTlsPattern =
  /^(?:ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG|ERR_SSL_HTTP_REQUEST|ERR_SSL_UNKNOWN_PROTOCOL|EPROTO)$/;
const clientHint =
  'if the registry asks for a client certificate, pass --cert-file and --key-file, or put them into certs.d';
const trustHint =
  'if this is the right server, pass its authority with --ca-file (or put it into certs.d/<host>/ca.crt); --insecure skips the check';
const certificateHints: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: trustHint,
  SELF_SIGNED_CERT_IN_CHAIN: trustHint,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: trustHint,
  UNABLE_TO_GET_ISSUER_CERT: trustHint,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: trustHint,
  CERT_UNTRUSTED: trustHint,
  INVALID_CA: trustHint,
  CERT_SIGNATURE_FAILURE: trustHint,
  CERT_HAS_EXPIRED: 'renew the registry’s certificate, and check this machine’s clock; --insecure skips the check',
  CERT_NOT_YET_VALID: 'check this machine’s clock; --insecure skips the check',
  CERT_REVOKED: 'renew the registry’s certificate; --insecure skips the check',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'use a host name that the certificate has, or renew it with this one; --insecure skips the check',
};

function lasting(code: 'TARGET_TLS' | 'TARGET_UNREACHABLE', message: string, hint: string, cause: unknown): Failure {
  return { error: new RegtarError(code, message, { side: 'target', hint, cause }), transient: false };
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

function nameOf(name: PeerCertificate['subject'] | undefined): string {
  const text = Object.entries(name ?? {})
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(', ');
  return text === '' ? '(empty)' : `"${text}"`;
}
