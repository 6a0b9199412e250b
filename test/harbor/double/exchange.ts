import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from './answers.ts';
import type { Caller } from './identity.ts';
import type { World } from './world.ts';

/** One request on its way through the double. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  /** The path as it was sent, doubled slashes collapsed. */
  readonly rawPath: string;
  /** The same, percent-decoded once. */
  readonly path: string;
  /** With its leading `?`, or empty. */
  readonly search: string;
  readonly query: URLSearchParams;
  readonly world: World;
  readonly caller: Caller;
}

const taken = new WeakMap<IncomingMessage, number>();

/** Notes that body bytes arrived. */
export function countBytes(request: IncomingMessage, bytes: number): void {
  taken.set(request, bodyBytes(request) + bytes);
}

/** Body bytes that arrived and were not dropped unread. */
export function bodyBytes(request: IncomingMessage): number {
  return taken.get(request) ?? 0;
}

/** Whether the method leaves everything as it is. */
export function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

/**
 * Collects a small body.
 * @returns undefined when it is larger than `limitBytes`; the rest of it is then read and dropped
 */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    countBytes(request, chunk.length);
    if (size <= limitBytes) chunks.push(chunk);
  }
  return size <= limitBytes ? Buffer.concat(chunks, size) : undefined;
}

/** Whether a parsed JSON value is an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads the JSON body of an API request.
 * @param subject what the swagger description calls the body, for the messages
 */
export async function readJson(exchange: Exchange, subject: string): Promise<Record<string, unknown>> {
  const body = await readBody(exchange.request, 1024 * 1024);
  const contentType = exchange.request.headers['content-type'] ?? 'application/json';
  if (!contentType.startsWith('application/json'))
    throw invalid(`unsupported media type "${contentType}", only [application/json] are allowed`);
  if (body === undefined || body.length === 0) throw invalid(`${subject} in body is required`);
  try {
    const document: unknown = JSON.parse(body.toString());
    if (isObject(document)) return document;
  } catch {
    // Answered below, as any other body that is not an object.
  }
  throw invalid(`parsing ${subject} body from "" failed, because unexpected EOF`);
}

/** Harbor's answer to requests that its API description does not allow. */
export function invalid(message: string): Refusal {
  return new Refusal(422, 'UNPROCESSABLE_ENTITY', `validation failure list:\n${message}`);
}
