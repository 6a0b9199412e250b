import type { FarRequest, FarTls } from '../io/far-bytes.ts';
import type { TlsSettings } from './tls.ts';
import type { TransportRequest } from './transport.ts';

/** What a thread needs to send one request without a body by itself. */
export type DirectRequest = Pick<FarRequest, 'host' | 'port' | 'tls' | 'head' | 'stallSeconds'>;

/** How such a request travels. */
export interface DirectOptions {
  readonly tls: TlsSettings;
  readonly proxyOf: (url: URL) => URL | undefined;
  readonly stallTimeoutSeconds: number;
}

/** What a header may be, so that a line stays one line. */
const plainValue = /^[\x20-\x7e]*$/;

/** @returns undefined for what goes through a proxy, or has to be written with care: the transport knows how */
export function directRequest(
  { method, url, headers }: TransportRequest,
  { tls, proxyOf, stallTimeoutSeconds }: DirectOptions,
): DirectRequest | undefined {
  if (proxyOf(url) !== undefined || !Object.values(headers).every((value) => plainValue.test(value))) return undefined;
  const isSecure = url.protocol === 'https:';
  const lines = [
    `${method} ${url.pathname}${url.search} HTTP/1.1`,
    ...Object.entries({ host: url.host, connection: 'keep-alive', ...headers }).map((header) => header.join(': ')),
  ];
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (isSecure ? 443 : 80),
    tls: isSecure ? sharedTls(url, tls) : undefined,
    head: `${lines.join('\r\n')}\r\n\r\n`,
    stallSeconds: stallTimeoutSeconds,
  };
}

/** Made once for all requests: a few hundred authorities are half a megabyte. */
const shared = new WeakMap<object, FarTls>();
let made = 0;

function sharedTls(url: URL, tls: TlsSettings): FarTls {
  const material = tls.material(url);
  const known = shared.get(material);
  if (known !== undefined) return known;
  const bytes = Buffer.from(JSON.stringify(material));
  const memory = new SharedArrayBuffer(bytes.length);
  new Uint8Array(memory).set(bytes);
  const secure = { id: String(made++), material: memory };
  shared.set(material, secure);
  return secure;
}
