import { RegtarError } from '../errors.ts';
import { createDigester, digestAlgorithm, type Digest } from '../oci/digest.ts';
import type { Registry } from './registry.ts';
import { pullScope, pushScope } from './scopes.ts';
import { headerOf, type Answer } from '../net/transport.ts';

/** An upload under way in the registry. Plain data, so that a journal may keep it. */
export interface UploadSession {
  /** The newest Location, absolute; it may hold secrets of the registry, and older ones are worth nothing. */
  readonly location: string;
  /** How many bytes the registry has confirmed. */
  readonly offset: number;
  /** All chunks but the last must have as many bytes. @see OCI distribution-spec v1.1, "OCI-Chunk-Min-Length" */
  readonly minChunkBytes?: number | undefined;
}

/** How a request is stopped. */
export interface BlobRequestOptions {
  readonly signal?: AbortSignal | undefined;
}

/** @returns the size in bytes, or undefined when the repository has no such blob */
export async function headBlob(
  registry: Registry,
  repository: string,
  digest: Digest,
  options: BlobRequestOptions = {},
): Promise<{ readonly size: number } | undefined> {
  const answer = await registry.request({
    method: 'HEAD',
    path: `/v2/${repository}/blobs/${digest}`,
    doing: `look for blob ${digest} in ${repository}`,
    where: { repository, digest },
    repository,
    accept: [404],
    ...options,
  });
  return answer.status === 404 ? undefined : { size: Number(headerOf(answer, 'content-length') ?? -1) };
}

/** Ends an answer that has more bytes than it should. */
const tooMany = new RegtarError('TARGET_DIFFERS', 'a blob has more bytes than it should');

/**
 * Downloads a blob for nothing but its digest; nothing is kept.
 * @param options mostBytes: no more are read. @defaultValue all that come
 * @returns what its bytes are, or the first of them, or undefined when the repository has no such blob
 */
export async function hashRemoteBlob(
  registry: Registry,
  repository: string,
  digest: Digest,
  options: BlobRequestOptions & {
    readonly mostBytes?: number | undefined;
    readonly onBytes?: (bytes: number) => void;
  } = {},
): Promise<{ readonly digest: Digest; readonly size: number } | undefined> {
  let digester = createDigester(digestAlgorithm(digest));
  let size = 0;
  const receive = (): ((chunk: Uint8Array) => void) => {
    digester = createDigester(digestAlgorithm(digest));
    options.onBytes?.(-size);
    size = 0;
    return (chunk) => {
      digester.update(chunk);
      size += chunk.length;
      options.onBytes?.(chunk.length);
      if (size > (options.mostBytes ?? Infinity)) throw tooMany;
    };
  };
  try {
    const answer = await registry.request({
      method: 'GET',
      path: `/v2/${repository}/blobs/${digest}`,
      doing: `send blob ${digest} of ${repository}`,
      where: { repository, digest },
      repository,
      accept: [404],
      receive,
      signal: options.signal,
    });
    if (answer.status === 404) return undefined;
  } catch (error) {
    if (error !== tooMany) throw error;
  }
  return { digest: digester.digest(), size };
}

/**
 * Judges a blob by its last byte, which a HEAD does not prove to be there.
 * @returns 'damaged' when it has fewer bytes than it should
 */
export async function judgeBlob(
  registry: Registry,
  repository: string,
  { digest, size }: { readonly digest: Digest; readonly size: number },
  options: BlobRequestOptions = {},
): Promise<'whole' | 'damaged' | 'absent'> {
  if (size <= 0) return (await headBlob(registry, repository, digest, options)) === undefined ? 'absent' : 'whole';
  let bytes = 0;
  try {
    const answer = await registry.request({
      method: 'GET',
      path: `/v2/${repository}/blobs/${digest}`,
      doing: `send the last byte of blob ${digest} of ${repository}`,
      where: { repository, digest },
      repository,
      headers: { range: `bytes=${size - 1}-` },
      accept: [404, 416],
      retryTimes: 2,
      receive: () => (chunk) => {
        bytes += chunk.length;
        if (bytes > size) throw tooMany;
      },
      ...options,
    });
    if (answer.status === 404) return 'absent';
    if (answer.status === 416) return 'damaged';
    return bytes === (answer.status === 206 ? 1 : size) ? 'whole' : 'damaged';
  } catch (error) {
    if (error === tooMany) return 'damaged';
    // Some registries answer 500, or cut the connection, for bytes that their storage does not have.
    if (!(error instanceof RegtarError)) throw error;
    if ((error.where.status ?? 0) >= 500) return 'damaged';
    // A registry that promises a byte and cuts the connection, and then answers as ever, does not have the byte.
    if (error.code !== 'TARGET_UNREACHABLE' || (await headBlob(registry, repository, digest, options)) === undefined)
      throw error;
    return 'damaged';
  }
}

