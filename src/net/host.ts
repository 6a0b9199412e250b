/** How a server is spoken to. */
export type Scheme = 'http' | 'https';

/** Whether a `host[:port]` is this machine itself. */
export function isLoopback(host: string): boolean {
  const name = hostName(host);
  return (
    name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127(?:\.[0-9]{1,3}){3}$/.test(name)
  );
}

/** `host[:port]` without its port; IPv6 addresses keep their brackets. */
export function hostName(host: string): string {
  return host.replace(/:[0-9]+$/, '');
}
