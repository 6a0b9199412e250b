import { randomBytes } from 'node:crypto';
import { isDigest, type Digest } from '../oci/digest.ts';
import type { CheckedBlobs } from './checked-blobs.ts';
import { parseRanges, type ByteRange } from './ranges.ts';
import { refuse } from './refusal.ts';
import type { ServedRepository } from './repositories.ts';
import type { BlobPiece, RegistryAnswer, RegistryRequest } from './request.ts';

/** Blobs never change, so a client that has one need not ask again. */
const cacheControl = 'max-age=31536000';
const mediaType = 'application/octet-stream';

/**
 * `GET` and `HEAD /v2/<name>/blobs/<digest>`.
 * @see OCI distribution-spec v1.1, "Pulling blobs"; RFC 9110, 13 and 14
 */
export async function answerBlob(
  request: RegistryRequest,
  repository: ServedRepository,
  reference: string,
  blobs: CheckedBlobs,
): Promise<RegistryAnswer> {
  if (!isDigest(reference)) return refuse(request, 'DIGEST_INVALID', 'this is not a digest that a registry may have');
  const size = (await repository.hasBlob(reference)) ? blobs.size(reference) : undefined;
  if (size === undefined) return refuse(request, 'BLOB_UNKNOWN', 'this repository has no such blob');
  const headers = {
    'Accept-Ranges': 'bytes',
    'Cache-Control': cacheControl,
    'Docker-Content-Digest': reference,
    ETag: `"${reference}"`,
  };
  if (matchesTag(request.headers['if-none-match'], reference)) return { status: 304, headers, body: [] };
  const ranges = request.method === 'GET' && isRangeWanted(request, reference) ? request.headers['range'] : undefined;
  const wanted = parseRanges(ranges, size);
  if (wanted === 'unsatisfiable')
    return refuse(request, 'RANGE_INVALID', `the blob has ${size} bytes`, {
      ...headers,
      'Content-Range': `bytes */${size}`,
    });
  const [only, second] = wanted ?? [];
  if (only !== undefined && second === undefined) return singleRange(reference, only, size, headers);
  if (wanted !== undefined) return severalRanges(reference, wanted, size, headers);
  return {
    status: 200,
    headers: { ...headers, 'Content-Type': mediaType, 'Content-Length': String(size) },
    body: request.method === 'HEAD' ? [] : [{ digest: reference, start: 0, end: size }],
  };
}

/** Whether one of the tags of `If-None-Match` is this digest's. Weak tags count. @see RFC 9110, 13.1.2 */
export function matchesTag(header: string | undefined, digest: Digest): boolean {
  if (header === undefined) return false;
  return header.split(',').some((text) => {
    const tag = text.trim();
    return tag === '*' || tag.replace(/^W\//, '') === `"${digest}"`;
  });
}

/**
 * `If-Range` takes the ranges back where the client holds another blob. A date is never that of a blob.
 * @see RFC 9110, 13.1.5
 */
function isRangeWanted({ headers }: RegistryRequest, digest: Digest): boolean {
  const condition = headers['if-range'];
  return condition === undefined || condition.trim() === `"${digest}"`;
}

function singleRange(
  digest: Digest,
  range: ByteRange,
  size: number,
  headers: Readonly<Record<string, string>>,
): RegistryAnswer {
  return {
    status: 206,
    headers: {
      ...headers,
      'Content-Type': mediaType,
      'Content-Range': contentRange(range, size),
      'Content-Length': String(range.end - range.start),
    },
    body: [{ digest, ...range }],
  };
}

/** @see RFC 9110, 14.6 */
function severalRanges(
  digest: Digest,
  ranges: readonly ByteRange[],
  size: number,
  headers: Readonly<Record<string, string>>,
): RegistryAnswer {
  const boundary = randomBytes(16).toString('hex');
  const body: (Uint8Array | BlobPiece)[] = ranges.flatMap((range, index) => [
    Buffer.from(
      `${index === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${mediaType}\r\nContent-Range: ` +
        `${contentRange(range, size)}\r\n\r\n`,
    ),
    { digest, ...range },
  ]);
  body.push(Buffer.from(`\r\n--${boundary}--\r\n`));
  const length = body.reduce(
    (sum, piece) => sum + (piece instanceof Uint8Array ? piece.length : piece.end - piece.start),
    0,
  );
  return {
    status: 206,
    headers: {
      ...headers,
      'Content-Type': `multipart/byteranges; boundary=${boundary}`,
      'Content-Length': String(length),
    },
    body,
  };
}

function contentRange({ start, end }: ByteRange, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`;
}
