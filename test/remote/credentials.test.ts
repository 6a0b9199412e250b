import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { inspect } from 'node:util';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { RegtarError } from '../../src/errors.ts';
import type { Credential } from '../../src/remote/credential.ts';
import { askHelper } from '../../src/remote/credential-helper.ts';
import { findCredentials, type CredentialOptions } from '../../src/remote/credentials.ts';
import { Secret } from '../../src/net/secret.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

let folder: TemporaryFolder;
beforeEach(() => {
  folder = temporaryFolder();
  onTestFinished(() => folder.remove());
});

const marked = 'mArKeD-secret-1';

function write(path: string, content: unknown): string {
  const full = folder.file(path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, typeof content === 'string' ? content : JSON.stringify(content));
  return full;
}

function auth(username: string, password = marked): { auth: string } {
  return { auth: Buffer.from(`${username}:${password}`).toString('base64') };
}

function find(options: Partial<CredentialOptions> & { repository?: string } = {}): Promise<Credential> {
  const { repository, ...rest } = options;
  const environment = {
    PATH: `${folder.file('bin')}:${process.env['PATH'] ?? ''}`,
    XDG_RUNTIME_DIR: folder.file('run'),
    ...rest.env,
  };
  return findCredentials({ host: 'reg.example:5000', home: folder.file('home'), uid: 4242, ...rest, env: environment })(
    repository,
  );
}

async function nameFound(options: Parameters<typeof find>[0] = {}): Promise<string> {
  const credential = await find(options);
  return credential.kind === 'basic' ? credential.username : credential.kind;
}

function helper(name: string, script: string): void {
  chmodSync(write(`bin/docker-credential-${name}`, `#!/bin/sh\n${script}\n`), 0o755);
}

async function failure(promise: Promise<unknown>): Promise<RegtarError> {
  const error: unknown = await promise.catch((thrown: unknown) => thrown);
  if (!(error instanceof RegtarError)) return expect.fail('it should have failed with a RegtarError');
  expect(`${inspect(error, { depth: 9 })}${JSON.stringify(error)}`).not.toContain(marked);
  return error;
}

async function expectGone(pid: number): Promise<void> {
  await vi.waitUntil(() => !existsSync(`/proc/${pid}`), 20_000);
}

describe('the order of places', () => {
  const everywhere = (): void => {
    write('run/containers/auth.json', { auths: { 'reg.example:5000': auth('runtime') } });
    write('home/.config/containers/auth.json', { auths: { 'reg.example:5000': auth('config') } });
    write('home/.docker/config.json', { auths: { 'reg.example:5000': auth('docker') } });
    write('home/.dockercfg', { 'reg.example:5000': auth('dockercfg') });
    write('named.json', { auths: { 'reg.example:5000': auth('named') } });
    write('variable.json', { auths: { 'reg.example:5000': auth('variable') } });
  };
  const options = (): Partial<CredentialOptions> => ({
    anonymous: true,
    registryToken: new Secret(marked),
    username: 'flag',
    password: new Secret(marked),
    authFile: folder.file('named.json'),
    env: { REGTAR_USERNAME: 'environment', REGTAR_PASSWORD: marked, REGISTRY_AUTH_FILE: folder.file('variable.json') },
  });

  it('is options, the environment, the named file, then the places of podman and docker', async () => {
    everywhere();
    const withoutThese: Partial<CredentialOptions>[] = [
      {},
      { anonymous: undefined },
      { registryToken: undefined },
      { username: undefined, password: undefined },
      { env: { REGISTRY_AUTH_FILE: folder.file('variable.json') } },
      { authFile: undefined },
    ];
    const found: string[] = [];
    let left = options();
    for (const without of withoutThese) {
      left = { ...left, ...without };
      found.push(await nameFound(left));
    }
    expect(found).toEqual(['anonymous', 'registry-token', 'flag', 'environment', 'named', 'variable']);
    const rest: string[] = [];
    for (const path of [
      'run/containers/auth.json',
      'home/.config/containers/auth.json',
      'home/.docker/config.json',
      'home/.dockercfg',
    ]) {
      rest.push(await nameFound());
      write(path, path.endsWith('.dockercfg') ? {} : { auths: {} });
    }
    expect([...rest, await nameFound()]).toEqual(['runtime', 'config', 'docker', 'dockercfg', 'anonymous']);
  });

  it('follows XDG_CONFIG_HOME and DOCKER_CONFIG', async () => {
    write('elsewhere/containers/auth.json', { auths: { 'reg.example:5000': auth('xdg') } });
    write('dockerdir/config.json', { auths: { 'reg.example:5000': auth('dockerdir') } });
    expect(await nameFound({ env: { XDG_CONFIG_HOME: folder.file('elsewhere') } })).toBe('xdg');
    expect(await nameFound({ env: { DOCKER_CONFIG: folder.file('dockerdir') } })).toBe('dockerdir');
  });
});

