import type { StoredObject } from '../../io/stored-object.ts';
import type { Answer } from '../../net/transport.ts';
import type { Bucket } from '../../s3/bucket.ts';
import { valueOf } from '../../s3/xml.ts';
import { beginMultipart, sha256Of } from './bucket-upload.ts';

/** What a server is asked to copy by one request. */
export interface CopyLimits {
  /**
   * In bytes. S3 itself copies 5 GiB, but answers only when all are copied, and servers that copy through their disk
   * take minutes for that.
   * @defaultValue 256 MiB
   */
  readonly pieceBytes?: number | undefined;
}

/** Copies objects of one server without reading them. */
export interface BucketCopier {
  /**
   * @param key of the copy, which appears whole
   * @returns its ETag, with quotes; undefined, and nothing is there, where the server does not copy this object
   * @throws RegtarError for failures that another way would meet, too
   */
  copy(key: string, object: StoredObject, signal: AbortSignal | undefined): Promise<string | undefined>;
  /** What was refused, for people. */
  notes(): readonly string[];
}

/** S3 takes 10,000 parts. */
const mostParts = 9_000;
/** Three requests copy a part of an object, two read and write it: below this its bytes cost less. */
const smallestPartBytes = 1024 * 1024;
/** S3 cuts no smaller objects. */
const smallestCutBytes = 5 * 1024 * 1024;

/**
 * Answers that mean "not this way": no right to read the object, no such request, an object that is another one by now.
 * Reading it says more.
 */
const refusals: readonly number[] = [400, 403, 404, 405, 412, 416, 501];
/** A server that answers these will not copy anything. */
const forGood: ReadonlySet<number> = new Set([403, 405, 501]);

/** @param bucket where copies go; only objects of its server are copied */
export function createBucketCopier(bucket: Bucket, { pieceBytes = 256 * 1024 * 1024 }: CopyLimits): BucketCopier {
  /** Answers by what the server said. */
  const refused = new Map<string, number>();
  let isOver = false;
  const note = (answer: Answer): void => {
    const code = valueOf(Buffer.from(answer.body).toString('utf8'), 'Code')?.replaceAll(/[^\x21-\x7e]/g, '?');
    const said = `${answer.status}${code === undefined ? '' : ` ${code.slice(0, 60)}`}`;
    refused.set(said, (refused.get(said) ?? 0) + 1);
    isOver ||= forGood.has(answer.status);
  };

  const copyWhole = async (key: string, object: StoredObject, signal: AbortSignal | undefined) => {
    const headers = sourceHeaders(object);
    const answer = await bucket.request({ method: 'PUT', key, headers, sha256: sha256Of(''), signal }, refusals);
    const text = Buffer.from(answer.body).toString('utf8');
    // 200 is sent before the bytes are copied: what follows may still be an error.
    if (answer.status < 300 && /<CopyObjectResult[\s>]/.test(text)) return valueOf(text, 'ETag') ?? '';
    note(answer);
    return undefined;
  };
  const copyInParts = async (key: string, object: StoredObject, signal: AbortSignal | undefined) => {
    const upload = await beginMultipart(bucket, key, signal);
    try {
      const step = Math.max(pieceBytes, Math.ceil(object.size / mostParts));
      for (let done = 0; done < object.size; done += step) {
        const from = object.start + done;
        const end = object.start + Math.min(done + step, object.size);
        const source = { ...sourceHeaders(object), 'x-amz-copy-source-range': `bytes=${from}-${end - 1}` };
        if (await upload.copy(source, refusals, note)) continue;
        await upload.abort();
        return undefined;
      }
      return (await upload.complete()) ?? '';
    } catch (error) {
      await upload.abort();
      throw error;
    }
  };

  return {
    async copy(key, object, signal) {
      if (isOver || object.server !== bucket.server) return undefined;
      const isWhole = object.start === 0 && object.size === object.objectBytes;
      if (isWhole && object.size <= pieceBytes) return copyWhole(key, object, signal);
      const isWorthIt = isWhole || (object.size >= smallestPartBytes && object.objectBytes > smallestCutBytes);
      return isWorthIt ? copyInParts(key, object, signal) : undefined;
    },
    notes: () =>
      [...refused].map(
        ([said, times]) =>
          `${bucket.server} refused to copy ${times === 1 ? 'a blob' : `${times} blobs`} on the server ` +
          `side (${said}); what it did not copy went through this machine`,
      ),
  };
}

/** @see Amazon S3 API, "CopyObject": the source's name is encoded as in a path */
function sourceHeaders({ bucket, key, etag }: StoredObject): Record<string, string> {
  const source = `/${bucket}/${key}`.split('/').map(encodeURIComponent).join('/');
  return { 'x-amz-copy-source': source, ...(etag !== undefined && { 'x-amz-copy-source-if-match': etag }) };
}
