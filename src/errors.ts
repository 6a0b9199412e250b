/** Who has to act: the person who typed, the backup, the output or registry, or regtar itself. */
export type ErrorSide = 'usage' | 'source' | 'target' | 'internal';

/** What a code means to a program: asked by every room that treats some codes differently from others. */
export interface CodeFacts {
  /** Who has to act, unless the place that throws knows better. */
  readonly side: ErrorSide;
  /**
   * What a problem with this code says about the backup: `none` harms no image, `damage` makes `regtar verify` end with
   * 4, and `loss` is damage after which something may be missing that cannot be named.
   */
  readonly harm: 'none' | 'damage' | 'loss';
  /**
   * How much of a run ends with it: `run` leaves no output worth a report; after `rest` what arrived stays, and nothing
   * more is tried;
   * `repository` refuses one repository or project, `image` one image.
   */
  readonly ends: 'run' | 'rest' | 'repository' | 'image';
  /**
   * Whether it may pass, so that another attempt makes sense. When many images in a row meet it, the target is gone.
   */
  readonly again: boolean;
  /** The output cannot hold such an image: it is skipped, it did not fail. */
  readonly skips?: true;
  /** What happened to a tag's own link; choosing the tag's digest settles it. */
  readonly tag?: 'lost' | 'recovered';
}