describe('keys', () => {
  it.each([
    ['team/app/web', 'most'],
    ['team/app/web/deep', 'most'],
    ['team/app', 'team'],
    ['team', 'team'],
    ['teams/app', 'host'],
    ['', 'host'],
  ])('%j is found under the most specific: %s', async (repository, expected) => {
    write('home/.config/containers/auth.json', {
      auths: {
        'reg.example:5000': auth('host'),
        'reg.example:5000/team': auth('team'),
        'reg.example:5000/team/app/web': auth('most'),
      },
    });
    expect(await nameFound({ repository })).toBe(expected);
  });

  it.each([
    'https://reg.example:5000',
    'https://reg.example:5000/',
    'http://reg.example:5000/v1/',
    'https://reg.example:5000/v2/',
    'REG.example:5000',
  ])('%s is the host', async (key) => {
    write('home/.docker/config.json', { auths: { [key]: auth('url') } });
    expect(await nameFound()).toBe('url');
  });

  it('knows the Docker Hub’s odd key', async () => {
    write('home/.docker/config.json', { auths: { 'https://index.docker.io/v1/': auth('hub') } });
    expect(await nameFound({ host: 'docker.io' })).toBe('hub');
  });

  it('does not give one port’s password to another', async () => {
    write('home/.docker/config.json', { auths: { 'reg.example': auth('plain'), 'reg.example:443': auth('other') } });
    expect(await nameFound()).toBe('anonymous');
  });
});

describe('entries', () => {
  it('may hold identity tokens, registry tokens, plain users, colons in passwords, and nothing', async () => {
    const kinds: unknown[] = [];
    for (const entry of [
      { ...auth('user', ''), identitytoken: marked },
      { registrytoken: marked },
      { username: 'robot$a+b', password: marked },
      auth('user', `a:${marked}`),
      {},
    ]) {
      write('home/.docker/config.json', { auths: { 'reg.example:5000': entry } });
      const credential = await find();
      kinds.push(credential.kind === 'basic' ? [credential.username, credential.password.reveal()] : credential.kind);
    }
    expect(kinds).toEqual([
      'identity-token',
      'registry-token',
      ['robot$a+b', marked],
      ['user', `a:${marked}`],
      'anonymous',
    ]);
  });

  it.each([
    ['not JSON', `{"auths": ${marked}`],
    ['another shape', { auths: { 'reg.example:5000': marked } }],
    ['no pair', { auths: { 'reg.example:5000': { auth: marked } } }],
  ])('that are %s are named by file alone', async (_what, content) => {
    const path = write('home/.docker/config.json', content);
    const error = await failure(find());
    expect(error).toMatchObject({ code: 'CREDENTIALS_INVALID', where: { path } });
  });

  it('do not matter when they are for other hosts, even broken', async () => {
    write('home/.docker/config.json', { auths: { 'other.example': { auth: '!' }, 'reg.example:5000': auth('mine') } });
    expect(await nameFound()).toBe('mine');
  });
});

describe('files', () => {
  it('that were named have to be there', async () => {
    expect(await failure(find({ authFile: folder.file('none.json') }))).toMatchObject({
      code: 'CREDENTIALS_INVALID',
      where: { path: folder.file('none.json') },
    });
  });

  it('may be empty', async () => {
    write('home/.docker/config.json', '');
    expect(await nameFound()).toBe('anonymous');
  });
});