/**
 * Makes a blob of one repository part of another. No HEAD is needed before it: a blob that is not there begins an
 * upload.
 * @returns 'mounted', or the upload session that has begun instead, or 'refused' where this account or registry cannot
 * do it: upload plainly
 * @see OCI distribution-spec v1.1, "Mounting a blob from another repository"
 */
export async function mountBlob(
  registry: Registry,
  repository: string,
  digest: Digest,
  from: string,
  options: BlobRequestOptions = {},
): Promise<'mounted' | 'refused' | UploadSession> {
  try {
    const answer = await registry.request({
      method: 'POST',
      path: `/v2/${repository}/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`,
      doing: `mount blob ${digest} from ${from} into ${repository}`,
      where: { repository, digest },
      repository,
      scopes: [pushScope(repository), pullScope(from)],
      // Harbor says 401 where `from` may not be read or its project does not exist; others say that they do not know
      // the call.
      accept: [400, 401, 404, 405],
      mayBeDenied: true,
      ...options,
    });
    if (answer.status === 201) {
      const mounted = headerOf(answer, 'docker-content-digest');
      // A registry that says another blob is there is not believed.
      return mounted === undefined || mounted === digest || !isSameAlgorithm(mounted, digest) ? 'mounted' : 'refused';
    }
    return answer.status === 202 ? sessionOf(registry, answer) : 'refused';
  } catch (error) {
    if (error instanceof RegtarError && error.code === 'AUTH_DENIED') return 'refused';
    throw error;
  }
}

/** Harbor answers in sha256 to every algorithm. */
function isSameAlgorithm(answered: string, digest: Digest): boolean {
  return answered.startsWith(`${digestAlgorithm(digest)}:`);
}

/** @see OCI distribution-spec v1.1, "Pushing a blob in chunks": POST with no body */
export async function beginUpload(
  registry: Registry,
  repository: string,
  digest: Digest,
  options: BlobRequestOptions = {},
): Promise<UploadSession> {
  const answer = await registry.request({
    method: 'POST',
    path: `/v2/${repository}/blobs/uploads/`,
    doing: `begin an upload to ${repository}`,
    where: { repository, digest },
    repository,
    ...options,
  });
  return sessionOf(registry, answer);
}

/** Asks how far an upload has come. @returns undefined when the registry does not know it any more */
export async function resumeUpload(
  registry: Registry,
  repository: string,
  session: UploadSession,
  options: BlobRequestOptions = {},
): Promise<UploadSession | undefined> {
  const answer = await registry.request({
    method: 'GET',
    path: new URL(session.location),
    doing: `continue an upload to ${repository}`,
    where: { repository },
    repository,
    accept: [400, 404, 405, 410, 416],
    ...options,
  });
  if (answer.status >= 300) return undefined;
  return nextSession(registry, session, answer, 0);
}

/**
 * Tells the registry to forget an upload; what it answers does not matter, because registries clean up by themselves.
 */
export async function cancelUpload(
  registry: Registry,
  repository: string,
  session: UploadSession,
  options: BlobRequestOptions = {},
): Promise<void> {
  const signal = options.signal ?? AbortSignal.timeout(cancelMilliseconds);
  await registry
    .exchange({
      method: 'DELETE',
      path: new URL(session.location),
      doing: `cancel an upload to ${repository}`,
      repository,
      signal,
    })
    .catch(() => undefined);
}

const cancelMilliseconds = 5000;

/** The session after a request that moved it. @param assumedOffset where the answer has no `Range` */
export function nextSession(
  registry: Registry,
  session: UploadSession,
  answer: Answer,
  assumedOffset: number,
): UploadSession {
  const location = headerOf(answer, 'location');
  const url = location === undefined ? undefined : registry.resolve(location, answer.url);
  // `0-0` stands for nothing in Distribution, although it could be one byte.
  const last = /^(?:bytes[= ])?0-([0-9]+)$/.exec(headerOf(answer, 'range') ?? '')?.[1];
  const offset = last === undefined ? assumedOffset : Number(last) === 0 ? 0 : Number(last) + 1;
  return { ...session, location: url?.href ?? session.location, offset };
}

function sessionOf(registry: Registry, answer: Answer): UploadSession {
  const url = registry.resolve(headerOf(answer, 'location') ?? '', answer.url);
  if (!url)
    throw new RegtarError(
      'TARGET_REFUSED',
      `${registry.host} began an upload without saying where (status ${answer.status}, no Location)`,
      { hint: 'a proxy before the registry may remove the header' },
    );
  const least = Number(headerOf(answer, 'oci-chunk-min-length') ?? 0);
  return { location: url.href, offset: 0, ...(least > 0 && { minChunkBytes: least }) };
}