/** One line for each code. A new one needs its cause and remedy in `cli/help/error-codes.ts`, too. */
const table = {
  // wrong use
  USAGE: { side: 'usage', harm: 'none', ends: 'image', again: false },
  REFERENCE_INVALID: { side: 'usage', harm: 'none', ends: 'image', again: false },
  TARGET_INVALID: { side: 'usage', harm: 'none', ends: 'image', again: false },
  FILTER_INVALID: { side: 'usage', harm: 'none', ends: 'image', again: false },
  MAP_INVALID: { side: 'usage', harm: 'none', ends: 'image', again: false },
  CONFIG_INVALID: { side: 'usage', harm: 'none', ends: 'image', again: false },
  // the source
  SOURCE_NOT_FOUND: { side: 'usage', harm: 'none', ends: 'image', again: false },
  SOURCE_UNREADABLE: { side: 'source', harm: 'loss', ends: 'image', again: false },
  SOURCE_EMPTY: { side: 'source', harm: 'damage', ends: 'image', again: false },
  SOURCE_NOT_TAR: { side: 'source', harm: 'damage', ends: 'image', again: false },
  SOURCE_NOT_REGISTRY: { side: 'source', harm: 'damage', ends: 'image', again: false },
  SOURCE_COMPRESSED: { side: 'source', harm: 'damage', ends: 'image', again: false },
  SOURCE_DOCKER_LEGACY: { side: 'source', harm: 'damage', ends: 'image', again: false },
  SOURCE_NAMES_MISSING: { side: 'usage', harm: 'none', ends: 'image', again: false },
  SOURCE_CHANGED: { side: 'source', harm: 'loss', ends: 'run', again: false },
  SOURCE_TOO_LARGE: { side: 'source', harm: 'damage', ends: 'image', again: false },
  MEMORY_FULL: { side: 'source', harm: 'none', ends: 'run', again: false },
  SOURCE_PART_MISSING: { side: 'source', harm: 'damage', ends: 'image', again: false },
  SOURCE_UNREACHABLE: { side: 'source', harm: 'loss', ends: 'image', again: true },
  SOURCE_DENIED: { side: 'source', harm: 'loss', ends: 'run', again: false },
  SOURCE_NO_RANGES: { side: 'source', harm: 'none', ends: 'run', again: false },
  SOURCE_ROOTS: { side: 'source', harm: 'none', ends: 'image', again: false },
  TAR_CUT: { side: 'source', harm: 'loss', ends: 'image', again: false },
  TAR_PADDING: { side: 'source', harm: 'none', ends: 'image', again: false },
  TAR_HEADER_INVALID: { side: 'source', harm: 'loss', ends: 'image', again: false },
  TAR_LINK_INVALID: { side: 'source', harm: 'damage', ends: 'image', again: false },
  TAR_SPARSE: { side: 'source', harm: 'loss', ends: 'image', again: false },
  TAR_NAME_TOO_LONG: { side: 'source', harm: 'loss', ends: 'image', again: false },
  INDEX_STALE: { side: 'source', harm: 'none', ends: 'image', again: false },
  VOLUME_MISSING: { side: 'source', harm: 'none', ends: 'image', again: false },
  // the storage
  LINK_INVALID: { side: 'source', harm: 'damage', ends: 'image', again: false, tag: 'lost' },
  LINK_RECOVERED: { side: 'source', harm: 'damage', ends: 'image', again: false, tag: 'recovered' },
  TAG_NO_CURRENT: { side: 'source', harm: 'damage', ends: 'image', again: false, tag: 'lost' },
  TAG_AMBIGUOUS: { side: 'source', harm: 'damage', ends: 'image', again: false, tag: 'lost' },
  TAG_REVISION_MISSING: { side: 'source', harm: 'none', ends: 'image', again: false },
  TAG_UNKNOWN: { side: 'source', harm: 'none', ends: 'image', again: false },
  TIMES_UNUSABLE: { side: 'source', harm: 'none', ends: 'image', again: false },
  NOTHING_SELECTED: { side: 'source', harm: 'none', ends: 'image', again: false },
  TAG_CONFLICT: { side: 'source', harm: 'none', ends: 'image', again: false },
  TAG_MAP_INVALID: { side: 'usage', harm: 'none', ends: 'image', again: false },
  TAG_MAP_INCOMPLETE: { side: 'source', harm: 'none', ends: 'image', again: false },
  TAG_MAP_UNKNOWN: { side: 'usage', harm: 'damage', ends: 'image', again: false },
  PATH_INVALID: { side: 'source', harm: 'damage', ends: 'image', again: false },
  REPOSITORY_INVALID: { side: 'usage', harm: 'damage', ends: 'repository', again: false },
  TAG_INVALID: { side: 'source', harm: 'damage', ends: 'image', again: false },
  DIGEST_INVALID: { side: 'source', harm: 'damage', ends: 'image', again: false },
  LAYER_LINK_MISSING: { side: 'source', harm: 'damage', ends: 'image', again: false },
  REVISION_LINK_MISSING: { side: 'source', harm: 'damage', ends: 'image', again: false },
  BLOB_MISSING: { side: 'source', harm: 'damage', ends: 'image', again: false },
  BLOB_CORRUPT: { side: 'source', harm: 'damage', ends: 'image', again: false },
  BLOB_EMPTY: { side: 'source', harm: 'damage', ends: 'image', again: false },
  BLOB_UNREADABLE: { side: 'source', harm: 'loss', ends: 'image', again: false },
  STORAGE_V1: { side: 'source', harm: 'none', ends: 'image', again: false },
  STORAGE_TARSUM: { side: 'source', harm: 'none', ends: 'image', again: false },
  // manifests
  MANIFEST_INVALID: { side: 'source', harm: 'damage', ends: 'image', again: false },
  MANIFEST_TOO_LARGE: { side: 'source', harm: 'damage', ends: 'image', again: false },
  MANIFEST_CYCLE: { side: 'source', harm: 'damage', ends: 'image', again: false },
  MANIFEST_UNSUPPORTED: { side: 'source', harm: 'none', ends: 'image', again: false, skips: true },
  SCHEMA1: { side: 'source', harm: 'none', ends: 'image', again: false, skips: true },
  CHILD_MISSING: { side: 'source', harm: 'damage', ends: 'image', again: false },
  FOREIGN_LAYER: { side: 'source', harm: 'none', ends: 'image', again: false, skips: true },
  PLATFORM_UNAVAILABLE: { side: 'source', harm: 'none', ends: 'image', again: false },
  PLATFORM_AMBIGUOUS: { side: 'usage', harm: 'none', ends: 'image', again: false },
  // outputs
  OUTPUT_IS_SOURCE: { side: 'usage', harm: 'none', ends: 'run', again: false },
  OUTPUT_FOREIGN: { side: 'target', harm: 'none', ends: 'image', again: false },
  OUTPUT_BUSY: { side: 'target', harm: 'none', ends: 'run', again: false },
  OUTPUT_FULL: { side: 'target', harm: 'none', ends: 'run', again: false },
  OUTPUT_UNWRITABLE: { side: 'target', harm: 'none', ends: 'run', again: false },
  OUTPUT_NAME: { side: 'target', harm: 'none', ends: 'image', again: false },
  VOLUME_TOO_SMALL: { side: 'usage', harm: 'none', ends: 'run', again: false },
  OUTPUT_COLLISION: { side: 'usage', harm: 'none', ends: 'image', again: false },
  // remote registries
  TARGET_UNREACHABLE: { side: 'target', harm: 'none', ends: 'image', again: true },
  TARGET_TLS: { side: 'target', harm: 'none', ends: 'rest', again: false },
  TARGET_TIMEOUT: { side: 'target', harm: 'none', ends: 'image', again: true },
  TARGET_NOT_REGISTRY: { side: 'target', harm: 'none', ends: 'image', again: false },
  TARGET_REFUSED: { side: 'target', harm: 'none', ends: 'repository', again: false },
  TARGET_UNAVAILABLE: { side: 'target', harm: 'none', ends: 'image', again: true },
  TARGET_DIFFERS: { side: 'target', harm: 'damage', ends: 'image', again: false },
  TARGET_BLOB_MISSING: { side: 'target', harm: 'none', ends: 'image', again: false },
  TARGET_BLOB_DAMAGED: { side: 'target', harm: 'damage', ends: 'image', again: false },
  STORAGE_FOREIGN: { side: 'usage', harm: 'none', ends: 'run', again: false },
  STORAGE_NOT_TARGET: { side: 'usage', harm: 'none', ends: 'run', again: false },
  GC_RUNNING: { side: 'target', harm: 'none', ends: 'run', again: false },
  AUTH_FAILED: { side: 'target', harm: 'none', ends: 'rest', again: false },
  AUTH_DENIED: { side: 'target', harm: 'none', ends: 'repository', again: false },
  AUTH_TOKEN: { side: 'target', harm: 'none', ends: 'image', again: true },
  CREDENTIALS_INVALID: { side: 'usage', harm: 'none', ends: 'image', again: false },
  CREDENTIAL_HELPER: { side: 'usage', harm: 'none', ends: 'image', again: false },
  PROJECT_MISSING: { side: 'target', harm: 'none', ends: 'repository', again: false },
  PROJECT_NEEDED: { side: 'usage', harm: 'none', ends: 'image', again: false },
  PROJECT_INVALID: { side: 'usage', harm: 'none', ends: 'repository', again: false },
  PROJECT_PROXY: { side: 'target', harm: 'none', ends: 'image', again: false },
  PROJECT_FORBIDDEN: { side: 'target', harm: 'none', ends: 'repository', again: false },
  QUOTA_EXCEEDED: { side: 'target', harm: 'none', ends: 'image', again: false },
  READ_ONLY: { side: 'target', harm: 'none', ends: 'rest', again: false },
  TAG_IMMUTABLE: { side: 'target', harm: 'none', ends: 'image', again: false },
  TAG_EXISTS: { side: 'target', harm: 'none', ends: 'image', again: false },
  BODY_TOO_LARGE: { side: 'target', harm: 'none', ends: 'image', again: false },
  STATE_INVALID: { side: 'usage', harm: 'none', ends: 'image', again: false },
  // serving
  LISTEN_FAILED: { side: 'usage', harm: 'none', ends: 'run', again: false },
  LISTEN_INSECURE: { side: 'usage', harm: 'none', ends: 'run', again: false },
  TLS_INVALID: { side: 'usage', harm: 'none', ends: 'run', again: false },
  HTPASSWD_INVALID: { side: 'usage', harm: 'none', ends: 'run', again: false },
  // engines and reports
  ENGINE_UNREACHABLE: { side: 'target', harm: 'none', ends: 'rest', again: false },
  ENGINE_REFUSED: { side: 'target', harm: 'none', ends: 'rest', again: false },
  SIGNATURE_INVALID: { side: 'source', harm: 'none', ends: 'run', again: false },
  IMAGE_UNSIGNED: { side: 'source', harm: 'none', ends: 'run', again: false },
  REPORT_INVALID: { side: 'usage', harm: 'none', ends: 'image', again: false },
  INTERRUPTED: { side: 'usage', harm: 'none', ends: 'run', again: false },
  TOO_MANY_FILES: { side: 'usage', harm: 'none', ends: 'run', again: false },
  INTERNAL: { side: 'internal', harm: 'none', ends: 'image', again: false },
} satisfies Readonly<Record<string, CodeFacts>>;

