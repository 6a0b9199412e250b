import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { FarRequest, FarTlsMaterial, FetchTrouble } from './far-bytes.ts';

/** Who gets an answer. Called while bytes come, so nothing here may throw. */
export interface RangeTaker {
  /** Bytes in order; they are overwritten when it returns. */
  take(chunk: Buffer): void;
  /**
   * Once, after the last byte.
   * @param status of the answer; 0 where none came
   */
  end(trouble: FetchTrouble | undefined, status: number): void;
}

/** Asks web servers for parts of files, over connections that are kept. */
export interface RangeClient {
  /** @returns lets go of it: nothing is called any more */
  get(request: FarRequest, taker: RangeTaker): () => void;
}

/**
 * The client of threads that do nothing but fetch: bytes go from the socket into one buffer, and nothing is allocated
 * for them. It knows one kind of answer, a 206 with a length that says what was asked for, and calls everything else
 * refused: who sends whole requests, `net`, finds out what it means.
 * Started in a thread from this function's own text, so it uses nothing from outside itself.
 * @param bufferBytes of each connection
 */
export function createRangeClient(bufferBytes: number): RangeClient {
  const net = process.getBuiltinModule('node:net');
  const tls = process.getBuiltinModule('node:tls');
  const longestHead = 32 * 1024;
  const longestConnectSeconds = 10;
  /** As in `net`: a body that drips never stalls, and never ends. */
  const leastWindowBytes = 64 * 1024;
  const leastWindowSeconds = 10;
  const stallsPerWindow = 5;

  interface Line {
    readonly key: string;
    readonly socket: Socket;
    /** Whether an answer came over it already. */
    isUsed: boolean;
    isOpen: boolean;
    got: ((bytes: Buffer) => void) | undefined;
    gone: (() => void) | undefined;
  }
  const none = Buffer.alloc(0);
  const idle = new Map<string, Line[]>();
  const contexts = new Map<string, SecureContext>();

  const contextOf = (id: string, { ca, cert, key }: FarTlsMaterial): SecureContext => {
    const known = contexts.get(id);
    if (known !== undefined) return known;
    const made = tls.createSecureContext({ ca: [...ca], ...(cert !== undefined && { cert }), ...(key && { key }) });
    contexts.set(id, made);
    return made;
  };
  const materialOf = (shared: SharedArrayBuffer): FarTlsMaterial =>
    JSON.parse(Buffer.from(Buffer.from(shared)).toString('utf8')) as FarTlsMaterial;

  const connect = ({ host, port, tls: secure }: FarRequest, key: string): Line => {
    let line: Line | undefined;
    const onread = {
      buffer: Buffer.allocUnsafeSlow(bufferBytes),
      callback: (count: number, bytes: Uint8Array): boolean => {
        const piece = Buffer.from(bytes.buffer, bytes.byteOffset, count);
        // Nothing was asked for: who speaks now says nothing that could be used.
        if (line?.got === undefined) socket.destroy();
        else line.got(piece);
        return true;
      },
    };
    const open = (): Socket => {
      if (secure === undefined) return net.connect({ host, port, onread });
      const material = materialOf(secure.material);
      return tls.connect({
        host,
        port,
        servername: net.isIP(host) === 0 ? host : '',
        secureContext: contextOf(secure.id, material),
        rejectUnauthorized: material.rejectUnauthorized,
        ALPNProtocols: ['http/1.1'],
        // Its types know it for net alone; it is passed on.
        ...({ onread } as object),
      });
    };
    const socket = open();
    socket.setNoDelay(true);
    const made: Line = { key, socket, isUsed: false, isOpen: true, got: undefined, gone: undefined };
    line = made;
    const close = (): void => {
      made.isOpen = false;
      socket.destroy();
      const others = idle.get(key);
      const at = others?.indexOf(made) ?? -1;
      if (at >= 0) others?.splice(at, 1);
      const { gone } = made;
      made.gone = undefined;
      gone?.();
    };
    socket.on('error', close).on('end', close).on('close', close);
    return made;
  };

  /** @returns `keep`: whether the connection may be kept; absent where the answer is not the one that was asked for */
  const readHead = (text: string, request: FarRequest): { readonly status: number; readonly keep?: boolean } => {
    const [first = '', ...lines] = text.split('\r\n');
    const status = Number(/^HTTP\/1\.1 ([0-9]{3})(?: |$)/.exec(first)?.[1] ?? 0);
    const headers = new Map<string, string>();
    for (const each of lines) {
      const colon = each.indexOf(':');
      const name = each.slice(0, colon).toLowerCase();
      const value = each.slice(colon + 1).trim();
      if (colon <= 0 || /[^!#-'*+.0-9^-z|~-]/.test(name)) return { status };
      headers.set(name, headers.has(name) ? `${headers.get(name) ?? ''}, ${value}` : value);
    }
    const isWanted =
      status === 206 &&
      headers.get('content-length') === String(request.size) &&
      !headers.has('transfer-encoding') &&
      (headers.get('content-encoding') ?? 'identity') === 'identity' &&
      Object.entries(request.answer).every(([name, value]) => headers.get(name) === value);
    return isWanted ? { status, keep: !/\bclose\b/i.test(headers.get('connection') ?? '') } : { status };
  };

  const get: RangeClient['get'] = (request, taker) => {
    const key = `${request.host} ${request.port} ${request.tls?.id ?? ''}`;
    let line: Line;
    let isOver = false;
    /** What has come of the answer's head; undefined behind it. */
    let head: Buffer | undefined = none;
    let status = 0;
    let mayKeep = false;
    let left = request.size;
    let last = performance.now();

    const over = (isKept: boolean): void => {
      isOver = true;
      clearInterval(timer);
      line.got = line.gone = undefined;
      if (!isKept) line.socket.destroy();
      else idle.set(key, [...(idle.get(key) ?? []), line]);
    };
    const fail = (trouble: FetchTrouble): void => {
      over(false);
      taker.end(trouble, status);
    };
    const body = (bytes: Buffer): void => {
      if (bytes.length === 0) return;
      const part = bytes.length > left ? bytes.subarray(0, left) : bytes;
      left -= part.length;
      windowBytes += part.length;
      taker.take(part);
      if (left > 0 || isOver) return;
      over(mayKeep && part.length === bytes.length && line.isOpen);
      taker.end(undefined, status);
    };
    const got = (bytes: Buffer): void => {
      last = performance.now();
      if (head === undefined) return body(bytes);
      const before = head.length;
      const all = before === 0 ? bytes : Buffer.concat([head, bytes]);
      const end = all.subarray(0, longestHead).indexOf('\r\n\r\n');
      if (end < 0) {
        if (all.length >= longestHead) fail('refused');
        else head = Buffer.from(all);
        return;
      }
      const answer = readHead(all.toString('latin1', 0, end), request);
      status = answer.status;
      head = undefined;
      line.isUsed = true;
      if (answer.keep === undefined) return fail('refused');
      mayKeep = answer.keep;
      body(bytes.subarray(end + 4 - before));
    };
    const send = (): void => {
      const kept = idle.get(key)?.pop();
      line = kept ?? connect(request, key);
      line.got = got;
      line.gone = () => {
        // The server may have closed it just then, as it may close what is idle.
        const isIdleOver = line.isUsed && head?.length === 0;
        if (!isIdleOver) fail('broken');
        else send();
      };
      const write = (): void => void line.socket.write(request.head, 'latin1');
      // Nobody is told a credential before the certificate is known to be right.
      if (kept === undefined && request.tls !== undefined) line.socket.once('secureConnect', write);
      else write();
    };

    const tick = Math.max(10, Math.min(1000, request.stallSeconds * 250));
    const connectMilliseconds = Math.min(request.stallSeconds, longestConnectSeconds) * 1000;
    const windowMilliseconds = 1000 * Math.max(stallsPerWindow * request.stallSeconds, leastWindowSeconds);
    let ticked = performance.now();
    let windowStart = ticked;
    let windowBytes = 0;
    const timer = setInterval(() => {
      const now = performance.now();
      const wasHeldUp = now - ticked > 2 * tick;
      ticked = now;
      // What waits in the socket has not been looked at: that is not a stall of the server.
      if (wasHeldUp) {
        last = windowStart = now;
        windowBytes = 0;
      }
      if (now - last > (line.socket.connecting ? connectMilliseconds : request.stallSeconds * 1000)) fail('broken');
      else if (now - windowStart > windowMilliseconds) {
        if (windowBytes < leastWindowBytes && left > 0) fail('slow');
        windowStart = now;
        windowBytes = 0;
      }
    }, tick);
    send();
    return () => {
      if (!isOver) over(false);
    };
  };
  return { get };
}
