import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync, chmodSync, writeFileSync, readdirSync } from 'node:fs';
import { get as httpsGet } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import bcrypt from 'bcryptjs';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { createDoorkeeper, parseHtpasswd } from '../../src/serve/htpasswd.ts';
import { isLoopbackAddress } from '../../src/serve/server.ts';
import { makeSelfSigned } from '../../src/serve/tls/certificate.ts';
import { keepSelfSigned } from '../../src/serve/tls/tls-folder.ts';
import { chooseListen, parseListen } from '../../src/cli/serve/listen.ts';
import { fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startServe } from './support/start-serve.ts';
import { ask, serveStorage } from './support/serve-storage.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

describe('a password file', () => {
  const users = parseHtpasswd(
    `# people\n\nme:${bcrypt.hashSync('secret', 4)}\nlong:${bcrypt.hashSync('x'.repeat(72), 4)}\n`,
    'f',
  );

  it('lets in who has a right password, and checks it once', async () => {
    let checks = 0;
    const doorkeeper = createDoorkeeper(users, {
      compare: async (password, hash) => (checks++, bcrypt.compare(password, hash)),
      failureTime: 1,
    });
    const verdicts: string[] = [];
    for (const [user, password] of [
      ['me', 'secret'],
      ['me', 'secret'],
      ['me', 'wrong'],
      ['me', 'wrong'],
      ['nobody', 'secret'],
      // bcrypt looks at 72 bytes: what is longer must not be equal to what was cut.
      ['long', 'x'.repeat(73)],
    ] as const)
      verdicts.push(await doorkeeper.admit(basic(user, password), '10.0.0.1'));
    expect(verdicts).toEqual(['welcome', 'welcome', 'unknown', 'unknown', 'unknown', 'unknown']);
    // Who is not there costs a check, too.
    expect(checks).toBe(4);
    for (const header of [undefined, '', 'Basic', 'Basic !!!', 'Bearer x', basic('me', '')])
      expect(await doorkeeper.admit(header, '10.0.0.1'), header).toBe('unknown');
  });

  it('makes who guesses wait, one guess after the other, and nobody else', async () => {
    const doorkeeper = createDoorkeeper(users, { compare: async (password) => password === 'secret', failureTime: 60 });
    await doorkeeper.admit(basic('me', 'secret'), '10.0.0.2');
    const order: string[] = [];
    const guesses = Array.from({ length: 20 }, (_, index) =>
      doorkeeper.admit(basic('me', `guess ${index}`), '10.0.0.1').then((verdict) => order.push(verdict)),
    );
    await doorkeeper.admit(basic('me', 'secret'), '10.0.0.1').then((verdict) => order.push(verdict));
    await Promise.all(guesses);
    expect(order.slice(0, 5).sort()).toEqual(['busy', 'busy', 'busy', 'busy', 'welcome']);
    expect(order.slice(5)).toEqual(Array.from({ length: 16 }, () => 'unknown'));
  });

  it('checks a credential once for all who come with it at the same time', async () => {
    let checks = 0;
    const doorkeeper = createDoorkeeper(users, { compare: async () => (checks++, true) });
    const nodes = Array.from({ length: 50 }, () => doorkeeper.admit(basic('me', 'secret'), '10.0.0.1'));
    expect([new Set(await Promise.all(nodes)), checks]).toEqual([new Set(['welcome']), 1]);
  });

  it('checks one password at a time, whoever asks, and serves for three times as long in between', async () => {
    const checks: { began: number; ended: number }[] = [];
    const doorkeeper = createDoorkeeper(users, {
      compare: async () => {
        const began = performance.now();
        await sleep(20);
        checks.push({ began, ended: performance.now() });
        return false;
      },
      failureTime: 1,
    });
    await Promise.all(
      Array.from({ length: 4 }, (_, at) => doorkeeper.admit(basic('me', `guess ${at}`), `10.0.0.${at}`)),
    );
    for (const [index, { began, ended }] of checks.entries()) {
      const next = checks[index + 1];
      // Timers may be a millisecond early.
      if (next !== undefined) expect(next.began - ended).toBeGreaterThanOrEqual((ended - began) * 3 - 2);
    }
    expect(checks).toHaveLength(4);
  });

  it('sends the crowd away that no check could come round to', async () => {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => void (open = resolve));
    const doorkeeper = createDoorkeeper(users, { compare: () => opened.then(() => false), failureTime: 1 });
    const verdicts: string[] = [];
    const crowd = Array.from({ length: 300 }, (_, at) =>
      doorkeeper.admit(basic('me', `guess ${at}`), `10.0.1.${at}`).then((verdict) => verdicts.push(verdict)),
    );
    await vi.waitFor(() => expect(verdicts.length).toBeGreaterThan(0));
    expect(new Set(verdicts)).toEqual(new Set(['busy']));
    open();
    await Promise.all(crowd);
    expect(verdicts.filter((verdict) => verdict === 'unknown')).toHaveLength(256);
  });

  it('guards every path', async () => {
    const { url } = await serveStorage(
      buildStorage((s) => s.image('a', '1')),
      {
        doorkeeper: createDoorkeeper(users, { compare: bcrypt.compare, failureTime: 1 }),
        page: async () => Buffer.from('page'),
      },
    );
    for (const path of ['/', '/v2/', '/v2/_catalog', '/v2/a/manifests/1', '/nowhere']) {
      const stranger = await ask(url, path);
      expect([stranger.status, stranger.headers['www-authenticate']]).toEqual([
        401,
        'Basic realm="regtar", charset="UTF-8"',
      ]);
      const known = await ask(url, path, { headers: { authorization: basic('me', 'secret') } });
      expect(known.status).toBe(path === '/nowhere' ? 404 : 200);
    }
  });

  describeWith('htpasswd', 'of htpasswd', () => {
    it('is understood', async () => {
      const { stdout } = await run('htpasswd', ['-nbB', '-C', '4', 'ann', 'pass word']);
      const doorkeeper = createDoorkeeper(parseHtpasswd(stdout, 'f'), { compare: bcrypt.compare, failureTime: 1 });
      expect(await doorkeeper.admit(basic('ann', 'pass word'), '')).toBe('welcome');
    });
  });
});