describe('helpers', () => {
  it('are asked for the host on standard input, once', async () => {
    helper(
      'vault',
      `cat >> ${folder.file('asked')}; echo "$1" >> ${folder.file('asked')}; echo '{"ServerURL":"x","Username":"helped","Secret":"${marked}"}'`,
    );
    write('home/.docker/config.json', {
      credHelpers: { 'reg.example:5000': 'vault' },
      auths: { 'reg.example:5000': auth('stored') },
    });
    const source = findCredentials({
      host: 'reg.example:5000',
      home: folder.file('home'),
      uid: 1,
      env: { PATH: `${folder.file('bin')}:/usr/bin:/bin` },
    });
    const [first, second] = await Promise.all([source('a/b'), source('c/d')]);
    expect(first).toMatchObject({ kind: 'basic', username: 'helped', origin: 'docker-credential-vault' });
    expect(second).toBe(first);
    expect(readFileSync(folder.file('asked'), 'utf8')).toBe('reg.example:5000get\n');
  });

  it('come before the store, the store before stored passwords, a project’s own password before all', async () => {
    helper('one', `echo '{"Username":"one","Secret":"x"}'`);
    helper('two', `echo '{"Username":"two","Secret":"x"}'`);
    const file = {
      credHelpers: { 'reg.example:5000': 'one' },
      credsStore: 'two',
      auths: { 'reg.example:5000': auth('stored'), 'reg.example:5000/team': auth('team') },
    };
    write('home/.docker/config.json', file);
    expect([await nameFound(), await nameFound({ repository: 'team/app' })]).toEqual(['one', 'team']);
    write('home/.docker/config.json', { ...file, credHelpers: {} });
    expect(await nameFound()).toBe('two');
  });

  it('that have nothing leave the word to the next place', async () => {
    helper('empty', `echo 'credentials not found in native keychain'; exit 1`);
    write('home/.docker/config.json', { credsStore: 'empty' });
    write('home/.dockercfg', { 'reg.example:5000': auth('next') });
    expect(await nameFound()).toBe('next');
  });

  it('may give an identity token', async () => {
    helper('oauth', `echo '{"Username":"<token>","Secret":"${marked}"}'`);
    write('home/.docker/config.json', { credsStore: 'oauth' });
    expect(await find()).toMatchObject({ kind: 'identity-token' });
  });

  it.each([
    ['fail', `echo ${marked}; echo ${marked} >&2; exit 3`, /ended with 3/],
    ['babble', `echo ${marked}`, /not a credential/],
  ])('that %s are named without what they printed', async (name, script, message) => {
    helper(name, script);
    write('home/.docker/config.json', { credsStore: name });
    const error = await failure(find());
    expect(error.code).toBe('CREDENTIAL_HELPER');
    expect(error.message).toMatch(message);
  });

  it('that leave a program behind which holds their output open have answered all the same', async () => {
    // The one left behind waits for a pipe, so that it ends with the test.
    helper('behind', `mkfifo "$0.wait"; (read x <> "$0.wait") & echo '{"Username":"helped","Secret":"${marked}"}'`);
    write('home/.docker/config.json', { credsStore: 'behind' });
    const found = await nameFound();
    writeFileSync(folder.file('bin/docker-credential-behind.wait'), 'end\n');
    expect(found).toBe('helped');
  });

  const ignoring = `trap '' TERM INT; echo $$ > "$0.pid"; while :; do sleep 0.1; done`;
  const pidOf = (name: string): number =>
    Number(readFileSync(folder.file(`bin/docker-credential-${name}.pid`), 'utf8'));

  it('that never answer are given up, whatever they do with signals', async () => {
    helper('stuck', ignoring);
    const env = { PATH: `${folder.file('bin')}:${process.env['PATH'] ?? ''}` };
    const error = await failure(askHelper('stuck', 'reg.example', { env, timeoutSeconds: 1 }));
    expect(error).toMatchObject({ code: 'CREDENTIAL_HELPER' });
    expect(error.message).toMatch(/no answer within 1 s/);
    // On a busy machine it may not have come that far.
    if (existsSync(folder.file('bin/docker-credential-stuck.pid'))) await expectGone(pidOf('stuck'));
  });

  it('end with the program that has asked them', async () => {
    helper('stuck', ignoring);
    const env = { PATH: `${folder.file('bin')}:${process.env['PATH'] ?? ''}` };
    const stop = new AbortController();
    const asked = askHelper('stuck', 'reg.example', { env, signal: stop.signal });
    asked.catch(() => undefined);
    await vi.waitUntil(() => existsSync(folder.file('bin/docker-credential-stuck.pid')) && pidOf('stuck') > 0, 20_000);
    stop.abort();
    await expect(asked).rejects.toThrow(/abort/);
    await expectGone(pidOf('stuck'));
  });

  it.each([
    ['nowhere', /not installed/],
    ['../../bin/sh', /name that no program/],
  ])('%s cannot be run', async (name, message) => {
    write('home/.docker/config.json', { credsStore: name });
    const error = await failure(find());
    expect(error).toMatchObject({ code: 'CREDENTIAL_HELPER' });
    expect(error.message).toMatch(message);
  });
});

it('a user without a password is a mistake that is named', () => {
  expect(() => findCredentials({ host: 'h', username: 'robot$x', env: {}, home: '/', uid: 1 })).toThrow(
    /no password for user "robot\$x"/,
  );
});

it('no credential shows its secret in any print', async () => {
  const credential = await find({ username: 'u', password: new Secret(marked) });
  expect(
    `${inspect(credential)} ${JSON.stringify(credential)} ${credential.kind === 'basic' ? String(credential.password) : ''}`,
  ).not.toContain(marked);
});
