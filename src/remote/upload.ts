import { setImmediate as afterRequests } from 'node:timers/promises';
import { RegtarError } from '../errors.ts';
import type { Body } from '../io/body.ts';
import { limits } from '../io/limits.ts';
import { digestAlgorithm, type Digest } from '../oci/digest.ts';
import { createBodyCursor, type BodyCursor } from './body-cursor.ts';
import { beginUpload, cancelUpload, headBlob, nextSession, resumeUpload, type UploadSession } from './blobs.ts';
import type { Outcome, RemoteRequest } from './exchange.ts';
import type { Registry } from './registry.ts';
import type { Backoff } from '../net/retry.ts';
import { headerOf, type Answer } from '../net/transport.ts';

/** Keeps an upload's session where a later run finds it. */
export interface UploadJournal {
  save(session: UploadSession): void | Promise<void>;
  forget(): void | Promise<void>;
}

/** How a blob is uploaded. */
export interface UploadOptions {
  /** That a mount has begun, or a journal has kept; one of a journal is asked first how far it came. */
  readonly session?: UploadSession | undefined;
  /**
   * Send in pieces of this many bytes: each that arrived is kept when the next one breaks.
   * @defaultValue one request with everything
   */
  readonly chunkBytes?: number | undefined;
  /** Told of each confirmed chunk. */
  readonly journal?: UploadJournal | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes as they go out; negative when a retry takes bytes back. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** What is pushed; `size` in bytes. */
export interface UploadedBlob {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Uploads one blob: in one request, or in chunks where that is asked for or a proxy refuses the size. Retries where the
 * registry has confirmed bytes, from the beginning elsewhere.
 * @param open gives the bytes from an offset; may be called again. What it throws ends the upload: nothing is
 * committed, nothing retried
 * @throws RegtarError what the body throws; BLOB_CORRUPT when the body has fewer bytes than it should; else what the
 * registry refuses
 * @see OCI distribution-spec v1.1, "Pushing blobs"
 */
export async function uploadBlob(
  registry: Registry,
  repository: string,
  blob: UploadedBlob,
  open: (from?: number) => Body,
  options: UploadOptions = {},
): Promise<void> {
  const cursor = createBodyCursor(blob, open, options.onBytes);
  const upload: Upload = {
    registry,
    repository,
    blob,
    options,
    cursor,
    chunkBytes: allowedChunk(registry, options),
    session: options.session,
    furthest: options.session?.offset ?? 0,
    isMixed: false,
  };
  try {
    if (options.session && options.session.offset > 0) await askHowFar(upload);
    await sendAll(upload);
    await options.journal?.forget();
  } catch (error) {
    const interrupted =
      options.signal?.aborted === true || !(error instanceof RegtarError) || error.code === 'INTERRUPTED';
    // An interrupted upload is left for the next run; one that failed for good only takes room there.
    if (upload.session && !interrupted) {
      await cancelUpload(registry, repository, upload.session);
      await options.journal?.forget();
    }
    throw error;
  } finally {
    await cursor.close();
  }
}

interface Upload {
  readonly registry: Registry;
  readonly repository: string;
  readonly blob: UploadedBlob;
  readonly options: UploadOptions;
  readonly cursor: BodyCursor;
  chunkBytes: number | undefined;
  session: UploadSession | undefined;
  /** The most that the registry has ever confirmed. */
  furthest: number;
  /** Whether bytes of more than one request may be in the session: then a refusal of its bytes may be its own. */
  isMixed: boolean;
}

const firstChunkBytes = 64 * 1024 * 1024;
const leastChunkBytes = 64 * 1024;

async function sendAll(upload: Upload): Promise<void> {
  const { registry, blob, options, cursor } = upload;
  let backoff = registry.backoff();
  for (;;) {
    if (upload.session === undefined) {
      upload.session = await begin(upload);
      upload.isMixed = false;
    }
    const step = await nextRequest(upload, upload.session);
    const outcome = await registry.exchange(step.request);
    if ('answer' in outcome) {
      if (step.completes) return checkDigest(upload, outcome.answer);
      const began = upload.session.offset;
      upload.session = nextSession(registry, upload.session, outcome.answer, step.end);
      upload.isMixed = true;
      await options.journal?.save(upload.session);
      const progress = progressOf(upload, began, step.end);
      // A long upload may meet many short outages; one that loses again and again what it had must end.
      if (progress === 'further') backoff = registry.backoff();
      else if (progress === 'none' && !(await backoff.wait(undefined, options.signal)))
        throw registry.gaveUp(keepsNothing(upload), backoff);
      continue;
    }
    const failure = cursor.failure();
    if (failure) throw failure.error;
    if ((await recover(upload, step, outcome, backoff)) === 'done') return cursor.settle(blob.size);
  }
}

/** A piece of which less is kept is as good as lost. */
const leastKeptPart = 1 / 16;

/** What a piece has brought: more than there ever was, more than just before, or as good as nothing. */
function progressOf(upload: Upload, began: number, end: number): 'further' | 'some' | 'none' {
  const offset = upload.session?.offset ?? 0;
  const least = Math.max(1, (end - began) * leastKeptPart);
  if (offset - began < least) return 'none';
  if (offset <= upload.furthest) return 'some';
  upload.furthest = offset;
  return 'further';
}

function keepsNothing({ registry, repository, blob, session }: Upload): RegtarError {
  return new RegtarError(
    'TARGET_REFUSED',
    `${registry.host} takes pieces of blob ${blob.digest} and has kept ${session?.offset ?? 0} of ${blob.size} bytes`,
    {
      where: { repository, digest: blob.digest },
      hint: "look into the registry's log; a proxy before it may lose request bodies",
    },
  );
}

/** A small body is read and hashed while the registry thinks, so that it goes out at once. */
async function begin({
  registry,
  repository,
  blob,
  options,
  cursor,
  chunkBytes = blob.size,
}: Upload): Promise<UploadSession> {
  const begun = beginUpload(registry, repository, blob.digest, options);
  if (blob.size > limits.smallBodyBytes || blob.size > chunkBytes) return begun;
  begun.catch(() => undefined);
  // The request must be on its way first: reading may block.
  await afterRequests();
  // A body that fails does so again when it is due, when there is a session to cancel.
  await cursor.collect(0, blob.size).catch(() => undefined);
  return begun;
}

interface Step {
  readonly request: RemoteRequest;
  readonly completes: boolean;
  /** The offset after it. */
  readonly end: number;
}

async function nextRequest(upload: Upload, session: UploadSession): Promise<Step> {
  const { blob, repository, cursor, options } = upload;
  const left = blob.size - session.offset;
  const chunk = upload.chunkBytes === undefined ? left : Math.max(upload.chunkBytes, session.minChunkBytes ?? 0);
  const length = Math.min(left, chunk);
  const completes = length === left;
  const end = session.offset + length;
  // A small body in one buffer: as a stream it would cost three times as much.
  const body =
    length <= limits.smallBodyBytes
      ? await cursor.collect(session.offset, length)
      : { size: length, open: () => cursor.take(session.offset, length) };
  return {
    completes,
    end,
    request: {
      method: completes ? 'PUT' : 'PATCH',
      path: completes ? withDigest(session.location, blob.digest) : new URL(session.location),
      doing: `push blob ${blob.digest} to ${repository}`,
      where: { repository, digest: blob.digest },
      repository,
      headers: {
        'content-type': 'application/octet-stream',
        ...((!completes || session.offset > 0) && length > 0 && { 'content-range': `${session.offset}-${end - 1}` }),
      },
      body,
      signal: options.signal,
    },
  };
}

/**
 * Brings the upload to where its next request makes sense, or throws.
 * @returns 'done' when the blob turns out to be there
 */
async function recover(
  upload: Upload,
  step: Step,
  outcome: Exclude<Outcome, { answer: Answer }>,
  backoff: Backoff,
): Promise<'again' | 'done'> {
  const { registry, options, blob } = upload;
  const { error } = outcome;
  const isPure = !upload.isMixed;
  upload.isMixed = true;
  if (error.code === 'BODY_TOO_LARGE' && shrinkChunks(upload, step, { by: 4, least: leastChunkBytes })) {
    registry.bodyLimit.bytes = smaller(upload.chunkBytes, registry.bodyLimit.bytes) ?? leastChunkBytes;
    return 'again';
  }
  const status = error.where.status;
  const isSessionLost =
    status === 404 ||
    status === 410 ||
    status === 416 ||
    (status === 400 && (!isPure || error.code === 'TARGET_REFUSED'));
  if (!outcome.transient && !isSessionLost) throw error;
  if (outcome.transient) await registry.beforeRetry(step.request, error, backoff);
  // A proxy that refuses the size may close the connection before its answer can be read, and a bad line carries small
  // pieces at least.
  if (error.code === 'TARGET_UNREACHABLE' && backoff.retries >= 2)
    shrinkChunks(upload, step, { by: 16, least: limits.smallBodyBytes });
  // A lost session has to be lost again and again before it is a refusal, but not as often as a network may fail.
  if ((isSessionLost && backoff.retries >= 2) || !(await backoff.wait(outcome.retryAfterSeconds, options.signal)))
    throw registry.gaveUp(error, backoff);
  if (blob.size <= limits.smallBodyBytes || (status === 400 && !isPure)) upload.session = undefined;
  else await askHowFar(upload);
  // Some registries forget a session with a request that breaks: pieces are only more requests then, which may break.
  if (upload.session === undefined && upload.furthest > 0) upload.chunkBytes = allowedChunk(registry, options);
  // The answer to the last request may have been lost on its way, and with it the session.
  if (
    upload.session === undefined &&
    step.completes &&
    blob.size > limits.smallBodyBytes &&
    (await headBlob(registry, upload.repository, blob.digest, options))
  )
    return 'done';
  return 'again';
}

async function askHowFar(upload: Upload): Promise<void> {
  const { registry, repository, blob, options } = upload;
  const session = upload.session && (await resumeUpload(registry, repository, upload.session, options));
  upload.session = session && session.offset <= blob.size ? session : undefined;
  upload.isMixed = true;
}

function shrinkChunks(
  upload: Upload,
  step: Step,
  { by, least }: { readonly by: number; readonly least: number },
): boolean {
  const length = step.end - (upload.session?.offset ?? 0);
  if (length <= least || length <= (upload.session?.minChunkBytes ?? 0)) return false;
  upload.chunkBytes = Math.max(least, length > firstChunkBytes ? firstChunkBytes : Math.floor(length / by));
  return true;
}

/** As text: a parsed and printed query could differ from what the registry has signed. */
function withDigest(location: string, digest: Digest): URL {
  return new URL(`${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`);
}

function checkDigest({ registry, repository, blob }: Upload, answer: Answer): void {
  const arrived = headerOf(answer, 'docker-content-digest');
  // Harbor answers in sha256 to every algorithm.
  if (arrived === undefined || !arrived.startsWith(`${digestAlgorithm(blob.digest)}:`) || arrived === blob.digest)
    return;
  throw new RegtarError('TARGET_DIFFERS', `${registry.host} stored blob ${blob.digest} as ${arrived}`, {
    where: { repository, digest: blob.digest },
  });
}

/** The largest piece that neither the user nor a proxy forbids. */
function allowedChunk(registry: Registry, options: UploadOptions): number | undefined {
  return smaller(options.chunkBytes, registry.bodyLimit.bytes);
}

function smaller(left: number | undefined, right: number | undefined): number | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return Math.min(left, right);
}
