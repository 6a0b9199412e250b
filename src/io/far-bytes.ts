/** Why an answer to a thread's request is not there, or not whole. */
export type FetchTrouble =
  /** The server answered something else than was asked for. */
  | 'refused'
  /** The connection broke, was never made, or nothing came for too long. */
  | 'broken'
  /** Bytes drip: going on would take for ever. */
  | 'slow';

/**
 * One request for a part of what a web server has, for threads that send it by themselves. It holds credentials: only
 * the thread and its server see it.
 */
export interface FarRequest {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Absent for plain http. */
  readonly tls?: FarTls | undefined;
  /** Everything that is sent. */
  readonly head: string;
  /** What the answer has to say beside 206 and its size: names in lower case, values to the letter. */
  readonly answer: Readonly<Record<string, string>>;
  /** The bytes that are asked for. */
  readonly size: number;
  /** How long no byte may move. */
  readonly stallSeconds: number;
}

/** How TLS is spoken with one server. */
export interface FarTls {
  /** The same for all requests that may share connections. */
  readonly id: string;
  /** `FarTlsMaterial` as JSON in UTF-8: threads share it, as it is large. */
  readonly material: SharedArrayBuffer;
}

/** In PEM. */
export interface FarTlsMaterial {
  readonly ca: readonly string[];
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly rejectUnauthorized: boolean;
}

/** The bytes of one blob on a web server, to be fetched once by a thread. */
export interface FarBytes {
  /** In bytes. */
  readonly size: number;
  /** @returns what asks for them; undefined where threads cannot ask, so that the usual way is left */
  ask(): Promise<FarRequest | undefined>;
  /**
   * After an answer that did not come whole: waits, sees that the server is there and still has this version.
   * @param position how many bytes have come
   * @returns what asks for the rest; undefined where the usual way is left
   * @throws RegtarError as the usual way would
   */
  askAgain(position: number, trouble: FetchTrouble, signal: AbortSignal | undefined): Promise<FarRequest | undefined>;
  /** Called for each answer; status 0 where none came. */
  answered(status: number): void;
}
