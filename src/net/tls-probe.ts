import { connect, type PeerCertificate } from 'node:tls';
import { systemErrorCode } from '../errors.ts';

/** What a TLS greeting without verification, certificate or any further byte shows. */
export interface TlsProbe {
  /** Whether the other side speaks TLS at all. */
  readonly spoken: boolean;
  readonly certificate?: PeerCertificate;
  /** OpenSSL's code for what the other side objected to, such as the lack of a client certificate. */
  readonly alert?: string;
}

/** In TLS 1.3 a server refuses a client only after the handshake; this long its alert is waited for. */
const alertMilliseconds = 500;

/** How a host is greeted. */
export interface TlsProbeOptions {
  /** Waits half a second for an objection. @defaultValue false */
  readonly alerts?: boolean;
  /** For the whole greeting. @defaultValue 5000 */
  readonly timeoutMilliseconds?: number;
}

/**
 * Greets a host by TLS, to learn what it speaks or what is wrong with it; nothing is ever sent over such a connection.
 */
export function probeTls(url: URL, options: TlsProbeOptions = {}): Promise<TlsProbe> {
  return new Promise((resolve) => {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const isName = !/^[0-9.]+$|:/.test(host);
    const socket = connect({
      host,
      port: Number(url.port) || 443,
      rejectUnauthorized: false,
      ...(isName && { servername: host }),
    });
    let shaken: TlsProbe = { spoken: false };
    const finish = (probe: TlsProbe): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(probe);
    };
    // Not the socket's own: that one begins again with each byte of a handshake that never ends.
    const timer = setTimeout(() => finish(shaken), options.timeoutMilliseconds ?? 5000);
    socket.on('error', (error) => {
      const code = systemErrorCode(error) ?? '';
      const isAlert = /^ERR_SSL_.*ALERT/.test(code);
      finish(isAlert ? { ...shaken, spoken: true, alert: code } : shaken);
    });
    socket.once('secureConnect', () => {
      shaken = { spoken: true, certificate: socket.getPeerCertificate() };
      if (options.alerts !== true) return finish(shaken);
      setTimeout(() => finish(shaken), alertMilliseconds);
      // Without a reader the alert would never be seen.
      socket.resume();
      return undefined;
    });
  });
}
