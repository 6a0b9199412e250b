import { RegtarError } from '../../errors.ts';
import { limits } from '../../io/limits.ts';
import { createRing, type Ring } from '../../io/ring.ts';
import type { FarBytes } from '../../io/far-bytes.ts';
import type { StoredObject } from '../../io/stored-object.ts';
import type { Backoff } from '../../net/retry.ts';
import { isTransientStatus } from '../../net/retry.ts';
import { retryAfterOf } from '../../net/sender.ts';
import { headerOf, type AnswerHead, type StreamedAnswer } from '../../net/transport.ts';
import { leastProgressBytes } from './access.ts';
import { createThreadBytes, type ThreadServer, type Version } from './thread-bytes.ts';

/** Sends requests for one object: it knows address, credentials and redirects. */
export interface ObjectServer extends ThreadServer {
  /** For people: without user info and query. */
  readonly describe: string;
  /** Where an S3 server has it. */
  readonly stored?: Pick<StoredObject, 'server' | 'bucket' | 'key'>;
  /** One GET with these headers. @throws the network's own error */
  get(headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<StreamedAnswer>;
  /** Names a refusal. The body is read here or not at all. */
  refusal(answer: StreamedAnswer): Promise<RegtarError>;
  /** Names a failure of the network. @throws the reason of an interruption */
  explain(error: unknown): Promise<{ readonly error: RegtarError; readonly transient: boolean }>;
  close(): Promise<void>;
}

/** An object elsewhere, of which any part can be had while it does not change. */
export interface FarObject {
  readonly describe: string;
  /** In bytes. */
  readonly size: number;
  /**
   * What the server calls this version of it: its ETag, or when it was last modified; undefined where it says neither.
   */
  readonly version: string | undefined;
  /** This version of it as an S3 server knows it; absent where it is none's. */
  readonly stored?: Pick<StoredObject, 'server' | 'bucket' | 'key' | 'etag'>;
  /** Its first bytes, which came with the first answer. */
  readonly start: Uint8Array;
  /**
   * A small part as a whole.
   * @throws RegtarError SOURCE_CHANGED, SOURCE_UNREACHABLE, SOURCE_DENIED, SOURCE_UNREADABLE
   */
  fetch(start: number, size: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** A part of any size; goes on where a connection broke. @throws the same, while iterating */
  read(start: number, size: number, ring?: Ring): AsyncGenerator<Uint8Array>;
  /** The same for a thread, once; undefined or absent where none can fetch them. */
  bytes?(start: number, size: number): FarBytes | undefined;
  close(): Promise<void>;
}

/**
 * Asks for an object's first bytes and learns its size and version from the answer.
 * @param startBytes how many of them
 * @throws RegtarError SOURCE_NO_RANGES where parts cannot be had; SOURCE_EMPTY, SOURCE_NOT_FOUND, SOURCE_DENIED,
 * SOURCE_UNREACHABLE
 */
export async function openFarObject(
  server: ObjectServer,
  startBytes: number,
  signal?: AbortSignal,
): Promise<FarObject> {
  const { answer, start, total } = await patiently(server, signal, async () => {
    const opened = await server.get({ range: `bytes=0-${startBytes - 1}` }, signal);
    if (opened.status !== 206) throw await withoutRanges(server, opened);
    checkEncoding(server, opened);
    const range = readContentRange(opened);
    const said = headerOf(opened, 'content-range');
    const bytes = await collect(opened, startBytes);
    if (range?.total === undefined || range.from !== 0)
      throw noRanges(server, `does not say how large the file is (Content-Range: ${said})`);
    if (bytes.length !== Math.min(startBytes, range.total)) throw shortAnswer(server, bytes.length);
    return { answer: opened, start: bytes, total: range.total };
  });
  return farObject(server, total, versionOf(answer), start);
}

/** An object whose size a listing has told: nothing is asked before its bytes are needed. */
export function knownFarObject(server: ObjectServer, size: number): FarObject {
  return farObject(server, size, { etag: undefined, modified: undefined }, new Uint8Array());
}

function farObject(server: ObjectServer, size: number, version: Version, start: Uint8Array): FarObject {
  const pinned = pinHeaders(version);
  /** An answer that holds exactly the bytes that were asked for, of the version that was opened. */
  const getPart = async (from: number, end: number, signal?: AbortSignal): Promise<StreamedAnswer> => {
    const answer = await server.get({ range: `bytes=${from}-${end - 1}`, ...pinned }, signal);
    const error = await wrongPart(server, answer, { from, end, size, version });
    if (error === undefined) return answer;
    answer.close();
    throw error;
  };
  const fetch: FarObject['fetch'] = (from, length, signal) =>
    length === 0
      ? Promise.resolve(new Uint8Array())
      : patiently(server, signal, async () => {
          const bytes = await collect(await getPart(from, from + length, signal), length);
          if (bytes.length < length) throw shortAnswer(server, bytes.length);
          return bytes;
        });
  return {
    describe: server.describe,
    size,
    version: version.etag ?? version.modified,
    ...(server.stored !== undefined && { stored: { ...server.stored, etag: version.etag } }),
    start,
    fetch,
    bytes: createThreadBytes({ server, headers: pinned, size, version, fetch }),
    read: (from, length, ring = createRing()) => readOn(server, getPart, from, from + length, ring),
    close: () => server.close(),
  };
}

/** Parts are asked for of one version alone. A weak ETag says too little for that, so the time stands in for it. */
function pinHeaders({ etag, modified }: Version): Readonly<Record<string, string>> {
  if (etag !== undefined && !etag.startsWith('W/')) return { 'if-match': etag };
  return modified === undefined ? {} : { 'if-range': modified };
}

async function wrongPart(
  server: ObjectServer,
  answer: StreamedAnswer,
  asked: { readonly from: number; readonly end: number; readonly size: number; readonly version: Version },
): Promise<RegtarError | Transient | undefined> {
  const { status } = answer;
  const { etag, modified } = versionOf(answer);
  const { version } = asked;
  const isOther =
    version.etag === undefined
      ? version.modified !== undefined && modified !== version.modified
      : etag !== version.etag;
  // 200 is the whole object: the condition of If-Range did not hold any more, or a part is more than the server gives.
  if (status === 200 && !isOther && headerOf(answer, 'content-length') === String(asked.size))
    return noRanges(server, 'answers with the whole file now');
  if (status === 412 || status === 416 || status === 200) return changed(server, 'the server has another one now');
  if (status === 404 || status === 410) return changed(server, 'it is gone');
  if (status !== 206) return isTransientStatus(status) ? passing(server, answer) : await server.refusal(answer);
  const range = readContentRange(answer);
  if (isOther || range?.total !== asked.size) return changed(server, 'the server has another one now');
  if (range.from !== asked.from || range.to !== asked.end - 1)
    return new Transient(
      new RegtarError('SOURCE_UNREADABLE', `${server.describe}: the server sent other bytes than regtar asked for`, {
        where: { path: server.describe, offset: asked.from },
        hint: 'a proxy or cache on the way may not know ranges; go around it',
      }),
    );
  checkEncoding(server, answer);
  return undefined;
}

/** A failure that may pass. Never seen outside this file. */
class Transient extends Error {
  readonly error: RegtarError;
  readonly retryAfterSeconds: number | undefined;