describe('addresses', () => {
  it.each<[string, ReturnType<typeof parseListen> | undefined]>([
    ['127.0.0.1:5000', { host: '127.0.0.1', port: 5000 }],
    ['[::1]:5000', { host: '::1', port: 5000 }],
    [':5000', { host: '::', port: 5000 }],
    ['registry.example.com:443', { host: 'registry.example.com', port: 443 }],
    ['5000', undefined],
    ['::1:5000', undefined],
    ['host:99999', undefined],
    ['http://host:5000', undefined],
  ])('--listen %s', (text, place) => {
    if (place === undefined) expect(() => parseListen(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    else expect(parseListen(text)).toEqual(place);
  });

  it('are those of a socket unit where systemd opened one for this process, and nobody says otherwise', () => {
    const env = { LISTEN_PID: '7', LISTEN_FDS: '1' };
    expect(chooseListen(undefined, env, 7)).toEqual({ descriptor: 3 });
    expect(chooseListen(undefined, env, 8)).toEqual({ host: '127.0.0.1', port: 5000 });
    expect(chooseListen('127.0.0.1:1', env, 7)).toEqual({ host: '127.0.0.1', port: 1 });
    expect(() => chooseListen(undefined, { ...env, LISTEN_FDS: '2' }, 7)).toThrow(/2 sockets/);
  });

  it.each([
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['10.0.0.1', false],
    ['::', false],
    ['0.0.0.0', false],
    ['fe80::1', false],
    ['localhost', false],
  ])('%s is this machine alone: %s', (address, isLoopback) => {
    expect(isLoopbackAddress(address)).toBe(isLoopback);
  });
});

describe('a certificate of its own', () => {
  const names = ['registry.example.com', '10.1.2.3', 'fd00::12:0:3', '::ffff:10.9.8.7'];

  it('names every name and address, and its authority vouches for nothing else', () => {
    const { authority, certificate, key } = makeSelfSigned(names);
    const leaf = new X509Certificate(certificate);
    const above = new X509Certificate(authority);
    expect(names.map((name) => leaf.checkHost(name) ?? leaf.checkIP(name))).not.toContain(undefined);
    expect([leaf.checkHost('example.com'), leaf.checkIP('10.1.2.4')]).toEqual([undefined, undefined]);
    expect([leaf.verify(above.publicKey), leaf.ca, above.ca]).toEqual([true, false, true]);
    expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(authority).not.toContain('PRIVATE');
  });

  describeWith('openssl', 'in the eyes of openssl', () => {
    it('is strictly right', async () => {
      const { authority, certificate } = makeSelfSigned(names);
      writeFileSync(folder.file('ca.pem'), authority);
      writeFileSync(folder.file('leaf.pem'), certificate);
      const { stdout } = await run('openssl', [
        'verify',
        '-x509_strict',
        '-CAfile',
        folder.file('ca.pem'),
        folder.file('leaf.pem'),
      ]);
      expect(stdout).toMatch(/: OK\n$/);
    });
  });

  it('is kept, used again, and never replaced', () => {
    const place = folder.file('tls');
    const made = keepSelfSigned(place, names);
    expect(keepSelfSigned(place, names.slice(1))).toEqual(made);
    expect(statSync(folder.file('tls', 'server-key.pem')).mode & 0o777).toBe(0o600);
    expect(readdirSync(place).sort()).toEqual(['ca.crt', 'server-key.pem', 'server.pem']);
    expect(readdirSync(folder.path).filter((name) => name.startsWith('.'))).toEqual([]);
    const refused = (reason: RegExp): void =>
      expect(() => keepSelfSigned(place, ['other.example.com'])).toThrow(
        expect.objectContaining({ code: 'TLS_INVALID', message: expect.stringMatching(reason) as string }),
      );
    refused(/does not name other\.example\.com/);
    chmodSync(folder.file('tls', 'server-key.pem'), 0o644);
    refused(/users other than its owner can read/);
    chmodSync(folder.file('tls', 'server-key.pem'), 0o600);
    writeFileSync(folder.file('tls', 'server-key.pem'), makeSelfSigned(names).key);
    refused(/a key that is not the key of its certificate/);
    writeFileSync(folder.file('tls', 'server.pem'), 'nothing');
    refused(/cannot be understood/);
    writeFileSync(folder.file('tls', 'notes'), '');
    refused(/does not hold just/);
    expect(readFileSync(folder.file('tls', 'ca.crt'), 'utf8')).toBe(made.authority);
  });

  it('serves whoever trusts what is printed', async () => {
    const served = await startServe([fixturePath, '--tls-self-signed']);
    // It is said behind the line that tells that the server is there.
    const authority = await vi.waitFor(() => {
      const [found] = /-----BEGIN[\s\S]*END CERTIFICATE-----/.exec(served.process.log()) ?? [];
      expect(found).toBeDefined();
      return found;
    });
    const status = await new Promise<number>((resolve, reject) => {
      httpsGet(`${served.url}/v2/`, { ca: authority }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      }).once('error', reject);
    });
    await served.process.stop();
    expect(status).toBe(200);
  });
});
