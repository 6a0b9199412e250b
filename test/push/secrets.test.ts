import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { startHarborDouble } from '../harbor/double/start.ts';
import { createAuthority } from '../support/certificates.ts';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { startRegistry, type Registry } from '../support/start-registry.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';
import { startTokenService } from '../remote/token-service.ts';
import { run, type RunResult } from '../support/run.ts';
import { program, quietEnvironment } from './support/regtar.ts';

const password = 'mArKeD/s3cret+of~the=pusher';
const username = 'robot$team+pusher';
const pair = Buffer.from(`${username}:${password}`).toString('base64');
const store = buildStorage((s) => [
  s.image('team/app', 'v1', { layers: ['layer of app'] }),
  s.image('team/refused', 'v1', { layers: ['layer of refused'] }),
]);

const shared = temporaryFolder();
let guarded: Registry;
let proxy: FaultProxy;
/** The program's home and files, fresh for each test. */
let folder: TemporaryFolder;
let tests = 0;

beforeAll(async () => {
  await store.writeTo(shared.file('backup'));
  guarded = await startRegistry({ htpasswd: { username, password } });
});
afterAll(async () => {
  await guarded.stop();
  shared.remove();
});
beforeEach(async () => {
  folder = temporaryFolder();
  // One image fails, so that errors are printed too.
  proxy = await startFaultProxy(guarded.url, [
    {
      method: 'PUT',
      path: /refused\/manifests/,
      fault: { kind: 'answer', status: 403, body: '{"errors":[{"code":"DENIED","message":"not this one"}]}' },
    },
  ]);
});
afterEach(async () => {
  await proxy.stop();
  folder.remove();
});

function write(path: string, content: unknown): string {
  mkdirSync(dirname(folder.file(path)), { recursive: true });
  writeFileSync(folder.file(path), typeof content === 'string' ? content : JSON.stringify(content));
  return folder.file(path);
}

function helper(name: string, script: string): void {
  chmodSync(write(`bin/docker-credential-${name}`, `#!/bin/sh\n${script}\n`), 0o755);
}

interface Way {
  readonly args?: readonly string[];
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Pushes as verbosely as it can, and looks for secrets in everything that it printed and wrote. */
async function pushAs(
  { args = [], input, env = {} }: Way,
  target: string,
  secrets: readonly string[] = [password],
): Promise<RunResult> {
  const files = { report: folder.file('report.json'), state: folder.file('state.json') };
  const words = [
    program,
    'push',
    '--json',
    '-v',
    '--retry-times',
    '1',
    '--retry-delay',
    '0.05',
    '--report',
    files.report,
    '--state',
    files.state,
    ...args,
    shared.file('backup'),
    target,
  ];
  const result = await run(process.execPath, words, {
    allowFailure: true,
    input,
    env: {
      ...quietEnvironment,
      HOME: folder.file('home'),
      PATH: `${folder.file('bin')}:${process.env['PATH'] ?? ''}`,
      ...env,
    },
  });
  const written = Object.values(files)
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8'));
  for (const secret of secrets) {
    for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64'), pair]) {
      for (const text of [result.stdout, result.stderr, ...written]) expect(text).not.toContain(form);
    }
  }
  return result;
}

const auths = (): unknown => ({ auths: { [proxy.host]: { auth: pair } } });

