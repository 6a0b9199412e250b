import { isIPv6, type Server, type Socket } from 'node:net';

/**
 * Keeps one client from taking the places of all others: a connection beyond `most` of one address is closed at once.
 * Sockets of the file system have no address and no such limit.
 * @param most connections of one address; of IPv6, of one network of 64 bits, which is what a machine is given
 */
export function limitCrowds(server: Server, most: number): void {
  const crowds = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    if (socket.remoteAddress === undefined) return;
    const from = crowdOf(socket.remoteAddress);
    const count = (crowds.get(from) ?? 0) + 1;
    crowds.set(from, count);
    socket.once('close', () => {
      const left = (crowds.get(from) ?? 1) - 1;
      if (left > 0) crowds.set(from, left);
      else crowds.delete(from);
    });
    if (count > most) socket.destroy();
  });
}

/** Who is counted as one client. */
export function crowdOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=[0-9.]+$)/i, '').replace(/%.*$/, '');
  if (!isIPv6(plain)) return plain;
  const [left = '', right] = plain.split('::');
  const first = left === '' ? [] : left.split(':');
  const last = right === undefined || right === '' ? [] : right.split(':');
  const zeros = right === undefined ? 0 : 8 - first.length - last.length;
  return [...first, ...Array.from({ length: zeros }, () => '0'), ...last].slice(0, 4).join(':');
}
