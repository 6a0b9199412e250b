import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { explainAnswer, wordsOf } from '../../src/remote/answers.ts';
import type { Answer } from '../../src/net/transport.ts';

function answer(status: number, body: string, headers: Record<string, string> = {}): Answer {
  return { status, body: Buffer.from(body), headers, url: new URL('http://h/') };
}

function explain(status: number, body: string, headers?: Record<string, string>): ReturnType<typeof explainAnswer> {
  return explainAnswer(answer(status, body, headers), { host: 'h', doing: 'push x' });
}

function errors(...entries: readonly (readonly [string, string])[]): string {
  return JSON.stringify({ errors: entries.map(([code, message]) => ({ code, message })) });
}

it('a refusal without a word is about the rights of an account that has proven itself', () => {
  const asked = { host: 'h', doing: 'show manifest team/app:v1', where: { repository: 'team/app' } };
  expect(explainAnswer(answer(401, ''), asked).code).toBe('AUTH_FAILED');
  const error = explainAnswer(answer(401, ''), { ...asked, isProven: true });
  expect([error.code, error.hint]).toEqual(['AUTH_DENIED', expect.stringContaining('team/app')]);
});

describe('a refusal', () => {
  it.each([
    [
      401,
      errors(['UNAUTHORIZED', 'unauthorized: unauthorized']),
      { 'www-authenticate': 'Bearer realm="x"' },
      'AUTH_FAILED',
    ],
    [
      401,
      errors(['UNAUTHORIZED', 'project late not found: project late not found']),
      { 'www-authenticate': '' },
      'PROJECT_MISSING',
    ],
    [
      401,
      errors(['UNAUTHORIZED', 'un-recognized request: PUT /v2/A/b']),
      { 'www-authenticate': '' },
      'REPOSITORY_INVALID',
    ],
    [
      401,
      errors([
        'UNAUTHORIZED',
        'unauthorized to access repository: pa/app, action: push: unauthorized to access repository: pa/app, action: push',
      ]),
      { 'www-authenticate': 'Basic realm="harbor"' },
      'AUTH_DENIED',
    ],
    [
      401,
      errors(['UNAUTHORIZED', 'authentication required']),
      { 'www-authenticate': 'Bearer realm="x",error="insufficient_scope"' },
      'AUTH_DENIED',
    ],
    [
      403,
      errors([
        'DENIED',
        'adding 117.2 KiB of storage resource, which when updated to current usage of 0 B will exceed the configured upper limit of 97.7 KiB.',
      ]),
      {},
      'QUOTA_EXCEEDED',
    ],
    [403, errors(['DENIED', 'The system is in read only mode. Any modification is prohibited.']), {}, 'READ_ONLY'],
    [403, errors(['DENIED', 'denied: can not push artifact to a proxy project: pcache']), {}, 'PROJECT_PROXY'],
    [403, errors(['DENIED', 'requested access to the resource is denied']), {}, 'AUTH_DENIED'],
    [
      412,
      errors(['PRECONDITION', "Failed to process request due to 'app:v1' configured as immutable."]),
      {},
      'TAG_IMMUTABLE',
    ],
    [
      413,
      '<html><head><title>413 Request Entity Too Large</title></head></html>',
      { 'content-type': 'text/html' },
      'BODY_TOO_LARGE',
    ],
    [400, errors(['MANIFEST_BLOB_UNKNOWN', 'blob unknown to registry']), {}, 'CHILD_MISSING'],
    [400, errors(['MANIFEST_INVALID', 'manifest invalid']), {}, 'MANIFEST_UNSUPPORTED'],
    [400, errors(['DIGEST_INVALID', 'provided digest did not match uploaded content']), {}, 'TARGET_DIFFERS'],
    [429, '', {}, 'TARGET_UNAVAILABLE'],
    [500, errors(['UNKNOWN', 'filesystem: write /x: no space left on device']), {}, 'QUOTA_EXCEEDED'],
    [502, '<html>\r\n<head><title>502 Bad Gateway</title></head></html>', {}, 'TARGET_UNAVAILABLE'],
    [507, '', {}, 'QUOTA_EXCEEDED'],
    [301, '', { location: '/' }, 'TARGET_REFUSED'],
    [418, 'I am a teapot', {}, 'TARGET_REFUSED'],
  ])('%i %s %j is %s', (status, body, headers, code) => {
    const error = explain(status, body, headers);
    expect(error).toMatchObject({ code, side: 'target', where: { status } });
    expect(error.message).toContain(String(status));
  });

  it('keeps the registry’s own words, without what a terminal would obey', () => {
    expect(explain(403, errors(['DENIED', 'go \u001b[31maway\u0007\r\nplease\u202e'])).message).toBe(
      'h refused to push x (403: go [31maway please )'.replace(' )', ')'),
    );
    expect(wordsOf(answer(400, 'x'.repeat(5000))).length).toBeLessThan(700);
    expect(wordsOf(answer(500, errors(['A', 'same'], ['B', 'same'], ['C', ''])))).toBe('same; C');
    expect(wordsOf(answer(500, '{"errors":[{"code":1}]}'))).toBe('{"errors":[{"code":1}]}');
  });
});

it('every refusal that a real Harbor gave below /v2/ is explained with its own words', () => {
  const lines = readFileSync(new URL('../harbor/exchanges.jsonl', import.meta.url), 'utf8')
    .split('\n')
    .filter(Boolean);
  const codes = new Set<string>();
  for (const line of lines) {
    const { request, response } = JSON.parse(line) as {
      request?: { method: string; path: string };
      response?: { status: number; headers: Record<string, string>; body?: unknown; text?: string; page?: string };
    };
    // The first line describes the recording itself.
    if (request === undefined || response === undefined || response.status < 400 || !request.path.startsWith('/v2/'))
      continue;
    const { status, headers, body, text, page } = response;
    const sent =
      body === undefined
        ? (text ?? (page === undefined ? '' : `<html><head><title>${page}</title></head></html>`))
        : JSON.stringify(body);
    const error = explain(
      status,
      sent,
      Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    );
    codes.add(error.code);
    if (sent.includes('"message":"')) expect(error.message).not.toContain('(status');
  }
  expect([...codes]).toEqual(
    expect.arrayContaining([
      'AUTH_FAILED',
      'AUTH_DENIED',
      'PROJECT_MISSING',
      'QUOTA_EXCEEDED',
      'READ_ONLY',
      'PROJECT_PROXY',
      'TAG_IMMUTABLE',
      'CHILD_MISSING',
      'TARGET_DIFFERS',
      'MANIFEST_UNSUPPORTED',
    ]),
  );
});
