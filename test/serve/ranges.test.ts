import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseRanges } from '../../src/serve/ranges.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { ask, serveStorage, startStorage, type Answer } from './support/serve-storage.ts';

describe('a Range header', () => {
  it.each<[string, number, ReturnType<typeof parseRanges>]>([
    ['bytes=0-0', 10, [{ start: 0, end: 1 }]],
    ['bytes=2-5', 10, [{ start: 2, end: 6 }]],
    ['bytes=2-', 10, [{ start: 2, end: 10 }]],
    ['bytes=2-99', 10, [{ start: 2, end: 10 }]],
    ['bytes=-3', 10, [{ start: 7, end: 10 }]],
    ['bytes=-99', 10, [{ start: 0, end: 10 }]],
    ['BYTES=0-1', 10, [{ start: 0, end: 2 }]],
    [
      'bytes=0-1, 4-5',
      10,
      [
        { start: 0, end: 2 },
        { start: 4, end: 6 },
      ],
    ],
    [
      'bytes=8-, 0-1',
      10,
      [
        { start: 8, end: 10 },
        { start: 0, end: 2 },
      ],
    ],
    ['bytes=0-1,,20-30', 10, [{ start: 0, end: 2 }]],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=10-11,-0', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=-5', 0, undefined],
    ['bytes=5-2', 10, undefined],
    ['bytes=', 10, undefined],
    ['bytes=a-b', 10, undefined],
    ['bytes=1', 10, undefined],
    ['bytes=0-1;2-3', 10, undefined],
    ['lines=0-1', 10, undefined],
    // More than the blob: somebody wants many times its bytes.
    ['bytes=0-9,0-9', 10, undefined],
    [`bytes=${Array.from({ length: 1025 }, (_, index) => `${index}-${index}`).join(',')}`, 5000, undefined],
  ])('%s of %i bytes', (header, size, ranges) => {
    expect(parseRanges(header, size)).toEqual(ranges);
  });
});

/** More than two buffers, and no multiple of one. */
const blob = randomBytes(300_001);
const storage = buildStorage((s) => ({ digest: s.blob(blob, 'a'), empty: s.blob('', 'a'), image: s.image('a', '1') }));
const path = `/v2/a/blobs/${storage.built.digest}`;

