import { spawn } from 'node:child_process';
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { get as httpGet } from 'node:http';
import { createServer } from 'node:net';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { examples } from '../../src/cli/help/examples.ts';
import { keepSelfSigned } from '../../src/serve/tls/tls-folder.ts';
import { bareEnvironment, program, regtar, regtarDone, regtarJson } from '../e2e/support/regtar.ts';
import { watchWarnings } from '../support/node-warnings.ts';
import { expected, fixturePath } from '../support/fixture.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { shellCommands } from '../docs/support/shell-words.ts';
import { ask } from './support/serve-storage.ts';
import { startServe } from './support/start-serve.ts';

const here = temporaryFolder();
copyFileSync(fixturePath, here.file('docker.tar'));
afterAll(() => here.remove());

describe('examples do what they say', () => {
  it.each((examples['serve'] ?? []).map(({ run }) => run))('%s', async (line) => {
    const [[, , ...words] = []] = shellCommands(line);
    if (line.includes('--print-config')) {
      expect((await regtarDone(['serve', ...words])).stdout).toContain('127.0.0.1:5000');
      return;
    }
    const served = await startServe(
      // The port may be somebody else's here, and so is the name of the machine.
      words.map((word) => word.replace(/^\S*:500\d$/, '127.0.0.1:0')),
      { cwd: here.path },
    );
    onTestFinished(() => served.process.stop());
    expect(served.process.log()).toContain('serving ');
  });
});

describe('the console', () => {
  it('says what is served, how to pull it, and a line for each pull', async () => {
    const served = await startServe([fixturePath]);
    onTestFinished(() => served.process.stop());
    const [first] = served.process.log().split('\n');
    expect(first).toBe(
      `serving ${expected.tags.length} tags in 8 repositories of ${fixturePath} at ${served.url}; try: docker pull ${served.host}/base:1`,
    );
    const { digest } = expected.tags.find(({ repository }) => repository === 'tools/multi') ?? {};
    const agent = { headers: { 'user-agent': 'docker/20.10' } };
    // As docker does it: what the tag means, the index by its digest, then one image of it.
    await ask(served.url, '/v2/tools/multi/manifests/1.0', { method: 'HEAD', ...agent });
    const index = await ask(served.url, `/v2/tools/multi/manifests/${digest}`, agent);
    const { manifests } = JSON.parse(index.body.toString()) as { manifests: { digest: string }[] };
    await ask(served.url, `/v2/tools/multi/manifests/${manifests[0]?.digest}`, agent);
    await ask(served.url, '/v2/base/manifests/1');
    await vi.waitFor(() =>
      expect(served.process.log().split('\n').slice(1)).toEqual([
        '127.0.0.1 pulls tools/multi:1.0 (docker/20.10)',
        '127.0.0.1 pulls base:1',
        '',
      ]),
    );
  });

  it('says it to programs as events, and where it listens as JSON', async () => {
    const served = await startServe([fixturePath, '--events', 'jsonl', '--json'], {
      ready: /"url": "(http:\/\/([^"]+))"/,
    });
    await ask(served.url, '/v2/base/manifests/1');
    await served.process.stop();
    const events = served.process
      .log()
      .split('\n')
      .filter((line) => line.startsWith('{"event"'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events).toEqual([
      expect.objectContaining({ event: 'listening', url: served.url, tags: expected.tags.length, repositories: 8 }),
      expect.objectContaining({ event: 'pull', repository: 'base', tag: '1', client: '127.0.0.1' }),
      expect.objectContaining({ event: 'end', exitCode: 0 }),
    ]);
  });

  it('shows a browser the backup with a line that pulls each image', async () => {
    const served = await startServe([fixturePath, '--include', 'tools/*']);
    onTestFinished(() => served.process.stop());
    const { status, headers, body } = await ask(served.url, '/');
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    const text = body.toString('utf8');
    expect(text).toContain(`docker pull ${served.host}/tools/hello:1.0`);
    expect(text).toContain(`--listen ${served.host} --print-config`);
    expect(text).not.toContain('library/twice');
  });

  it('prints the file of a client alone, and where it belongs beside it', async () => {
    const { stdout, stderr } = await regtarDone(['serve', '--listen', '10.0.0.7:5000', '--print-config', 'docker']);
    expect(JSON.parse(stdout)).toEqual({ 'insecure-registries': ['10.0.0.7:5000'] });
    expect(stderr).toBe('for /etc/docker/daemon.json:\n');
    const missing = await regtar([
      ...['serve', '--tls-self-signed', '--tls-dir', here.file('tls'), '--print-config', 'k3s'],
    ]);
    expect([missing.code, missing.stderr]).toEqual([
      2,
      expect.stringMatching(/^regtar: USAGE: .*holds no certificate yet/),
    ]);
    keepSelfSigned(here.file('tls'), ['10.0.0.7', 'localhost', '127.0.0.1', '::1']);
    const { files } = await regtarJson<{ files: { path: string; text: string }[] }>([
      ...['serve', '--listen', '10.0.0.7:5000', '--tls-self-signed', '--tls-dir', here.file('tls')],
      ...['--print-config', 'containerd'],
    ]);
    expect(files.map(({ path }) => path)).toEqual([
      '/etc/containerd/certs.d/10.0.0.7:5000/hosts.toml',
      '/etc/containerd/certs.d/10.0.0.7:5000/ca.crt',
    ]);
    expect(files[1]?.text).toMatch(/^-----BEGIN CERTIFICATE-----/);
  });
});

