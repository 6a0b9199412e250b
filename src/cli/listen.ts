import { RegtarError } from '../errors.ts';

/** Where a server shall listen. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `HOST:PORT`; `:PORT` is every address of the machine.
 * @throws RegtarError USAGE
 */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new RegtarError('USAGE', `"${text}" is not an address to listen on`, {
      side: 'usage',
      hint: 'write --listen HOST:PORT, such as 127.0.0.1:5000, [::1]:5000, or :5000 for every address',
    });
  return { host: match[1] ?? (match[2] || '::'), port };
}

/** Whether an address stands for all of the machine. */
export function isEveryAddress(host: string): boolean {
  return host === '::' || host === '0.0.0.0';
}

/** `host:port`, as it stands in the names of images. */
export function formatHost(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
