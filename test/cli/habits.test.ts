import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createProgram } from '../../src/cli/declare/program.ts';
import { understandHabits } from '../../src/cli/habits.ts';
import { regtar, regtarDone, program } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const parser = createProgram('0', async () => undefined);
const understood = (line: string): string => understandHabits(line.split(' '), parser).join(' ');

describe('what hands type by habit', () => {
  it.each([
    ['version', '--version'],
    ['push a.tar host --debug', 'push a.tar host -v'],
    ['list a.tar --format json', 'list a.tar --json'],
    ['list a.tar --format=json', 'list a.tar --json'],
    ['inspect -o json a.tar', 'inspect --json a.tar'],
    ['push a.tar host --filter team/*', 'push a.tar host --include team/*'],
    ['export a.tar out --concurrency=4', 'export a.tar out --jobs 4'],
    ['push a.tar host --dest-tls-verify=true', 'push a.tar host'],
    ['push a.tar host --tls-verify true', 'push a.tar host'],
    ['push a.tar host --dest-authfile x', 'push a.tar host --authfile x'],
  ])('%s means what ours does', (typed, ours) => {
    expect(understood(typed)).toBe(ours);
  });

  it.each([
    'export a.tar out --format oci',
    'export a.tar out --force',
    'push a.tar host --include -u',
    'list a.tar -- --creds',
    'nonsense --creds x',
  ])('%s is left as it is', (line) => {
    // -u stands for a value here, and is not declared: it is refused by name rather than taken for a password.
    if (line.includes('-u')) expect(() => understood(line)).toThrow(/has no option -u/);
    else expect(understood(line)).toBe(line);
  });

  it.each([
    ['push a.tar host --tls-verify=false', /--insecure .*--plain-http/],
    ['push a.tar host --dest-tls-verify=false', /--insecure .*--plain-http/],
    ['push a.tar host --dest-tls-verify false', /--insecure .*--plain-http/],
    ['push a.tar host --creds me:hunter2', /--username with --password-stdin/],
    ['push a.tar host --dest-creds=me:hunter2', /--username with --password-stdin/],
    ['push a.tar host -u me', /--username with --password-stdin/],
    ['push a.tar host -p hunter2', /--username with --password-stdin/],
    ['push a.tar host --password=hunter2', /--username with --password-stdin/],
    ['push a.tar host --force', /replaces tags anyway/],
    ['push a.tar host --all', /every image and every platform/],
    ['push a.tar host -n', /--dry-run/],
    ['export a.tar -o out', /OUT is an operand/],
  ])('%s is answered with ours, and no value is repeated', async (line, hint) => {
    const { code, stderr } = await regtar(line.split(' '));
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^regtar: USAGE: regtar \w+ has no option/)]);
    expect(stderr).toMatch(hint);
    expect(stderr).not.toContain('hunter2');
  });

  it.each([
    ['restore', 'write push'],
    ['import', 'write load'],
    ['sync', 'write push or export'],
    ['ls', 'write list'],
  ])('the command %s is answered with: %s', async (word, hint) => {
    const { code, stderr } = await regtar([word, fixturePath]);
    expect([code, stderr]).toEqual([2, `regtar: USAGE: there is no command ${word}\nhint: ${hint}\n`]);
  });

  it('the program alone shows what it can do', async () => {
    const { code, stdout, stderr } = await regtar([]);
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(/^Usage: regtar[\s\S]*push[\s\S]*help/)]);
  });

  it('help about settings is the topic', async () => {
    expect((await regtarDone(['help', 'config'])).stdout).toMatch(/regtar\.yaml/);
  });

  it('--format json prints what --json prints', async () => {
    const [habitual, ours] = [
      await regtarDone(['list', fixturePath, '--format', 'json']),
      await regtarDone(['list', fixturePath, '--json']),
    ];
    expect(JSON.parse(habitual.stdout)).toEqual(JSON.parse(ours.stdout));
  });
});

describe('a user who is not root and has little', () => {
  const pushAs12345 = (host: string, env: Readonly<Record<string, string | undefined>>): ReturnType<typeof run> => {
    const user = ['--reuid', '12345', '--regid', '0', '--clear-groups'];
    const push = [process.execPath, program, 'push', fixturePath, host, '--retry-times', '0'];
    return run('setpriv', [...user, ...push], { env, allowFailure: true, cwd: '/' });
  };

  it('without a name and a home, as in OpenShift, gets an answer about the registry, and no failure inside', async () => {
    const { code, stderr } = await pushAs12345('127.0.0.1:1', { HOME: undefined });
    expect([code, stderr]).toEqual([1, expect.stringContaining('TARGET_UNREACHABLE')]);
  });

  it('with the home of another has no credentials; a file that is there and closed is named', async () => {
    const server = createServer((_request, response) =>
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end(),
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const folder = temporaryFolder();
    onTestFinished(() => {
      server.close();
      folder.remove();
    });
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    chmodSync(folder.path, 0o755);
    for (const name of ['closed', 'open']) {
      mkdirSync(folder.file(`${name}/.docker`), { recursive: true });
      writeFileSync(folder.file(`${name}/.docker/config.json`), '{}', { mode: 0o600 });
    }
    chmodSync(folder.file('closed'), 0o700);
    const closed = await pushAs12345(host, { HOME: folder.file('closed'), XDG_RUNTIME_DIR: folder.file('closed') });
    expect([closed.code, closed.stderr]).toEqual([1, expect.stringMatching(/^regtar: AUTH_/m)]);
    const open = await pushAs12345(host, { HOME: folder.file('open') });
    const named = /^regtar: CREDENTIALS_INVALID: \S*open\/\.docker\/config\.json cannot be read/m;
    expect([open.code, open.stderr]).toEqual([2, expect.stringMatching(named)]);
  });
});
