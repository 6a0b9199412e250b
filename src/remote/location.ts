import { hostName } from '../net/host.ts';

/**
 * A Location or realm as a URL. A registry behind a proxy often names its own host with the wrong scheme; then the scheme that
 * works is kept, because credentials must neither be lost nor go out unencrypted.
 * @param registry the registry's origin
 * @returns undefined when the text is no URL
 */
export function resolveLocation(location: string, base: URL, registry: URL): URL | undefined {
  if (location === '' || !URL.canParse(location, base.href)) return undefined;
  const url = new URL(location, base);
  const sameHost =
    url.host === registry.host ||
    (url.port === '' && registry.port === '' && hostName(url.host) === hostName(registry.host));
  if (sameHost && url.protocol !== registry.protocol) url.protocol = registry.protocol;
  return url;
}
