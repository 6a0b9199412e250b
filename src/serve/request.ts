import type { Digest } from '../oci/digest.ts';

/** What a client asks, as far as answers depend on it. */
export interface RegistryRequest {
  readonly method: string;
  /** As in the request line: `/v2/library/alpine/manifests/3.20?ns=docker.io`. */
  readonly target: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Some bytes of a blob, read when they are sent. */
export interface BlobPiece {
  readonly digest: Digest;
  /** Offset of the first byte. */
  readonly start: number;
  /** Offset behind the last byte. */
  readonly end: number;
}

/** What a client is told. `Content-Length` is always among the headers. */
export interface RegistryAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent one after the other; empty for HEAD. */
  readonly body: readonly (Uint8Array | BlobPiece)[];
  /** The manifest that this answer speaks of, for the log of pulls. */
  readonly manifest?: ServedManifest;
}

/** A manifest that a client was given or told of. */
export interface ServedManifest {
  readonly repository: string;
  /** undefined where the client named it by its digest. */
  readonly tag: string | undefined;
  readonly digest: Digest;
  /** What an index refers to; empty for an image. */
  readonly children: readonly Digest[];
}

/** @returns an answer with bytes that are in memory; without them where the method is HEAD */
export function answerBytes(
  request: RegistryRequest,
  status: number,
  headers: Readonly<Record<string, string>>,
  bytes: Uint8Array,
): RegistryAnswer {
  return {
    status,
    headers: { ...headers, 'Content-Length': String(bytes.length) },
    body: request.method === 'HEAD' ? [] : [bytes],
  };
}
