import type { ErrorCode } from '../errors.ts';

/** Whose server is spoken to: what its failures are called, and what helps against them. */
export interface ServerWords {
  /** As a person calls it: `registry`, `server`. */
  readonly noun: string;
  readonly codes: {
    /** Nothing answers at this address. */
    readonly unreachable: ErrorCode;
    /** Certificates and handshakes. */
    readonly tls: ErrorCode;
    /** No byte moved for the stall time-out. */
    readonly timeout: ErrorCode;
    /** It answers with something that cannot be used. */
    readonly refused: ErrorCode;
  };
  /** The options that help, as they are typed; undefined where there is none. */
  readonly options: {
    readonly caFile: string;
    readonly clientCertificate: string | undefined;
    readonly insecure: string | undefined;
    readonly plainHttp: string | undefined;
    readonly stallTimeout: string;
  };
}
