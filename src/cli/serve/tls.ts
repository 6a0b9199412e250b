import { hostname, networkInterfaces } from 'node:os';
import { createSecureContext } from 'node:tls';
import { RegtarError } from '../../errors.ts';
import type { ServerTls } from '../../serve/server.ts';
import { makeSelfSigned } from '../../serve/tls/certificate.ts';
import { keepSelfSigned } from '../../serve/tls/tls-folder.ts';
import type { Context } from '../context.ts';
import { readTextFile } from '../selection.ts';
import { isEveryAddress } from './listen.ts';

/** What the command line says of TLS. */
export interface ServerTlsOptions {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsSelfSigned?: boolean;
  readonly tlsDir?: string;
  readonly tlsName?: readonly string[];
}

/** A certificate with its key, and the authority that clients must be told of. */
export interface ChosenTls extends ServerTls {
  /** undefined where the certificate was given. */
  readonly authority: string | undefined;
}

/**
 * Reads or makes what TLS needs.
 * @param host where the server listens; undefined for a socket that another program opened
 * @returns undefined where no option asks for TLS
 * @throws RegtarError USAGE, TLS_INVALID, OUTPUT_UNWRITABLE
 */
export async function chooseTls(
  options: ServerTlsOptions,
  host: string | undefined,
  context: Pick<Context, 'output' | 'signal'>,
): Promise<ChosenTls | undefined> {
  const { tlsCert, tlsKey, tlsSelfSigned = false, tlsDir, tlsName } = options;
  if (tlsSelfSigned) {
    const names = selfSignedNames(host, tlsName ?? []);
    return tlsDir === undefined ? makeSelfSigned(names) : keepSelfSigned(tlsDir, names);
  }
  if (tlsDir !== undefined || tlsName !== undefined)
    throw usage('--tls-dir and --tls-name go with --tls-self-signed', 'add --tls-self-signed');
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw usage('--tls-cert and --tls-key belong together', 'one file may be given for both');
  const certificate = await readTextFile(tlsCert, context);
  const tls = { certificate, key: await readTextFile(tlsKey, context), authority: undefined };
  try {
    createSecureContext({ cert: tls.certificate, key: tls.key });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RegtarError('TLS_INVALID', `${tlsCert} and ${tlsKey} are not a certificate and its key: ${reason}`, {
      side: 'usage',
      cause,
      hint: 'both are PEM files; the key must not have a passphrase',
    });
  }
  return tls;
}

/** Under which names clients may come: those given, and those of the address. */
function selfSignedNames(host: string | undefined, given: readonly string[]): readonly string[] {
  const ofMachine = ['localhost', '127.0.0.1', '::1'];
  const names = [...given, ...(host === undefined || isEveryAddress(host) ? [] : [host])];
  if (host === undefined || isEveryAddress(host)) {
    const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    // Addresses of one link carry the name of an interface, which no certificate can.
    names.push(hostname(), ...addresses.map(({ address }) => address).filter((address) => !/^fe80:/i.test(address)));
  }
  return [...new Set([...names, ...ofMachine])];
}

function usage(message: string, hint: string): RegtarError {
  return new RegtarError('USAGE', message, { side: 'usage', hint });
}
