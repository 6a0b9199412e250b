/**
 * Every failure that regtar names. A code is part of the interface: programs may match it, it is never renamed.
 * What each means and what to do about it: docs/troubleshooting.md.
 */
export type ErrorCode =
  // wrong use
  | 'USAGE'
  | 'REFERENCE_INVALID'
  | 'TARGET_INVALID'
  | 'FILTER_INVALID'
  | 'MAP_INVALID'
  | 'CONFIG_INVALID'
  // the source
  | 'SOURCE_NOT_FOUND'
  | 'SOURCE_UNREADABLE'
  | 'SOURCE_EMPTY'
  | 'SOURCE_NOT_TAR'
  | 'SOURCE_NOT_REGISTRY'
  | 'SOURCE_COMPRESSED'
  | 'SOURCE_IS_DOCKER_ARCHIVE'
  | 'SOURCE_IS_OCI_LAYOUT'
  | 'SOURCE_CHANGED'
  | 'SOURCE_TOO_LARGE'
  | 'SOURCE_PART_MISSING'
  | 'SOURCE_ROOTS'
  | 'TAR_CUT'
  | 'TAR_HEADER_INVALID'
  | 'TAR_LINK_INVALID'
  | 'TAR_SPARSE'
  | 'TAR_NAME_TOO_LONG'
  | 'INDEX_STALE'
  // the storage
  | 'LINK_INVALID'
  | 'LINK_RECOVERED'
  | 'TAG_NO_CURRENT'
  | 'TAG_AMBIGUOUS'
  | 'TAG_REVISION_MISSING'
  | 'TAG_UNKNOWN'
  | 'NOTHING_SELECTED'
  | 'TAG_CONFLICT'
  | 'TAG_MAP_INVALID'
  | 'TAG_MAP_UNKNOWN'
  | 'PATH_INVALID'
  | 'REPOSITORY_INVALID'
  | 'TAG_INVALID'
  | 'DIGEST_INVALID'
  | 'LAYER_LINK_MISSING'
  | 'REVISION_LINK_MISSING'
  | 'BLOB_MISSING'
  | 'BLOB_CORRUPT'
  | 'BLOB_EMPTY'
  | 'BLOB_UNREADABLE'
  | 'STORAGE_V1'
  | 'STORAGE_TARSUM'
  // manifests
  | 'MANIFEST_INVALID'
  | 'MANIFEST_TOO_LARGE'
  | 'MANIFEST_CYCLE'
  | 'MANIFEST_UNSUPPORTED'
  | 'SCHEMA1'
  | 'CHILD_MISSING'
  | 'FOREIGN_LAYER'
  | 'PLATFORM_UNAVAILABLE'
  | 'PLATFORM_AMBIGUOUS'
  // outputs
  | 'OUTPUT_FOREIGN'
  | 'OUTPUT_BUSY'
  | 'OUTPUT_FULL'
  | 'OUTPUT_UNWRITABLE'
  | 'OUTPUT_NAME'
  | 'OUTPUT_COLLISION'
  // remote registries
  | 'TARGET_UNREACHABLE'
  | 'TARGET_TLS'
  | 'TARGET_TIMEOUT'
  | 'TARGET_NOT_REGISTRY'
  | 'TARGET_REFUSED'
  | 'TARGET_UNAVAILABLE'
  | 'TARGET_DIFFERS'
  | 'AUTH_FAILED'
  | 'AUTH_DENIED'
  | 'AUTH_TOKEN'
  | 'CREDENTIALS_INVALID'
  | 'CREDENTIAL_HELPER'
  | 'PROJECT_MISSING'
  | 'PROJECT_NEEDED'
  | 'PROJECT_INVALID'
  | 'PROJECT_PROXY'
  | 'PROJECT_FORBIDDEN'
  | 'QUOTA_EXCEEDED'
  | 'READ_ONLY'
  | 'TAG_IMMUTABLE'
  | 'TAG_EXISTS'
  | 'BODY_TOO_LARGE'
  | 'STATE_INVALID'
  // engines and reports
  | 'ENGINE_UNREACHABLE'
  | 'ENGINE_REFUSED'
  | 'REPORT_INVALID'
  | 'INTERRUPTED'
  | 'INTERNAL';

/** Who has to act: the person who typed, the backup, the output or registry, or regtar itself. */
export type ErrorSide = 'usage' | 'source' | 'target' | 'internal';

/** Where in a backup or a target something is wrong. */
export interface ErrorPlace {
  readonly path?: string;
  readonly offset?: number;
  readonly repository?: string;
  readonly tag?: string;
  readonly digest?: string;
  readonly url?: string;
  readonly status?: number;
}

/** What an error says beside its code and message. */
export interface ErrorDetails {
  readonly side: ErrorSide;
  /** The next step, for a person. */
  readonly hint?: string | undefined;
  readonly where?: ErrorPlace;
  readonly cause?: unknown;
}

/** The only error that regtar throws on purpose: `code` for programs, `message` (what and where) and `hint` for people. */
export class RegtarError extends Error {
  readonly code: ErrorCode;
  readonly side: ErrorSide;
  readonly hint: string | undefined;
  readonly where: ErrorPlace;

  constructor(code: ErrorCode, message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'RegtarError';
    this.code = code;
    this.side = details.side;
    this.hint = details.hint;
    this.where = details.where ?? {};
  }
}

/** What is wrong with a backup without stopping it: one row of `inspect`'s and `verify`'s lists. */
export interface Problem extends ErrorPlace {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Any thrown value as a RegtarError, so that reports always have a code. */
export function toRegtarError(error: unknown): RegtarError {
  if (error instanceof RegtarError) return error;
  if (error instanceof Error && error.name === 'AbortError') {
    return new RegtarError('INTERRUPTED', 'interrupted', {
      side: 'usage',
      cause: error,
      hint: 'run the same command again: it continues where it stopped',
    });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new RegtarError('INTERNAL', message, { side: 'internal', cause: error });
}

/** The `code` of a Node system error (`ENOENT`, `ENOSPC`, …); undefined for our own errors, whose codes are no system's. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && !(error instanceof RegtarError) && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