  constructor(error: RegtarError, retryAfterSeconds?: number) {
    super(error.message);
    this.error = error;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

async function passing(server: ObjectServer, answer: StreamedAnswer): Promise<Transient> {
  return new Transient(await server.refusal(answer), retryAfterOf(answer));
}

/** Tries again what may pass. */
async function patiently<Result>(
  server: ObjectServer,
  signal: AbortSignal | undefined,
  attempt: () => Promise<Result>,
): Promise<Result> {
  const backoff = server.backoff();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await waitOrThrow(server, backoff, error, signal);
    }
  }
}

async function waitOrThrow(
  server: ObjectServer,
  backoff: Backoff,
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { failure, retryAfter } = await asFailure(server, error);
  if (!failure.transient) throw failure.error;
  if (await backoff.wait(retryAfter, signal)) return;
  const { code, message, hint, where } = failure.error;
  const attempts = backoff.retries + 1;
  throw attempts === 1
    ? failure.error
    : new RegtarError(code, `${message}; given up after ${attempts} attempts`, { hint, where, cause: error });
}

async function asFailure(
  server: ObjectServer,
  error: unknown,
): Promise<{
  readonly failure: { readonly error: RegtarError; readonly transient: boolean };
  readonly retryAfter?: number | undefined;
}> {
  if (error instanceof Transient)
    return { failure: { error: error.error, transient: true }, retryAfter: error.retryAfterSeconds };
  if (error instanceof RegtarError && error.code !== 'SOURCE_UNREACHABLE')
    return { failure: { error, transient: false } };
  return { failure: await server.explain(error) };
}

/** Streams a part in large chunks, and goes on behind the last byte where a connection broke. */
async function* readOn(
  server: ObjectServer,
  getPart: (from: number, end: number) => Promise<StreamedAnswer>,
  from: number,
  end: number,
  ring: Ring,
): AsyncGenerator<Uint8Array> {
  let backoff = server.backoff();
  for (let position = from; position < end;) {
    const before = position;
    let answer: StreamedAnswer | undefined;
    try {
      answer = await getPart(position, end);
      for await (const chunk of inLargeChunks(answer.body, end - position, ring)) {
        position += chunk.length;
        yield chunk;
      }
      if (position < end) throw shortAnswer(server, position - before);
    } catch (error) {
      // What moved shows that the server is there: patience starts again. A few bytes each time would never end.
      if (position - before >= Math.min(leastProgressBytes, end - before)) backoff = server.backoff();
      await waitOrThrow(server, backoff, error, undefined);
    } finally {
      answer?.close();
    }
  }
}

/**
 * Joins the network's pieces: hashing and writing cost something for each. What has come is given before a failure is.
 */
async function* inLargeChunks(body: AsyncIterable<Uint8Array>, size: number, ring: Ring): AsyncGenerator<Uint8Array> {
  let left = size;
  let buffer = ring.take(Math.min(limits.chunkBytes, left));
  let filled = 0;
  let failure: { readonly error: unknown } | undefined;
  const pieces = body[Symbol.asyncIterator]();
  try {
    // Until the end, not until the last byte: an answer that is left before is torn down like one that was given up.
    for (;;) {
      const next = await pieces.next().catch((error: unknown) => void (failure = { error }));
      if (next === undefined || next.done === true || left === 0) break;
      for (let piece: Uint8Array = next.value; piece.length > 0 && left > 0;) {
        const part = piece.subarray(0, Math.min(piece.length, buffer.length - filled));
        buffer.set(part, filled);
        filled += part.length;
        left -= part.length;
        piece = piece.subarray(part.length);
        if (filled < buffer.length) continue;
        yield buffer;
        filled = 0;
        if (left > 0) buffer = ring.take(Math.min(limits.chunkBytes, left));
      }
    }
    if (filled > 0) yield buffer.subarray(0, filled);
  } finally {
    await pieces.return?.();
  }
  if (failure !== undefined && left > 0) throw failure.error;
}

/** The body of an answer, up to as many bytes as were asked for. */
async function collect(answer: StreamedAnswer, mostBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of answer.body) {
      // As above, the end is awaited; more than was asked for is not.
      if (size >= mostBytes) break;
      chunks.push(chunk);
      size += chunk.length;
    }
  } finally {
    answer.close();
  }
  return chunks.length === 1 && chunks[0] && size <= mostBytes
    ? chunks[0]
    : Buffer.concat(chunks, Math.min(size, mostBytes));
}

