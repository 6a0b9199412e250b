import { describe, expect, it } from 'vitest';
import { RegtarError } from '../../src/errors.ts';
import { resolveLocation } from '../../src/remote/location.ts';
import { parseRetryAfter } from '../../src/net/retry.ts';
import { isLoopback } from '../../src/net/host.ts';
import { parseTarget } from '../../src/remote/target.ts';

describe('a target', () => {
  it.each([
    ['harbor.k8s.li', { host: 'harbor.k8s.li', path: '' }],
    ['harbor.k8s.li/', { host: 'harbor.k8s.li', path: '' }],
    ['Harbor.Example:8443/library', { host: 'harbor.example:8443', path: 'library' }],
    ['https://harbor.example/library/team/', { scheme: 'https', host: 'harbor.example', path: 'library/team' }],
    ['HTTP://localhost:5000', { scheme: 'http', host: 'localhost:5000', path: '' }],
    ['127.0.0.1:5000/a-b/c_d/e__f/g.h', { host: '127.0.0.1:5000', path: 'a-b/c_d/e__f/g.h' }],
    ['[::1]:5000/x', { host: '[::1]:5000', path: 'x' }],
    ['docker://harbor.example/library', { host: 'harbor.example', path: 'library' }],
    ['registry', { host: 'registry', path: '' }],
  ])('%s is understood', (text, expected) => {
    expect(parseTarget(text)).toEqual(expected);
  });

  it.each([
    '',
    '/',
    'https://',
    'ftp://host',
    'host:0',
    'host:65536',
    'host:abc',
    'host/Upper',
    'host//a',
    'host/a b',
    'host/a:tag',
    'host/../a',
    '-host',
    'host/a/../b',
    'host?x=1',
    'host#x',
  ])('%j is refused', (text) => {
    expect(() => parseTarget(text)).toThrow(RegtarError);
  });

  it('with a password in it is refused without showing it', () => {
    expect(() => parseTarget('https://user:mArKeD@host/a')).toThrow(/^a target has no user name or password in it$/);
  });

  it.each([
    ['localhost:5000', true],
    ['127.1.2.3', true],
    ['[::1]:80', true],
    ['x.localhost', true],
    ['localhost.example', false],
    ['128.0.0.1', false],
    ['127.0.0.1.example', false],
  ])('%s is loopback: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});

describe('a Location', () => {
  const registry = new URL('https://harbor.example');
  it.each([
    ['/v2/a/blobs/uploads/1?_state=x%3D', 'https://harbor.example/v2/a/blobs/uploads/1?_state=x%3D'],
    ['https://harbor.example/v2/x', 'https://harbor.example/v2/x'],
    ['http://harbor.example/v2/x', 'https://harbor.example/v2/x'],
    ['http://harbor.example:8080/v2/x', 'http://harbor.example:8080/v2/x'],
    ['https://storage.example/x?sig=1', 'https://storage.example/x?sig=1'],
    ['', undefined],
  ])('%j leads to %s', (location, expected) => {
    expect(resolveLocation(location, new URL('https://harbor.example/v2/a/blobs/uploads/'), registry)?.href).toBe(
      expected,
    );
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  it.each([
    ['120', 120],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30],
    ['Wed, 31 Dec 2025 23:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%j is %s seconds', (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });
});