/**
 * Every failure that regtar names. A code is part of the interface: programs may match it, it is never renamed.
 * What each means and what to do about it: docs/troubleshooting.md.
 */
export type ErrorCode = keyof typeof table;

/** The facts of every code. */
export const codeFacts: Readonly<Record<ErrorCode, CodeFacts>> = table;

/** Where in a backup or a target something is wrong. */
export interface ErrorPlace {
  readonly path?: string | undefined;
  readonly offset?: number | undefined;
  readonly repository?: string | undefined;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
  readonly url?: string | undefined;
  readonly status?: number | undefined;
  /** Where several blobs are meant. */
  readonly digests?: readonly string[] | undefined;
}

/** What an error says beside its code and message. */
export interface ErrorDetails {
  /** Only where it differs from `codeFacts[code].side`. */
  readonly side?: ErrorSide | undefined;
  /** The next step, for a person. */
  readonly hint?: string | undefined;
  readonly where?: ErrorPlace | undefined;
  readonly cause?: unknown;
}

/**
 * The only error that regtar throws on purpose: `code` for programs, `message` (what and where) and `hint` for people.
 */
export class RegtarError extends Error {
  readonly code: ErrorCode;
  readonly side: ErrorSide;
  readonly hint: string | undefined;
  readonly where: ErrorPlace;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'RegtarError';
    this.code = code;
    this.side = details.side ?? codeFacts[code].side;
    this.hint = details.hint;
    this.where = details.where ?? {};
  }
}

