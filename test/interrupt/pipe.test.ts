import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { typed } from '../cli/support/shell.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startRegtar, type RunningRegtar } from './support/start-regtar.ts';

const folder = temporaryFolder();
const at = folder.file;
const { built, ...store } = buildStorage((s) =>
  s.image('app', 'v1', { layers: [{ bytes: Buffer.alloc(400_000, 'layer') }] }),
);
const { digest } = built;

beforeAll(() => {
  execFileSync('mkfifo', [at('pipe')]);
  const tar = store.tar();
  writeFileSync(at('docker.tar'), tar);
  writeFileSync(at('docker.tar.gz'), gzipSync(tar));
});
afterAll(() => folder.remove());

/** Pipes that nobody opens, one for each reader: none of them takes what is meant for another. */
const waiting: readonly (readonly [string, (pipe: string) => readonly string[]])[] = [
  ['as SOURCE', (pipe) => ['list', pipe]],
  ['as settings', (pipe) => ['list', at('docker.tar'), '--config', pipe]],
  ['as a list of images', (pipe) => ['list', at('docker.tar'), '--images', pipe]],
  ['as a tag map', (pipe) => ['list', at('docker.tar'), '--tag-map', pipe]],
  ['as a base', (pipe) => ['export', at('docker.tar'), at('out'), '--base', pipe]],
  ['as an authfile', (pipe) => ['push', at('docker.tar'), '127.0.0.1:1', '--authfile', pipe]],
  ['as an authority', (pipe) => ['push', at('docker.tar'), '127.0.0.1:1', '--ca-file', pipe]],
  ['as a certificate', (pipe) => ['push', at('docker.tar'), '127.0.0.1:1', '--cert-file', pipe, '--key-file', pipe]],
  ['as passwords of a server', (pipe) => ['serve', at('docker.tar'), '--htpasswd', pipe]],
  ['as a report', (pipe) => ['check', '127.0.0.1:1', '--report', pipe]],
  ['as one of several reports', (pipe) => ['report', 'merge', pipe]],
  ['as keys', (pipe) => ['check', '127.0.0.1:1', '--report', at('docker.tar'), '--require-signature', pipe]],
  [
    'as a password',
    (pipe) => ['list', 'https://127.0.0.1:1/x.tar', '--source-username', 'a', '--source-password-file', pipe],
  ],
  ['as a report that nobody reads', (pipe) => ['export', at('docker.tar'), at('out'), '--report', pipe]],
  ['as OUT that nobody reads', (pipe) => ['export', at('docker.tar'), pipe]],
];

const isWriter = (title = ''): boolean => title.includes('nobody reads');

/** Their standard input is a pipe that stays open, and nothing is written. */
const silent: readonly (readonly [string, readonly string[]])[] = [
  ['as a list of images', ['list', at('docker.tar'), '--images', '-']],
  ['as a password', ['push', at('docker.tar'), '127.0.0.1:1', '--username', 'a', '--password-stdin']],
  ['as a token', ['push', at('docker.tar'), '127.0.0.1:1', '--registry-token-stdin']],
];

async function expectEndBy(running: RunningRegtar | undefined, signal: NodeJS.Signals): Promise<string> {
  if (running === undefined) throw new Error('it was not started');
  expect(await Promise.race([running.ended.then(() => 'over'), sleep(1, 'waits')])).toBe('waits');
  running.kill(signal);
  const late = setTimeout(() => running.kill('SIGKILL'), 20_000);
  const { code, stderr } = await running.ended;
  clearTimeout(late);
  expect([code, stderr]).toEqual([130, expect.stringContaining('INTERRUPTED')]);
  return stderr;
}

