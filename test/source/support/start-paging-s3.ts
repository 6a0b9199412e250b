import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An S3 server that lists and serves objects in memory: for more keys than a real one could be filled with in a test. */
export interface PagingS3 {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** What it was asked for: path and query. */
  readonly requests: readonly string[];
  stop(): Promise<void>;
}

const mostKeys = 1000;

/**
 * @param bucket its only one
 * @param objects contents by key; keys need no escaping
 */
export async function startPagingS3(bucket: string, objects: ReadonlyMap<string, Buffer>): Promise<PagingS3> {
  const keys = [...objects.keys()].sort();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://double');
    requests.push(`${url.pathname}${url.search}`);
    if (url.searchParams.has('list-type')) return void response.end(listing(keys, objects, url.searchParams));
    const content = objects.get(url.pathname.slice(bucket.length + 2));
    if (content === undefined) return void response.writeHead(404).end();
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (range === null) return void response.writeHead(200, { etag: etagOf(content) }).end(content);
    const [from, to] = [Number(range[1]), Math.min(Number(range[2]), content.length - 1)];
    response
      .writeHead(206, { etag: etagOf(content), 'content-range': `bytes ${from}-${to}/${content.length}` })
      .end(content.subarray(from, to + 1));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function etagOf(content: Buffer): string {
  return `"${createHash('md5').update(content).digest('hex')}"`;
}

/** One page of ListObjectsV2; the token is the last key or prefix of the page before. */
function listing(keys: readonly string[], objects: ReadonlyMap<string, Buffer>, query: URLSearchParams): string {
  const prefix = query.get('prefix') ?? '';
  const after = query.get('continuation-token') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const found: string[] = [];
  let last = '';
  let isTruncated = false;
  for (let index = firstAt(keys, after > prefix ? after : prefix); index < keys.length; index++) {
    const key = keys[index] ?? '';
    if (!key.startsWith(prefix)) break;
    if (key <= after || (delimiter !== '' && after.endsWith(delimiter) && key.startsWith(after))) continue;
    isTruncated = found.length === mostKeys;
    if (isTruncated) break;
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    last = end < 0 ? key : key.slice(0, end + 1);
    if (end >= 0) {
      found.push(`<CommonPrefixes><Prefix>${last}</Prefix></CommonPrefixes>`);
      index = firstAt(keys, `${last.slice(0, -1)}0`) - 1;
    } else found.push(contentsOf(key, objects.get(key) ?? Buffer.alloc(0)));
  }
  return (
    `<?xml version="1.0"?><ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>` +
    `${isTruncated ? `<NextContinuationToken>${last}</NextContinuationToken>` : ''}${found.join('')}</ListBucketResult>`
  );
}

function contentsOf(key: string, content: Buffer): string {
  return (
    `<Contents><Key>${key}</Key><LastModified>2024-05-06T07:08:09.000Z</LastModified>` +
    `<ETag>&quot;${etagOf(content).slice(1, -1)}&quot;</ETag><Size>${content.length}</Size></Contents>`
  );
}

/** Where the first key stands that is not before `key`. */
function firstAt(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