/** The same error with other advice. */
export function withHint(error: RegtarError, hint: string): RegtarError {
  const { code, message, side, where } = error;
  return new RegtarError(code, message, { side, hint, where, cause: error });
}

/** What is wrong with a backup without stopping it: one row of `inspect`'s and `verify`'s lists. */
export interface Problem extends ErrorPlace {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * Whether an error concerns only what was being read, so that the others go on: it is one of ours, and its code does
 * not end the run. Everything else is to be thrown on: a source that changed is not a broken image, nor is a bug.
 */
export function othersGoOn(error: unknown): error is RegtarError {
  return error instanceof RegtarError && error.code !== 'INTERNAL' && codeFacts[error.code].ends !== 'run';
}

/** Any thrown value as a RegtarError, so that reports always have a code. */
export function toRegtarError(error: unknown): RegtarError {
  if (error instanceof RegtarError) return error;
  if (error instanceof Error && error.name === 'AbortError') {
    return new RegtarError('INTERRUPTED', 'stopped before the end', {
      cause: error,
      hint: 'run the same command again: it continues where it stopped',
    });
  }
  const message = error instanceof Error ? error.message : String(error);
  if (isOutOfFiles(error)) return tooManyFiles(error);
  return new RegtarError('INTERNAL', message, { cause: error });
}

/** What the system says of a failure, in words; codes that have none here stand as they are. */
export function systemReason(error: unknown): string {
  const code = systemErrorCode(error);
  return code === undefined ? String(error) : (reasons[code] ?? code);
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of its path is a file',
  EISDIR: 'it is a folder',
  ELOOP: 'its links lead in a circle',
  EIO: 'the disk reports an error (EIO)',
};

/**
 * The `code` of a Node system error (`ENOENT`, `ENOSPC`, …); undefined for our own errors.
 */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && !(error instanceof RegtarError) && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/** Whether the system lets this process, or any process, open no more files. */
export function isOutOfFiles(error: unknown): boolean {
  return ['EMFILE', 'ENFILE'].includes(systemErrorCode(error) ?? '');
}

/** What such an error means to the person who started the program. */
export function tooManyFiles(cause: unknown): RegtarError {
  return new RegtarError('TOO_MANY_FILES', 'the system lets this program open no more files', {
    cause,
    hint: 'raise the limit, such as `ulimit -n 4096`, or give fewer --jobs',
  });
}