function versionOf(answer: AnswerHead): Version {
  return { etag: headerOf(answer, 'etag'), modified: headerOf(answer, 'last-modified') };
}

interface ContentRange {
  readonly from: number;
  readonly to: number;
  readonly total: number | undefined;
}

/** @see RFC 9110, section 14.4 */
function readContentRange(answer: AnswerHead): ContentRange | undefined {
  const match = /^bytes ([0-9]{1,15})-([0-9]{1,15})\/(?:([0-9]{1,15})|\*)$/.exec(
    headerOf(answer, 'content-range') ?? '',
  );
  if (match === null) return undefined;
  return { from: Number(match[1]), to: Number(match[2]), total: match[3] === undefined ? undefined : Number(match[3]) };
}

/** An answer to the first request that is not part of the object. */
async function withoutRanges(server: ObjectServer, answer: StreamedAnswer): Promise<RegtarError | Transient> {
  const { status } = answer;
  if (status === 200) {
    answer.close();
    return headerOf(answer, 'content-length') === '0'
      ? empty(server)
      : noRanges(server, 'answers every request with the whole file');
  }
  if (status === 416) {
    answer.close();
    return /\/0$/.test(headerOf(answer, 'content-range') ?? '/0')
      ? empty(server)
      : noRanges(server, 'refuses ranges (416)');
  }
  return isTransientStatus(status) ? passing(server, answer) : server.refusal(answer);
}

function checkEncoding(server: ObjectServer, answer: StreamedAnswer): void {
  const encoding = headerOf(answer, 'content-encoding') ?? 'identity';
  const type = headerOf(answer, 'content-type') ?? '';
  const wrong =
    encoding !== 'identity'
      ? `compresses its answers (Content-Encoding: ${encoding.slice(0, 40)})`
      : /^multipart\//i.test(type)
        ? `packs ranges in parts (Content-Type: ${type.slice(0, 40)})`
        : undefined;
  if (wrong === undefined) return;
  answer.close();
  throw noRanges(server, wrong);
}

function noRanges({ describe }: ObjectServer, reason: string): RegtarError {
  return new RegtarError(
    'SOURCE_NO_RANGES',
    `${describe} cannot be read in parts: its server ${reason.replaceAll(/[^\x20-\x7e]/g, '?')}`,
    {
      where: { path: describe },
      hint: 'serve it with byte ranges (nginx, Apache, any S3), or read it in one piece: `curl … | regtar COMMAND -`',
    },
  );
}

function empty({ describe }: ObjectServer): RegtarError {
  return new RegtarError('SOURCE_EMPTY', `${describe} is empty`, {
    where: { path: describe },
    hint: "was the copy interrupted? Compare its size with the original's",
  });
}

function changed({ describe }: ObjectServer, how: string): RegtarError {
  return new RegtarError('SOURCE_CHANGED', `${describe} changed while it was read: ${how}`, {
    where: { path: describe },
    hint: 'wait until nothing writes to it any more, then run the command again',
  });
}

function shortAnswer({ describe }: ObjectServer, bytes: number): Transient {
  return new Transient(
    new RegtarError('SOURCE_UNREACHABLE', `${describe}: the answer ended early, after ${bytes} bytes`, {
      where: { path: describe },
      hint: 'the connection is cut again and again: look at proxies and time-outs between here and the server',
    }),
  );
}
