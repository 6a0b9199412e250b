import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, expect, it } from 'vitest';
import { Secret } from '../../src/net/secret.ts';
import { openFarObject } from '../../src/source/far/far-object.ts';
import { openHttpsObject } from '../../src/source/https/https-object.ts';

const content = Buffer.from('0123456789'.repeat(10));
const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close().closeAllConnections();
});

async function start(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function rangeOf({ headers }: IncomingMessage): { readonly bytes: Buffer; readonly head: Record<string, string> } {
  const [, from = '0', to = '0'] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
  const bytes = content.subarray(Number(from), Number(to) + 1);
  const range = `bytes ${from}-${Number(from) + bytes.length - 1}/${content.length}`;
  return { bytes, head: { etag: '"1"', 'content-range': range } };
}

const open = (url: string) =>
  openFarObject(
    openHttpsObject(`${url}/docker.tar`, {
      username: 'somebody',
      password: new Secret('secret'),
      retry: { times: 0 },
      env: {},
    }),
    10,
  );

it('credentials stay with the host that they are for, and a signed address is asked for no longer than it holds', async () => {
  const seen: string[] = [];
  let signature = 1;
  const other = await start((request, response) => {
    seen.push(`${request.headers.authorization ?? 'nobody'} ${request.url ?? ''}`);
    if (!request.url?.endsWith(`=${signature}`)) return void response.writeHead(403).end();
    const { bytes, head } = rangeOf(request);
    response.writeHead(206, head).end(bytes);
  });
  const first = await start((request, response) => {
    seen.push(`${request.headers.authorization === undefined ? 'nobody' : 'somebody'} first`);
    response.writeHead(307, { location: `${other}/docker.tar?signature=${signature}` }).end();
  });
  const object = await open(first);
  expect(Buffer.from(await object.fetch(10, 5)).toString()).toBe('01234');
  signature = 2;
  expect(Buffer.from(await object.fetch(20, 5)).toString()).toBe('01234');
  expect(seen).toEqual([
    'somebody first',
    'nobody /docker.tar?signature=1',
    'nobody /docker.tar?signature=1',
    'nobody /docker.tar?signature=1',
    'somebody first',
    'nobody /docker.tar?signature=2',
  ]);
  await object.close();
});

it('a redirect from this machine does not lead to another one without encryption', async () => {
  const first = await start((_request, response) => {
    response.writeHead(302, { location: 'http://files.example/docker.tar?token=secret' }).end();
  });
  await expect(open(first)).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    message: expect.not.stringContaining('secret') as string,
  });
});

it('a server that gives the whole file in place of a part is told from a file that has changed', async () => {
  let isWhole = false;
  const url = await start((request, response) => {
    const { bytes, head } = rangeOf(request);
    if (isWhole) response.writeHead(200, { etag: '"1"', 'content-length': content.length }).end(content);
    else response.writeHead(206, head).end(bytes);
  });
  const object = await open(url);
  isWhole = true;
  await expect(object.fetch(10, 5)).rejects.toMatchObject({
    code: 'SOURCE_NO_RANGES',
    message: expect.stringContaining('whole file now') as string,
  });
  await object.close();
});

it('answers that end early, each time, are named', async () => {
  let asked = 0;
  const url = await start((request, response) => {
    asked++;
    const { bytes, head } = rangeOf(request);
    response.writeHead(206, head).end(bytes.subarray(0, 4));
  });
  await expect(open(url)).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    message: expect.stringContaining('the answer ended early, after 4 bytes') as string,
  });
  expect(asked).toBe(1);
});

it('a server that gives a byte for each request is not asked for all of them', async () => {
  let asked = 0;
  const url = await start((request, response) => {
    const { bytes, head } = rangeOf(request);
    response.writeHead(206, head).end(asked++ === 0 ? bytes : bytes.subarray(0, 1));
  });
  const object = await open(url);
  const read = async (): Promise<number> => {
    let count = 0;
    for await (const chunk of object.read(10, 80)) count += chunk.length;
    return count;
  };
  await expect(read()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  expect(asked).toBeLessThan(5);
  await object.close();
});
