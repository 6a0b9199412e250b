import { Agent, createServer, request as sendRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answers, startFaultProxy, tooManyRequests, type FaultProxy, type FaultRule } from './fault-proxy.ts';

interface Received {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly complete: boolean;
}

const answerBody = 'x'.repeat(1000);

let target: Server;
let received: Received[];
let proxy: FaultProxy;
let agent: Agent;

beforeEach(async () => {
  received = [];
  agent = new Agent({ keepAlive: true });
  target = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('close', () =>
      received.push({
        method: request.method ?? '',
        path: request.url ?? '',
        body: Buffer.concat(chunks).toString(),
        complete: request.complete,
      }),
    );
    request.on('end', () => {
      response.writeHead(201, {
        Location: `http://${request.headers.host ?? ''}/v2/app/blobs/uploads/1?_state=a`,
        'Content-Length': String(answerBody.length),
      });
      response.end(answerBody);
    });
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  proxy = await startFaultProxy(`http://127.0.0.1:${String((target.address() as AddressInfo).port)}`);
});

afterEach(async () => {
  agent.destroy();
  await proxy.stop();
  target.closeAllConnections();
  await new Promise((resolve) => target.close(resolve));
});

describe('a fault proxy', () => {
  it('passes on what no rule spoils, Host included, and counts it', async () => {
    const answer = await send('PUT', '/v2/app?digest=d', 'body');
    expect(answer).toMatchObject({
      status: 201,
      body: answerBody,
      headers: { location: `${proxy.url}/v2/app/blobs/uploads/1?_state=a` },
    });
    expect(received).toEqual([{ method: 'PUT', path: '/v2/app?digest=d', body: 'body', complete: true }]);
    expect(proxy.requests).toMatchObject([
      { method: 'PUT', path: '/v2/app?digest=d', fault: undefined, status: 201, bytes: 4 },
    ]);
    expect(proxy.count({ method: 'PUT' })).toBe(1);
    expect(proxy.count({ path: /manifests/ })).toBe(0);
  });

  it('spoils the requests that a rule names by method, path and number, and heals', async () => {
    proxy.add({ method: 'PUT', path: /blobs/, nth: [2, 3], fault: answers.unavailable });
    const statuses = [];
    for (const [method, path] of [
      ['PUT', '/blobs'],
      ['GET', '/blobs'],
      ['PUT', '/manifests'],
      ['PUT', '/blobs'],
      ['PUT', '/blobs'],
      ['PUT', '/blobs'],
    ] as const)
      statuses.push((await send(method, path)).status);
    expect(statuses).toEqual([201, 201, 201, 503, 503, 201]);
    proxy.add({ fault: answers.internalError });
    expect((await send('GET', '/')).status).toBe(500);
    proxy.heal();
    expect((await send('GET', '/')).status).toBe(201);
  });

  it.each([
    ['408', answers.requestTimeout, 408, {}, ''],
    ['429 with seconds', tooManyRequests(7), 429, { 'retry-after': '7' }, 'TOOMANYREQUESTS'],
    [
      '429 with a date',
      tooManyRequests(new Date('2030-01-02T03:04:05Z')),
      429,
      { 'retry-after': 'Wed, 02 Jan 2030 03:04:05 GMT' },
      'TOOMANYREQUESTS',
    ],
    ['500', answers.internalError, 500, {}, 'UNKNOWN'],
    ['502 with a page', answers.badGatewayPage, 502, { 'content-type': 'text/html' }, '502 Bad Gateway'],
    ['502 without a body', answers.badGatewayEmpty, 502, { 'content-length': '0' }, ''],
    ['503', answers.unavailable, 503, {}, 'Unavailable'],
  ] as const)('answers %s by itself', async (_name, fault, status, headers, text) => {
    proxy.add({ fault });
    const answer = await send('PUT', '/', 'body');
    expect(answer).toMatchObject({ status, headers });
    expect(answer.body).toContain(text);
    expect(received).toEqual([]);
  });

  it('resets before the body: the target hears nothing', async () => {
    await expectReset({ fault: { kind: 'reset', when: 'before-body' } });
    expect(received).toEqual([]);
  });

  it('resets in the body: the target gets a request that does not end', async () => {
    await expectReset({ fault: { kind: 'reset', when: 'in-body', bytes: 10 } });
    await expect.poll(() => received).toEqual([{ method: 'PUT', path: '/', body: 'y'.repeat(10), complete: false }]);
  });

  it('resets after the body: the target did its work', async () => {
    await expectReset({ fault: { kind: 'reset', when: 'after-body' } });
    expect(received).toMatchObject([{ complete: true }]);
  });

  it('resets in the answer', async () => {
    await expectReset({ fault: { kind: 'reset', when: 'in-answer', bytes: 100 } });
    expect(received).toMatchObject([{ complete: true }]);
  });

  it('truncates an answer that says its full length', async () => {
    proxy.add({ fault: { kind: 'truncate', bytes: 100 } });
    await expect(send('GET', '/')).rejects.toThrow(/aborted/);
  });

  it('lets an answer trickle, whole', async () => {
    proxy.add({ fault: { kind: 'trickle', bytes: 250, milliseconds: 20 } });
    const begun = performance.now();
    expect((await send('GET', '/')).body).toBe(answerBody);
    expect(performance.now() - begun).toBeGreaterThan(55);
  });

  it.each(['request', 'answer'] as const)('stalls in the %s and goes on', async (when) => {
    proxy.add({ fault: { kind: 'stall', when, bytes: 10, milliseconds: 100 } });
    const begun = performance.now();
    expect((await send('PUT', '/', 'y'.repeat(1000))).status).toBe(201);
    expect(performance.now() - begun).toBeGreaterThan(95);
    expect(received).toMatchObject([{ body: 'y'.repeat(1000) }]);
  });

  it('stalls for good until the client gives up', async () => {
    proxy.add({ fault: { kind: 'stall', when: 'request' } });
    await expect(send('PUT', '/', 'body', AbortSignal.timeout(100))).rejects.toThrow(/abort/);
    expect(proxy.requests).toMatchObject([{ fault: 'stall', status: 0 }]);
  });

  it('moves Location to another origin, or to none', async () => {
    proxy.add(
      { nth: 1, fault: { kind: 'location', origin: 'http://127.0.0.2:1' } },
      { nth: 2, fault: { kind: 'location', origin: 'relative' } },
    );
    expect((await send('POST', '/')).headers.location).toBe('http://127.0.0.2:1/v2/app/blobs/uploads/1?_state=a');
    expect((await send('POST', '/')).headers.location).toBe('/v2/app/blobs/uploads/1?_state=a');
  });

  it('delivers a request twice', async () => {
    proxy.add({ fault: { kind: 'duplicate' } });
    expect((await send('PUT', '/', 'body')).status).toBe(201);
    expect(received).toMatchObject([
      { body: 'body', complete: true },
      { body: 'body', complete: true },
    ]);
  });
});

async function expectReset(rule: FaultRule): Promise<void> {
  proxy.add(rule);
  await expect(send('PUT', '/', 'y'.repeat(100_000))).rejects.toThrow(/ECONNRESET|EPIPE|hang up|aborted/);
  expect(proxy.requests).toMatchObject([{ fault: 'reset' }]);
}

function send(
  method: string,
  path: string,
  body = '',
  signal?: AbortSignal,
): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const [hostname, port] = proxy.host.split(':');
    const outgoing = sendRequest(
      {
        agent,
        hostname,
        port,
        method,
        path,
        headers: { 'Content-Length': String(body.length) },
        ...(signal === undefined ? {} : { signal }),
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: Buffer.concat(chunks).toString(),
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
