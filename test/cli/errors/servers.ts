import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { regtar } from '../../e2e/support/regtar.ts';
import type { RunResult } from '../../support/run.ts';
import type { ErrorCase } from './case.ts';

/** Lists what a web server holds that answers like this. */
async function listFrom(answer: RequestListener): Promise<RunResult> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/docker.tar?key=hidden`;
  const result = await regtar(['list', address, '--retry-times', '0']);
  server.close();
  server.closeAllConnections();
  return result;
}

/** What servers refuse that hold SOURCE. */
export const servers: readonly ErrorCase[] = [
  {
    code: 'SOURCE_UNREACHABLE',
    title: 'nobody there',
    exit: 1,
    says: /no answer from http:\/\/127\.0\.0\.1:1/,
    hint: /nothing listens there/,
    provoke: () => regtar(['list', 'http://127.0.0.1:1/docker.tar', '--retry-times', '0']),
  },
  {
    code: 'SOURCE_DENIED',
    title: 'no credentials',
    exit: 1,
    says: /\/docker\.tar is refused \(401\)$/,
    hint: /--source-username/,
    provoke: () => listFrom((_request, response) => response.writeHead(401).end()),
  },
  {
    code: 'SOURCE_NO_RANGES',
    title: 'a server that sends whole files only',
    exit: 1,
    says: /\/docker\.tar cannot be read in parts/,
    hint: /curl/,
    provoke: () => listFrom((_request, response) => response.end('a whole file')),
  },
];