describe('what nobody writes into', () => {
  const started: RunningRegtar[] = [];
  const listening: RunningRegtar[] = [];
  // All of them wait together, until each reader of a pipe has told a person.
  beforeAll(async () => {
    for (const [index, [, args]] of waiting.entries()) {
      execFileSync('mkfifo', [at(`pipe-${index}`)]);
      started.push(startRegtar(args(at(`pipe-${index}`))));
    }
    execFileSync('mkfifo', [at('held')]);
    for (const [, args] of silent) listening.push(startRegtar(args, { shell: `exec 3<>${at('held')}; exec "$@" <&3` }));
    const readers = started.filter((_, index) => !isWriter(waiting[index]?.[0]));
    await Promise.all(readers.map((running) => running.said(1)));
    // The others have nothing to say, and began to wait as long ago.
    await sleep(1500);
  });

  it.each(waiting.map(([title], index) => [title, index] as const))(
    'a pipe %s: one Ctrl-C ends the program',
    async (title, index) => {
      const stderr = await expectEndBy(started[index], 'SIGINT');
      if (!isWriter(title))
        expect(stderr).toContain(`waiting for ${at(`pipe-${index}`)}: nothing has come out of this pipe yet`);
    },
  );

  it.each(silent.map(([title], index) => [title, index] as const))(
    'standard input %s: one Ctrl-C ends the program',
    async (_, index) => {
      await expectEndBy(listening[index], 'SIGINT');
    },
  );
});

describe('a pipe as SOURCE', () => {
  it.each(['docker.tar', 'docker.tar.gz'])('%s is read as standard input is', async (name) => {
    const fed = await typed(`(sleep 0.3; cat ${at(name)} > ${at('pipe')}) & regtar list ${at('pipe')}`);
    expect(fed.stdout).toBe('app:v1\n');
    const { stdout } = await typed(`regtar verify <(cat ${at(name)})`);
    expect(stdout).toMatch(/sound[^]*1 whole/);
    const report = at(`report-${name}.json`);
    await typed(`regtar export <(cat ${at(name)}) ${at(`out-${name.replaceAll('.', '-')}`)} --report ${report}`);
  });

  it('as a tag map is read as a file is', async () => {
    const map = `--tag-map <(sleep 0.3; echo 'app,v2,${digest}')`;
    expect((await typed(`regtar list ${at('docker.tar')} ${map}`)).stdout).toBe('app:v1\napp:v2\n');
  });

  it('as an authfile is read as often as a file is, and leaves nothing behind', async () => {
    const auths = JSON.stringify({ auths: { '127.0.0.1:1': { auth: 'bm8=' } } });
    const command = `TMPDIR=${at('empty')} regtar push ${at('docker.tar')} 127.0.0.1:1 --authfile <(echo '${auths}')`;
    const { stderr } = await typed(`mkdir ${at('empty')}; ${command} --retry-times 0; ls ${at('empty')}`, {
      allowFailure: true,
    });
    expect(stderr).toMatch(/TARGET_UNREACHABLE|CREDENTIALS_INVALID/);
    expect(readdirSync(at('empty'))).toEqual([]);
  });

  it('as settings is read as a file is', async () => {
    const settings = `--config <(sleep 0.3; echo 'list: { include: none }')`;
    const { code, stderr } = await typed(`regtar list ${at('docker.tar')} ${settings}`, { allowFailure: true });
    expect([code, stderr]).toEqual([0, expect.stringContaining("--include 'none' matches nothing")]);
  });

  it('as a report is read as a file is', async () => {
    await typed(`regtar export ${at('docker.tar')} ${at('checked')} --report ${at('checked.json')}`);
    const { stdout, stderr } = await typed(`regtar check ${at('checked')} --report <(cat ${at('checked.json')})`);
    expect(`${stdout}${stderr}`).toMatch(/1 image/);
    const merged = await typed(`regtar report merge <(cat ${at('checked.json')}) ${at('checked.json')}`);
    expect(merged.stderr).toContain('1 image arrived');
  });

  it('as an authority is read as a file is', async () => {
    const { stderr } = await typed(
      `regtar push ${at('docker.tar')} 127.0.0.1:1 --ca-file <(echo no certificate) --retry-times 0`,
      { allowFailure: true },
    );
    expect(stderr).toMatch(/CONFIG_INVALID: .* holds no PEM certificate/);
  });

  it('has no index, and an empty one is said', async () => {
    const { code, stderr } = await typed(`regtar index <(cat ${at('docker.tar')})`, { allowFailure: true });
    expect([code, stderr]).toEqual([2, expect.stringContaining('a pipe or a device, cannot have an index')]);
    const empty = await typed('regtar list <(true)', { allowFailure: true });
    expect(empty.stderr).toMatch(/SOURCE_EMPTY/);
  });
});
