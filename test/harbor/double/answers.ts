import { randomBytes, randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';

/** Header values as node takes them. */
export type Headers = Record<string, string | string[]>;

/** nginx's `add_header` without `always` writes its headers on these alone. */
const statusesWithFrontHeaders = new Set([200, 201, 204, 206, 301, 302, 303, 304, 307, 308]);

/** The headers that the core and the front put on every answer of this status. */
export function commonHeaders(status: number): Headers {
  return {
    'Set-Cookie': [`sid=${randomBytes(16).toString('hex')}; Path=/; HttpOnly`],
    'X-Request-Id': randomUUID(),
    ...(statusesWithFrontHeaders.has(status)
      ? { 'X-Frame-Options': 'DENY', 'Content-Security-Policy': "frame-ancestors 'none'" }
      : {}),
  };
}

/** Answers with these very bytes; HEAD gets the headers alone (node drops the body). */
export function send(response: ServerResponse, status: number, body: string | Buffer, headers: Headers = {}): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  response.writeHead(status, { ...commonHeaders(status), 'Content-Length': String(length), ...headers });
  response.end(body);
}

/** Answers with a JSON document and Go's closing newline. */
export function sendJson(response: ServerResponse, status: number, document: unknown, headers: Headers = {}): void {
  send(response, status, `${JSON.stringify(document)}\n`, { 'Content-Type': 'application/json', ...headers });
}

/** Answers with Harbor's error document. */
export function sendError(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: Headers = {},
): void {
  sendJson(
    response,
    status,
    { errors: [{ code, message }] },
    { 'Content-Type': 'application/json; charset=utf-8', ...headers },
  );
}

const nginxTitles: Readonly<Record<number, string>> = {
  301: '301 Moved Permanently',
  400: '400 Bad Request',
  413: '413 Request Entity Too Large',
  414: '414 Request-URI Too Large',
  502: '502 Bad Gateway',
};

/** Answers with one of nginx's own HTML pages, which carry none of the core's headers. */
export function sendFrontPage(
  response: ServerResponse,
  status: 301 | 400 | 413 | 414 | 502,
  headers: Headers = {},
  detail?: string,
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const title = nginxTitles[status] ?? String(status);
  const page =
    `<html>\r\n<head><title>${detail === undefined ? title : `400 ${detail}`}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n` +
    `${detail === undefined ? '' : `<center>${detail}</center>\r\n`}<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n`;
  response.writeHead(status, {
    'Content-Type': 'text/html',
    'Content-Length': String(Buffer.byteLength(page)),
    ...(status === 301 ? { 'X-Frame-Options': 'DENY', 'Content-Security-Policy': "frame-ancestors 'none'" } : {}),
    ...headers,
  });
  response.end(page);
}

/** A refusal that a handler throws and the server turns into Harbor's error document. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Headers;
  constructor(status: number, code: string, message: string, headers: Headers = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}
