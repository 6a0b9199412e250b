import { BlockList, isIP } from 'node:net';
import { RegtarError } from '../errors.ts';
import { isLoopback } from './host.ts';
import { Secret } from './secret.ts';

/** The variables of an environment; a copy, or `process.env` from the command line. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Chooses the proxy of a URL as Go's programs do, so that what works for docker and skopeo works here: `HTTPS_PROXY`
 * for https,
 * `HTTP_PROXY` for http, lower case first; never for loopback; not for what `NO_PROXY` names (`*`, hosts with their
 * subdomains, addresses, CIDR ranges, each with an optional port).
 * @returns a function from a URL to its proxy, undefined for a direct connection
 * @throws RegtarError CONFIG_INVALID when a variable holds no http or https URL
 */
export function chooseProxies(env: Environment): (url: URL) => URL | undefined {
  const proxies = { 'https:': proxyOf(env, 'https_proxy'), 'http:': proxyOf(env, 'http_proxy') };
  const exempt = parseNoProxy(env['no_proxy'] ?? env['NO_PROXY'] ?? '');
  return (url) => {
    const proxy = url.protocol === 'https:' ? proxies['https:'] : proxies['http:'];
    return proxy === undefined || isLoopback(url.hostname) || exempt(url) ? undefined : proxy;
  };
}

/**
 * What a proxy is shown, where its URL has a user: `Basic` and the pair in base64. A pair that is not escaped as it is
 * in URLs is taken as it stands.
 */
export function proxyAuthorization({ username, password }: URL): Secret | undefined {
  if (username === '') return undefined;
  return new Secret(`Basic ${Buffer.from(`${unescape(username)}:${unescape(password)}`).toString('base64')}`);
}

function unescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function proxyOf(env: Environment, name: string): URL | undefined {
  const text = env[name] ?? env[name.toUpperCase()] ?? '';
  if (text === '') return undefined;
  const full = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  // The value stays out of the message: proxies have passwords too.
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw new RegtarError('CONFIG_INVALID', `${name.toUpperCase()} is not the http or https URL of a proxy`, {
      hint: 'write http://proxy.example.com:3128, or unset it',
    });
  }
  return url;
}

function parseNoProxy(text: string): (url: URL) => boolean {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  const ranges = new BlockList();
  const names: { readonly name: string; readonly port: string | undefined }[] = [];
  for (const entry of entries) {
    if (entry === '*') return () => true;
    if (addRange(ranges, entry)) continue;
    const match = /^(\[[^\]]+\]|[^:]+)(?::([0-9]+))?$/.exec(entry.toLowerCase());
    if (match?.[1] !== undefined) names.push({ name: match[1].replace(/^\*?\./, ''), port: match[2] });
  }
  return (url) => {
    const name = url.hostname.toLowerCase();
    const port = url.port || (url.protocol === 'https:' ? '443' : '80');
    const address = name.replace(/^\[|\]$/g, '');
    const family = isIP(address);
    if (family !== 0 && ranges.check(address, family === 6 ? 'ipv6' : 'ipv4')) return true;
    return names.some(
      (entry) =>
        (entry.port === undefined || entry.port === port) && (name === entry.name || name.endsWith(`.${entry.name}`)),
    );
  };
}

function addRange(ranges: BlockList, entry: string): boolean {
  const [address = '', bits] = entry.split('/');
  const family = isIP(address);
  if (family === 0) return false;
  const type = family === 6 ? 'ipv6' : 'ipv4';
  if (bits === undefined) ranges.addAddress(address, type);
  else if (/^[0-9]+$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32))
    ranges.addSubnet(address, Number(bits), type);
  return true;
}