describe('a password from', () => {
  const ways: readonly (readonly [string, () => Way])[] = [
    ['standard input', () => ({ args: ['--username', username, '--password-stdin'], input: `${password}\n` })],
    [
      'standard input, with every event for programs',
      () => ({ args: ['--username', username, '--password-stdin', '--events', 'jsonl'], input: `${password}\n` }),
    ],
    ['the environment', () => ({ env: { REGTAR_USERNAME: username, REGTAR_PASSWORD: password } })],
    ['--authfile', () => ({ args: ['--authfile', write('named.json', auths())] })],
    ['REGISTRY_AUTH_FILE', () => ({ env: { REGISTRY_AUTH_FILE: write('variable.json', auths()) } })],
    [
      'podman’s run-time file',
      () => {
        write('run/containers/auth.json', auths());
        return { env: { XDG_RUNTIME_DIR: folder.file('run') } };
      },
    ],
    [
      'podman’s file below XDG_CONFIG_HOME',
      () => {
        write('config/containers/auth.json', auths());
        return { env: { XDG_CONFIG_HOME: folder.file('config') } };
      },
    ],
    [
      'DOCKER_CONFIG',
      () => {
        write('docker/config.json', auths());
        return { env: { DOCKER_CONFIG: folder.file('docker') } };
      },
    ],
    [
      '~/.dockercfg',
      () => {
        write('home/.dockercfg', { [proxy.host]: { auth: pair } });
        return {};
      },
    ],
    [
      'the key of its project',
      () => ({
        args: [
          '--authfile',
          write('project.json', {
            auths: {
              [proxy.host]: { auth: pair },
              [`${proxy.host}/other`]: { auth: Buffer.from('nobody:wrong').toString('base64') },
            },
          }),
        ],
      }),
    ],
    [
      'a helper of this host',
      () => {
        helper(
          'vault',
          `read -r server; test "$server" = '${proxy.host}' && echo '{"Username":"${username}","Secret":"${password}"}'`,
        );
        write('docker/config.json', { credHelpers: { [proxy.host]: 'vault' } });
        return { env: { DOCKER_CONFIG: folder.file('docker') } };
      },
    ],
    [
      'a store for all hosts',
      () => {
        helper(
          'chain',
          `cat > /dev/null; echo 'unlocked with ${password}' >&2; echo '{"Username":"${username}","Secret":"${password}"}'`,
        );
        write('docker/config.json', { credsStore: 'chain' });
        return { env: { DOCKER_CONFIG: folder.file('docker') } };
      },
    ],
  ];

  it.each(ways)('%s is used and appears nowhere', async (_name, way) => {
    const { code, stdout, stderr } = await pushAs(way(), `${proxy.host}/test${tests++}`);
    const report = JSON.parse(stdout) as { images: { repository: string; status: string; error?: { code: string } }[] };
    expect([code, report.images.map(({ repository, status, error }) => [repository, status, error?.code])]).toEqual([
      3,
      [
        ['team/app', 'copied', undefined],
        ['team/refused', 'failed', 'AUTH_DENIED'],
      ],
    ]);
    expect(stderr).toContain('not this one');
  });

  it.each([
    [
      'a wrong one is named with its user and its place',
      (): Way => ({ args: ['--username', username, '--password-stdin'], input: 'wRoNg-but-secret' }),
      /AUTH_FAILED: .*robot\$team\+pusher.*--username/,
      1,
    ],
    [
      'a helper that fails is named without its words',
      (): Way => {
        helper('broken', `echo ${password}; echo ${password} >&2; exit 3`);
        write('docker/config.json', { credsStore: 'broken' });
        return { env: { DOCKER_CONFIG: folder.file('docker') } };
      },
      /CREDENTIAL_HELPER: .*docker-credential-broken/,
      2,
    ],
    [
      'a broken file is named without its content',
      (): Way => ({ args: ['--authfile', write('broken.json', `{"auths": {"${proxy.host}": {"auth": "${pair}"}`)] }),
      /CREDENTIALS_INVALID: .*broken\.json/,
      2,
    ],
    [
      'none is asked for by hint',
      (): Way => ({ args: ['--anonymous'] }),
      /AUTH_FAILED: .*\n(?:.*\n)*hint: .*--username.*--password-stdin/,
      1,
    ],
  ])('%s', async (_name, way, message, exit) => {
    const { code, stderr } = await pushAs(way(), proxy.host, [password, 'wRoNg-but-secret']);
    expect([code, stderr]).toEqual([exit, expect.stringMatching(message)]);
    expect(proxy.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
  });
});

it('a token from standard input is sent as it is and appears nowhere', async () => {
  const harbor = await startHarborDouble();
  onTestFinished(() => harbor.stop());
  harbor.createProject('team');
  const answer = await fetch(
    `${harbor.url}/service/token?service=harbor-registry&scope=repository:team/app:pull,push`,
    {
      headers: {
        authorization: `Basic ${Buffer.from(`${harbor.admin.username}:${harbor.admin.password}`).toString('base64')}`,
      },
    },
  );
  const { token } = (await answer.json()) as { token: string };
  const { code } = await pushAs(
    { args: ['--registry-token-stdin', '--no-create-projects'], input: token },
    harbor.host,
    [token],
  );
  expect(code).toBe(0);
  expect(harbor.tags('team/app').size).toBe(1);
});

it('an identity token of a helper becomes tokens of the registry, and neither appears', async () => {
  const authority = await createAuthority(folder.path);
  const signer = await authority.issue('signer');
  const tokens: string[] = [];
  const service = await startTokenService({
    issuer: 'issuer',
    service: 'registry',
    signer,
    users: {},
    identityToken: password,
    lifeSeconds: 300,
    document: (token) => {
      tokens.push(token);
      return { access_token: token, expires_in: 300 };
    },
  });
  onTestFinished(() => service.stop());
  const registry = await startRegistry({
    tokenService: {
      realm: service.realm,
      service: 'registry',
      issuer: 'issuer',
      rootcertbundle: authority.certificate,
    },
  });
  onTestFinished(() => registry.stop());
  helper('oauth', `cat > /dev/null; echo '{"Username":"<token>","Secret":"${password}"}'`);
  write('docker/config.json', { credsStore: 'oauth' });
  const { code, stdout, stderr } = await pushAs({ env: { DOCKER_CONFIG: folder.file('docker') } }, registry.host);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('regtar:')]);
  expect(service.requests.some(({ method, form }) => method === 'POST' && form.get('refresh_token') === password)).toBe(
    true,
  );
  expect(tokens.length).toBeGreaterThan(0);
  for (const token of tokens) expect(`${stdout}${stderr}`).not.toContain(token);
});

it('a registry that repeats the password in its answers does not bring it to the terminal', async () => {
  const echo = createServer((request, response) => {
    const said = `${request.headers.authorization ?? ''} ${Buffer.from((request.headers.authorization ?? '').replace('Basic ', ''), 'base64').toString()}`;
    const status =
      request.headers.authorization === undefined
        ? 401
        : request.method === 'HEAD'
          ? 404
          : request.url === '/v2/'
            ? 200
            : 403;
    response
      .writeHead(status, {
        'www-authenticate': 'Basic realm="echo"',
        'docker-distribution-api-version': 'registry/2.0',
        warning: `299 - "${said.replaceAll('"', '')}"`,
      })
      .end(JSON.stringify({ errors: [{ code: 'DENIED', message: `you said ${said}` }] }));
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    echo.close();
    echo.closeAllConnections();
  });
  const { code, stderr } = await pushAs(
    { args: ['--username', username, '--password-stdin'], input: password },
    `127.0.0.1:${(echo.address() as AddressInfo).port}`,
  );
  expect([code, stderr]).toEqual([1, expect.stringMatching(/ warns: (?:.|\n)*you said /)]);
});
