import { createHash } from 'node:crypto';
import { headerOf } from '../../net/transport.ts';
import type { Bucket, BucketRequest } from '../../s3/bucket.ts';
import { escapeXml, valueOf } from '../../s3/xml.ts';

/** An object that appears when all of its parts are there. */
export interface Upload {
  /** The next part, as bytes. */
  send(bytes: Uint8Array): Promise<void>;
  /**
   * The next part, as bytes that the server has already.
   * @param source headers that say which
   * @returns false, and the part is not there, where the server answers one of `refusals`; it is told by `onRefusal`
   */
  copy(
    source: Readonly<Record<string, string>>,
    refusals: readonly number[],
    onRefusal: (answer: Awaited<ReturnType<Bucket['request']>>) => void,
  ): Promise<boolean>;
  /** @returns the ETag of the object, with quotes; undefined where the server does not say it */
  complete(): Promise<string | undefined>;
  /** Nothing of it was visible, and nothing stays to be paid for. */
  abort(): Promise<void>;
}

/** @see Amazon S3 API, "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload" */
export async function beginMultipart(bucket: Bucket, key: string, signal: AbortSignal | undefined): Promise<Upload> {
  const created = await bucket.request({ method: 'POST', key, query: { uploads: '' }, sha256: sha256Of(''), signal });
  const uploadId = valueOf(textOf(created), 'UploadId');
  if (uploadId === undefined) throw bucket.refusal(created, key);
  const tags: string[] = [];
  const nextPart = (): Pick<BucketRequest, 'method' | 'key' | 'query' | 'signal'> => ({
    method: 'PUT',
    key,
    query: { partNumber: String(tags.length + 1), uploadId },
    signal,
  });
  return {
    async send(bytes) {
      const answer = await bucket.request({ ...nextPart(), body: bytes, sha256: sha256Of(bytes) });
      tags.push(headerOf(answer, 'etag') ?? '');
    },
    async copy(source, refusals, onRefusal) {
      const answer = await bucket.request({ ...nextPart(), headers: source, sha256: sha256Of('') }, refusals);
      // 200 is sent before the bytes are copied: what follows may still be an error.
      const tag = valueOf(textOf(answer), 'ETag');
      if (answer.status >= 300 || tag === undefined) onRefusal(answer);
      else tags.push(tag);
      return answer.status < 300 && tag !== undefined;
    },
    async complete() {
      const parts = tags.map(
        (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escapeXml(tag)}</ETag></Part>`,
      );
      const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`);
      const answer = await bucket.request({
        method: 'POST',
        key,
        query: { uploadId },
        body,
        sha256: sha256Of(body),
        headers: { 'content-type': 'application/xml' },
        signal,
      });
      // As above: the parts are joined after the status was sent.
      const text = textOf(answer);
      if (/<Error>/.test(text)) throw bucket.refusal(answer, key);
      const tag = valueOf(text, 'ETag');
      return tag === undefined || tag.startsWith('"') ? tag : `"${tag}"`;
    },
    async abort() {
      await bucket.request({ method: 'DELETE', key, query: { uploadId } }, [404]).catch(() => undefined);
    },
  };
}

/** In hex, as requests carry it. */
export function sha256Of(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function textOf({ body }: { readonly body: Uint8Array }): string {
  return Buffer.from(body).toString('utf8');
}
