import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FarRequest, FetchTrouble } from '../../src/io/far-bytes.ts';
import { createRangeClient } from '../../src/io/range-client.ts';

const body = 'the bytes that were asked for';
const range = `bytes 5-${4 + body.length}/1000`;

/** An answer as it goes over the line. */
const answerOf = (
  changes: Readonly<Record<string, string | undefined>> = {},
  status = 'HTTP/1.1 206 Partial Content',
) =>
  [
    status,
    ...Object.entries({ 'Content-Length': String(body.length), 'Content-Range': range, ETag: '"v1"', ...changes })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}: ${value ?? ''}`),
    '',
    body,
  ].join('\r\n');

describe('asking for parts of a file with nothing around it', () => {
  let server: Server;
  let connections: Socket[];
  /** What each request is answered, in turn. */
  let say: (socket: Socket, request: number) => void;
  let request: FarRequest;
  beforeAll(async () => {
    server = createServer((socket) => {
      connections.push(socket);
      socket.on('error', () => undefined).on('data', () => say(socket, requests++));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    request = {
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      head: 'GET /file HTTP/1.1\r\nhost: here\r\n\r\n',
      answer: { 'content-range': range, etag: '"v1"' },
      size: body.length,
      stallSeconds: 30,
    };
  });
  afterAll(() => void server.close());
  let requests = 0;
  beforeEach(() => {
    requests = 0;
    connections = [];
  });

  const client = createRangeClient(1024);
  const get = (asked: Partial<FarRequest> = {}) =>
    new Promise<{ text: string; trouble: FetchTrouble | undefined; status: number }>((resolve) => {
      let text = '';
      client.get(
        { ...request, ...asked },
        {
          take: (chunk) => void (text += chunk.toString('latin1')),
          end: (trouble, status) => resolve({ text, trouble, status }),
        },
      );
    });
  const hangUp = (): void => connections.forEach((socket) => socket.destroy());

  it('takes what was asked for, over one connection', async () => {
    say = (socket) => void socket.write(answerOf());
    for (let turn = 0; turn < 3; turn++) expect(await get()).toEqual({ text: body, trouble: undefined, status: 206 });
    expect([connections.length, requests]).toEqual([1, 3]);
    hangUp();
  });

  it('takes it a byte at a time, and in pieces larger than its buffer', async () => {
    say = (socket) => {
      socket.setNoDelay(true);
      const bytes = [...answerOf({ 'content-length': undefined, 'CONTENT-LENGTH': undefined })];
      const next = (): void => {
        const byte = bytes.shift();
        if (byte !== undefined) socket.write(byte, () => setImmediate(next));
      };
      next();
    };
    expect(await get()).toMatchObject({ text: body, trouble: undefined });
    const long = 'x'.repeat(100_000);
    say = (socket) =>
      void socket.write(answerOf({ 'Content-Length': String(long.length) }).slice(0, -body.length) + long);
    expect(await get({ size: long.length })).toMatchObject({ text: long, trouble: undefined });
    hangUp();
  });

  it.each<[string, string]>([
    ['the whole file', answerOf({}, 'HTTP/1.1 200 OK')],
    ['a condition that failed', answerOf({}, 'HTTP/1.1 412 Precondition Failed')],
    ['a server in trouble', answerOf({}, 'HTTP/1.1 503 Service Unavailable')],
    ['something provisional', answerOf({}, 'HTTP/1.1 103 Early Hints')],
    ['an older protocol', answerOf({}, 'HTTP/1.0 206 Partial Content')],
    ['no protocol', 'hello\r\n\r\n'],
    ['another part', answerOf({ 'Content-Range': 'bytes 0-28/1000' })],
    ['a part of another size', answerOf({ 'Content-Range': range.replace('1000', '1001') })],
    ['another version', answerOf({ ETag: '"v2"' })],
    ['no version', answerOf({ ETag: undefined })],
    ['two versions', answerOf({ etag: '"v1"' })],
    ['another length', answerOf({ 'Content-Length': '28' })],
    ['no length', answerOf({ 'Content-Length': undefined })],
    ['chunks', answerOf({ 'Transfer-Encoding': 'chunked' })],
    ['packed bytes', answerOf({ 'Content-Encoding': 'gzip' })],
    ['a header without a name', answerOf({ '': 'x' })],
    ['a folded header', answerOf({ 'X-One': 'a\r\n b' })],
    ['a head without an end', 'HTTP/1.1 206 Partial Content\r\n'.padEnd(40_000, 'x')],
  ])('refuses %s, and takes no byte of it', async (_what, answer) => {
    say = (socket) => void socket.write(answer);
    expect(await get()).toMatchObject({ text: '', trouble: 'refused' });
    hangUp();
  });

  it('says how far an answer came that broke off', async () => {
    say = (socket) => void socket.end(answerOf().slice(0, -5));
    expect(await get()).toEqual({ text: body.slice(0, -5), trouble: 'broken', status: 206 });
    say = (socket) => void socket.resetAndDestroy();
    expect(await get()).toEqual({ text: '', trouble: 'broken', status: 0 });
    expect(await get({ port: 1 })).toEqual({ text: '', trouble: 'broken', status: 0 });
  });

  it('asks again where a kept connection was closed, and keeps none that says more than it should', async () => {
    say = (socket) => void socket.write(`${answerOf()}and more`);
    expect(await get()).toMatchObject({ text: body, trouble: undefined });
    say = (socket) => void socket.write(answerOf());
    expect(await get()).toMatchObject({ text: body, trouble: undefined });
    expect(connections.length).toBe(2);
    say = (socket, count) => void (count === 2 ? socket.destroy() : socket.write(answerOf({ Connection: 'close' })));
    expect(await get()).toMatchObject({ text: body, trouble: undefined });
    expect([connections.length, requests]).toEqual([3, 4]);
    hangUp();
  });

  it('gives up what is silent, before its answer and within it', async () => {
    say = () => undefined;
    expect(await get({ stallSeconds: 0.25 })).toMatchObject({ trouble: 'broken', status: 0 });
    say = (socket) => void socket.write(answerOf().slice(0, -5));
    expect(await get({ stallSeconds: 0.25 })).toEqual({ text: body.slice(0, -5), trouble: 'broken', status: 206 });
    hangUp();
  });

  it('calls nobody any more who has left', async () => {
    say = (socket) => void socket.write(answerOf().slice(0, -5));
    let calls = 0;
    await new Promise<void>((resolve) => {
      const leave = client.get(request, {
        take: () => {
          calls++;
          leave();
          setTimeout(resolve, 50);
        },
        end: () => void calls++,
      });
    });
    expect(calls).toBe(1);
  });
});
