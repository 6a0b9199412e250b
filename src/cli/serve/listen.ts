import { hostname } from 'node:os';
import { RegtarError } from '../../errors.ts';

/** Where a server listens: an address, or a socket that another program opened. */
export type ListenPlace = { readonly host: string; readonly port: number } | { readonly descriptor: number };

/** The address that only this machine reaches. */
export const defaultListen = '127.0.0.1:5000';

/** Sockets of systemd begin behind standard error. @see sd_listen_fds(3) */
const firstDescriptor = 3;

/**
 * Where to listen: `--listen`, else the socket that systemd opened, else the default.
 * @throws RegtarError USAGE
 */
export function chooseListen(
  listen: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): ListenPlace {
  if (listen === undefined && env['LISTEN_PID'] === String(pid) && /^[1-9]\d*$/.test(env['LISTEN_FDS'] ?? '')) {
    if (env['LISTEN_FDS'] !== '1')
      throw new RegtarError('USAGE', `systemd hands over ${env['LISTEN_FDS']} sockets, but only one can be served`, {
        side: 'usage',
        hint: 'leave one ListenStream= in the socket unit',
      });
    return { descriptor: firstDescriptor };
  }
  return parseListen(listen ?? defaultListen);
}

/**
 * Reads `HOST:PORT`; `:PORT` is every address of the machine.
 * @throws RegtarError USAGE
 */
export function parseListen(text: string): { readonly host: string; readonly port: number } {
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

/**
 * `host:port`, as it stands in the names of images.
 * @param name what clients call the machine, where the address is every one
 */
export function formatHost(host: string, port: number, name: string | undefined): string {
  if (isEveryAddress(host)) return `${name ?? hostname()}:${port}`;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
