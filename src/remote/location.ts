import { RegtarError } from '../errors.ts';
import { hostName, isLoopback } from '../net/host.ts';

/**
 * A Location as a URL. A registry behind a proxy often names its own host with the wrong scheme; then the scheme that
 * works is kept, because what is sent must neither be lost nor go out unencrypted.
 * @param registry the registry's origin
 * @returns undefined when the text is not a URL
 */
export function resolveLocation(location: string, base: URL, registry: URL): URL | undefined {
  if (location === '' || !URL.canParse(location, base.href)) return undefined;
  const url = new URL(location, base);
  if (isSameHost(url, registry) && url.protocol !== registry.protocol) url.protocol = registry.protocol;
  return url;
}

/**
 * Where a registry leads, as far as it may: never from https to http, and never from elsewhere to this machine.
 * @returns undefined when the text is not a URL
 * @throws RegtarError TARGET_REFUSED for addresses to which nothing is sent
 */
export function followLocation(location: string, base: URL, registry: URL): URL | undefined {
  const url = resolveLocation(location, base, registry);
  if (url === undefined) return undefined;
  const refuse = (why: string): RegtarError =>
    new RegtarError('TARGET_REFUSED', `${registry.host} leads to ${url.origin}, ${why}; nothing was sent there`, {
      where: { url: url.origin },
      hint: "correct the registry's external URL, or what the proxy before it says of scheme and host",
    });
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse('which is not an address of a registry');
  if (registry.protocol === 'https:' && url.protocol === 'http:') throw refuse('where images would travel in clear');
  if (isLoopback(url.host) && !isLoopback(registry.host)) throw refuse('which is this machine');
  return url;
}

/** The same host and port, or the same host where each has the port of its scheme. */
export function isSameHost(url: URL, registry: URL): boolean {
  if (url.host === registry.host) return true;
  return url.port === '' && registry.port === '' && hostName(url.host) === hostName(registry.host);
}
