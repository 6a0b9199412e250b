import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { RegtarError, systemReason } from '../errors.ts';
import type { FarTlsMaterial } from '../io/far-bytes.ts';
import type { Environment } from './proxy.ts';

/** What the user says of TLS; files are paths. */
export interface TlsOptions {
  /** Trusted besides the system's authorities. */
  readonly caFile?: string | undefined;
  /** A client certificate, with `keyFile`. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /**
   * A directory of `*.crt` (authorities), `*.cert` and `*.key` (client certificates); replaces the search in `certs.d`.
   */
  readonly certDir?: string | undefined;
  /** No verification of any certificate. */
  readonly insecure?: boolean | undefined;
  /** `SSL_CERT_FILE`, `SSL_CERT_DIR`, `NODE_EXTRA_CA_CERTS`, `XDG_CONFIG_HOME` are read from it. */
  readonly env?: Environment | undefined;
  readonly home?: string | undefined;
}

/** What TLS is built from: paths of certificates and keys. */
export interface TlsSettings {
  readonly insecure: boolean;
  /** For a connection to this address; the client certificate goes to the server's own host and port alone. */
  connectOptions(url: URL): { readonly secureContext: SecureContext; readonly rejectUnauthorized: boolean };
  /** The same as text, for threads; one object for each of the two. */
  material(url: URL): FarTlsMaterial;
}

interface Material {
  readonly authorities: readonly string[];
  readonly client: { readonly cert: string; readonly key: string } | undefined;
}

/**
 * Reads certificates for one server: files named by options, else the first `certs.d/<host[:port]>` of
 * `~/.config/containers`,
 * `/etc/containers` and `/etc/docker`; beside them the authorities of Node, of the system and of the environment.
 * @throws RegtarError CONFIG_INVALID naming a file that is missing or holds no certificate or key
 */
export function openTls(host: string, options: TlsOptions): TlsSettings {
  const material = userMaterial(host, options);
  const contexts = new Map<boolean, { readonly context: SecureContext; readonly material: FarTlsMaterial }>();
  const own = new URL(`https://${host}`).host;
  const contextFor = (url: URL): { readonly context: SecureContext; readonly material: FarTlsMaterial } => {
    const isOwn = url.protocol === 'https:' && url.host === own;
    const known = contexts.get(isOwn);
    if (known) return known;
    // Made once: a context of 300 authorities would otherwise be parsed again for every connection.
    const made = secureContext(material, options, isOwn);
    contexts.set(isOwn, made);
    return made;
  };
  return {
    insecure: options.insecure === true,
    connectOptions: (url) => ({
      secureContext: contextFor(url).context,
      rejectUnauthorized: options.insecure !== true,
    }),
    material: (url) => contextFor(url).material,
  };
}

function userMaterial(host: string, options: TlsOptions): Material {
  const directory = options.certDir ?? findCertsDirectory(host, options);
  const fromDirectory =
    directory === undefined ? { authorities: [], client: undefined } : readCertsDirectory(directory);
  const authorities = [
    ...(options.caFile === undefined ? [] : readAuthorities(options.caFile)),
    ...fromDirectory.authorities,
  ];
  if ((options.certFile === undefined) !== (options.keyFile === undefined)) {
    throw new RegtarError('CONFIG_INVALID', 'a client certificate needs both --cert-file and --key-file');
  }
  const client =
    options.certFile !== undefined && options.keyFile !== undefined
      ? { cert: readText(options.certFile), key: readText(options.keyFile) }
      : fromDirectory.client;
  if (client) checkClient(client, options.certFile ?? directory ?? '');
  return { authorities, client };
}

function findCertsDirectory(host: string, options: TlsOptions): string | undefined {
  const config =
    options.env?.['XDG_CONFIG_HOME'] || (options.home === undefined ? undefined : join(options.home, '.config'));
  const bases = [...(config === undefined ? [] : [join(config, 'containers')]), '/etc/containers', '/etc/docker'];
  return bases.map((base) => join(base, 'certs.d', host)).find((path) => existsSync(path));
}

function readCertsDirectory(directory: string): Material {
  let names: readonly string[];
  try {
    names = readdirSync(directory).sort();
  } catch (cause) {
    throw unreadable(directory, cause);
  }
  const certName = names.find((name) => name.endsWith('.cert'));
  const keyName =
    certName === undefined ? undefined : names.find((name) => name === certName.replace(/\.cert$/, '.key'));
  if (certName !== undefined && keyName === undefined) {
    throw new RegtarError('CONFIG_INVALID', `${join(directory, certName)} has no key beside it`, {
      hint: `put the key into ${certName.replace(/\.cert$/, '.key')}`,
    });
  }
  return {
    authorities: names
      .filter((name) => name.endsWith('.crt'))
      .flatMap((name) => readAuthorities(join(directory, name))),
    client:
      certName !== undefined && keyName !== undefined
        ? { cert: readText(join(directory, certName)), key: readText(join(directory, keyName)) }
        : undefined,
  };
}

function secureContext(
  material: Material,
  options: TlsOptions,
  own: boolean,
): { readonly context: SecureContext; readonly material: FarTlsMaterial } {
  const environment = options.env ?? {};
  const extra = environment['NODE_EXTRA_CA_CERTS'];
  const all = new Set([
    ...rootCertificates,
    ...systemAuthorities(environment),
    ...(extra ? pemBlocks(tryRead(extra)) : []),
    ...material.authorities,
  ]);
  const client = own && material.client ? { cert: material.client.cert, key: material.client.key } : {};
  const withAuthorities = (ca: string[]) => ({
    context: createSecureContext({ ...client, ca }),
    material: { ...client, ca, rejectUnauthorized: options.insecure !== true },
  });
  try {
    return withAuthorities([...all]);
  } catch {
    // One damaged certificate in the system's store must not cost all the others.
    return withAuthorities([...all].filter(isCertificate));
  }
}

const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

function systemAuthorities(environment: Environment): readonly string[] {
  const directories = (environment['SSL_CERT_DIR'] ?? '').split(':').filter((directory) => directory !== '');
  const files = directories.flatMap((directory) =>
    existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [],
  );
  const bundle = environment['SSL_CERT_FILE'] || systemBundles.find((path) => existsSync(path));
  return [...(bundle === undefined ? [] : [bundle]), ...files].flatMap((path) => pemBlocks(tryRead(path)));
}

function readAuthorities(path: string): readonly string[] {
  const blocks = pemBlocks(readText(path));
  if (blocks.length === 0 || !blocks.every(isCertificate)) {
    throw new RegtarError('CONFIG_INVALID', `${path} holds no PEM certificate`, {
      where: { path },
      hint: 'a certificate begins with -----BEGIN CERTIFICATE-----; convert DER with `openssl x509 -inform der`',
    });
  }
  return blocks;
}

function checkClient(client: { readonly cert: string; readonly key: string }, path: string): void {
  try {
    createSecureContext(client);
  } catch (cause) {
    throw new RegtarError(
      'CONFIG_INVALID',
      `the client certificate ${path} and its key do not work: ${cause instanceof Error ? cause.message : ''}`,
      {
        where: { path },
        hint: 'both must be PEM, belong together, and the key must have no pass phrase',
      },
    );
  }
}

function pemBlocks(text: string): readonly string[] {
  return text.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g) ?? [];
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): RegtarError {
  return new RegtarError('CONFIG_INVALID', `${path} cannot be read: ${systemReason(cause)}`, {
    where: { path },
    cause,
  });
}