it('several sources are one registry, and tags mean what --at-digest says', async () => {
  const first = here.file('first.tar');
  const second = here.file('second.tar');
  const one = buildStorage((s) => {
    const old = s.image('a', '1', { layers: ['old'] });
    s.image('a', '1', { layers: ['new'] });
    return old;
  });
  writeFileSync(first, one.tar());
  writeFileSync(second, buildStorage((s) => s.image('b/c', '2')).tar());
  const served = await startServe([first, second, '--at-digest', `a:1@${one.built.digest}`, '--project', 'library']);
  onTestFinished(() => served.process.stop());
  expect(JSON.parse((await ask(served.url, '/v2/_catalog')).body.toString())).toEqual({
    repositories: ['b/c', 'library/a'],
  });
  expect((await ask(served.url, '/v2/library/a/manifests/1')).headers['docker-content-digest']).toBe(one.built.digest);
});

it('with an index starts without reading the tar', async () => {
  const tar = here.file('indexed.tar');
  writeFileSync(tar, buildStorage((s) => Array.from({ length: 100 }, (_, at) => s.image(`a/b${at}`, '1'))).tar());
  const bytesRead = async (): Promise<number> => {
    const served = await startServe([tar]);
    const [, bytes = ''] = /rchar: (\d+)/.exec(readFileSync(`/proc/${served.process.pid}/io`, 'utf8')) ?? [];
    expect(JSON.parse((await ask(served.url, '/v2/a/b99/tags/list')).body.toString())).toMatchObject({ tags: ['1'] });
    await served.process.stop();
    return Number(bytes);
  };
  const scanning = await bytesRead();
  await regtarDone(['index', tar]);
  // The rest is the program itself.
  expect(scanning - (await bytesRead())).toBeGreaterThan(statSync(tar).size / 2);
});

describe('the end', () => {
  it('by SIGTERM lets running answers end, takes no others, and is 0', async () => {
    const layer = Buffer.alloc(24 * 2 ** 20, 'layer');
    const big = buildStorage((s) => (s.image('a', '1'), s.blob(layer, 'a')));
    writeFileSync(here.file('big.tar'), big.tar());
    const served = await startServe([here.file('big.tar')]);
    let ended = false;
    const received = await new Promise<number>((resolve, reject) => {
      httpGet(`${served.url}/v2/a/blobs/${big.built}`, { agent: false }, (response) => {
        let bytes = 0;
        response.once('error', reject).once('end', () => resolve(bytes));
        response.once('data', () => {
          response.pause();
          served.process.kill('SIGTERM');
          void served.process.ended.then(() => (ended = true));
          setTimeout(() => {
            expect(ended).toBe(false);
            ask(served.url, '/v2/').then(
              () => reject(new Error('it takes requests')),
              () => response.resume(),
            );
          }, 200);
        });
        response.on('data', (chunk: Buffer) => void (bytes += chunk.length));
      }).once('error', reject);
    });
    expect(received).toBe(layer.length);
    expect(await served.process.ended).toBe(0);
  });
});

it('takes the socket that systemd opened', async () => {
  // As systemd does it: a socket that listens as descriptor 3, and the process's own id in its environment.
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const child = spawn(
    'sh',
    ['-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', 'sh', process.execPath, program, 'serve', fixturePath],
    // @ts-expect-error Node hands servers over, and its types do not say so
    { stdio: ['ignore', 'ignore', 'pipe', listener._handle], env: { ...process.env, ...bareEnvironment } },
  );
  watchWarnings(child, 'regtar serve');
  onTestFinished(() => void child.kill('SIGKILL'));
  let log = '';
  await new Promise<void>((resolve) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('serving ')) resolve();
    });
    child.once('exit', () => resolve());
  });
  listener.close();
  expect(log).toContain(` at http://127.0.0.1:${port};`);
  expect((await ask(`http://127.0.0.1:${port}`, '/v2/')).status).toBe(200);
});