describe('a blob', () => {
  let url: string;
  beforeAll(async () => {
    const served = await startStorage(storage);
    ({ url } = served);
    return served.stop;
  });
  const get = (range: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
    ask(url, path, { headers: { range, ...headers } });

  it('comes whole without a range, and says that it takes some', async () => {
    const { status, headers, body } = await ask(url, path);
    expect({ status, equal: body.equals(blob) }).toEqual({ status: 200, equal: true });
    expect(headers).toMatchObject({
      'accept-ranges': 'bytes',
      'content-length': String(blob.length),
      'docker-content-digest': storage.built.digest,
      etag: `"${storage.built.digest}"`,
      'content-type': 'application/octet-stream',
    });
  });

  it('gives any range to the byte', async () => {
    const position = fc.integer({ min: 0, max: blob.length - 1 });
    await fc.assert(
      fc.asyncProperty(position, position, fc.constantFrom('span', 'open', 'suffix'), async (one, other, kind) => {
        const [first, last] = one < other ? [one, other] : [other, one];
        const header = { span: `${first}-${last}`, open: `${first}-`, suffix: `-${blob.length - first}` }[kind];
        const expected = kind === 'span' ? blob.subarray(first, last + 1) : blob.subarray(first);
        const { status, headers, body } = await get(`bytes=${header}`);
        expect(status).toBe(206);
        expect(headers['content-range']).toBe(`bytes ${first}-${first + expected.length - 1}/${blob.length}`);
        expect(headers['content-length']).toBe(String(expected.length));
        expect(body.equals(expected)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('gives any ranges in the order asked for', async () => {
    const span = fc.tuple(fc.integer({ min: 0, max: blob.length - 1 }), fc.integer({ min: 1, max: 40_000 }));
    await fc.assert(
      fc.asyncProperty(fc.array(span, { minLength: 2, maxLength: 7 }), async (spans) => {
        const wanted = spans.map(([start, length]) => ({ start, end: Math.min(start + length, blob.length) }));
        const { status, headers, body } = await get(
          `bytes=${wanted.map(({ start, end }) => `${start}-${end - 1}`).join(', ')}`,
        );
        expect(status).toBe(206);
        expect(headers['content-length']).toBe(String(body.length));
        expect(partsOf(headers['content-type'] ?? '', body)).toEqual(
          wanted.map(({ start, end }) => ({
            range: `bytes ${start}-${end - 1}/${blob.length}`,
            bytes: blob.subarray(start, end).toString('base64'),
          })),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('takes the 1,024 ranges of a partial pull', async () => {
    const starts = Array.from({ length: 1024 }, (_, index) => index * 290);
    const { status, headers, body } = await get(`bytes=${starts.map((at) => `${at}-${at + 9}`).join(',')}`);
    expect(status).toBe(206);
    expect(partsOf(headers['content-type'] ?? '', body)).toHaveLength(1024);
  });

  it('has nothing behind its end', async () => {
    const { status, headers } = await get(`bytes=${blob.length}-`);
    expect({ status, range: headers['content-range'] }).toEqual({ status: 416, range: `bytes */${blob.length}` });
  });

  it.each([
    ['"other"', 200],
    ['Wed, 21 Oct 2015 07:28:00 GMT', 200],
    [`"${storage.built.digest}"`, 206],
    // RFC 9110, 13.1.5: a weak tag never matches.
    [`W/"${storage.built.digest}"`, 200],
  ])('with If-Range: %s answers %i', async (condition, status) => {
    expect((await get('bytes=0-9', { 'if-range': condition })).status).toBe(status);
  });

  it('ignores a range for HEAD and answers If-None-Match', async () => {
    const head = await ask(url, path, { method: 'HEAD', headers: { range: 'bytes=0-9' } });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, String(blob.length), 0]);
    for (const tag of [`"${storage.built.digest}"`, `"x", W/"${storage.built.digest}"`, '*'])
      expect((await ask(url, path, { headers: { 'if-none-match': tag } })).status).toBe(304);
    expect((await ask(url, path, { headers: { 'if-none-match': '"x"' } })).status).toBe(200);
  });

  it('of no bytes is one, too', async () => {
    const empty = `/v2/a/blobs/${storage.built.empty}`;
    expect(await ask(url, empty)).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    expect((await ask(url, empty, { headers: { range: 'bytes=0-' } })).status).toBe(416);
  });
});

it('a range at the end of a tar is read without what lies before it', async () => {
  const { opened, url } = await serveStorage(storage);
  const { store } = opened;
  const asked: (number | undefined)[] = [];
  const open = store.open.bind(store);
  Object.assign(store, {
    open: (...[digest, from, ring]: Parameters<typeof open>) => (asked.push(from), open(digest, from, ring)),
  });
  onTestFinished(() => void Object.assign(store, { open }));
  const { body } = await ask(url, path, { headers: { range: 'bytes=-5' } });
  expect(body.equals(blob.subarray(-5))).toBe(true);
  expect(asked).toEqual([blob.length - 5]);
});

/** @see RFC 2046, 5.1.1 */
function partsOf(type: string, body: Buffer): { range: string; bytes: string }[] {
  const boundary = /^multipart\/byteranges; boundary=(\S+)$/.exec(type)?.[1] ?? 'none';
  const text = body.toString('latin1');
  const pieces = `\r\n${text}`.split(`\r\n--${boundary}`);
  expect([pieces[0], pieces.at(-1)]).toEqual(['', '--\r\n']);
  return pieces.slice(1, -1).map((piece) => {
    const end = piece.indexOf('\r\n\r\n');
    const range = /Content-Range: (.*)/.exec(piece.slice(0, end))?.[1]?.trim() ?? '';
    return { range, bytes: Buffer.from(piece.slice(end + 4), 'latin1').toString('base64') };
  });
}
