import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { openBucket } from '../../src/s3/bucket.ts';
import { listStorage } from '../../src/source/s3/list-storage.ts';
import { registryWords } from '../../src/remote/registry-words.ts';

const object = (key: string): string => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`;
const folder = (prefix: string): string => `<CommonPrefixes><Prefix>${prefix}</Prefix></CommonPrefixes>`;
const more = '<IsTruncated>true</IsTruncated><NextContinuationToken>same</NextContinuationToken>';

it.each([
  ['the same page again', (prefix: string) => object(`${prefix}x`) + more, /same page/],
  ['a folder that is in itself', (prefix: string) => folder(prefix) + (prefix === 'blobs/' ? more : ''), /not below/],
  ['what lies elsewhere', () => object('elsewhere/x'), /not below/],
])('a server that lists %s is named', async (_what, answer, message) => {
  let asked = 0;
  const web = createServer((request, response) => {
    const prefix = new URL(request.url ?? '', 'http://x').searchParams.get('prefix') ?? '';
    // Enough for a reader that believes it, so that the test ends.
    const body = ++asked > 50 ? '' : answer(prefix);
    response.end(`<ListBucketResult>${body}</ListBucketResult>`);
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    web.close();
    web.closeAllConnections();
  });
  const endpoint = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  const bucket = openBucket(
    { bucket: 'store', key: '', endpoint, region: undefined },
    {
      words: registryWords,
      codes: { missing: 'SOURCE_NOT_FOUND', denied: 'SOURCE_DENIED', refused: 'SOURCE_UNREADABLE' },
      retry: { times: 0 },
    },
  );
  onTestFinished(() => bucket.close());
  await expect(listStorage(bucket, '', () => undefined, {})).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    message: expect.stringMatching(message) as string,
  });
  expect(asked).toBeLessThan(10);
});
