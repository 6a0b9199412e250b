import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { typed } from '../cli/support/shell.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { startRegtar } from './support/start-regtar.ts';

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

describe('a pipe that nobody writes into', () => {
  it.each<[string, readonly string[]]>([
    ['as SOURCE', ['list', at('pipe')]],
    ['as a list of images', ['list', at('docker.tar'), '--images', at('pipe')]],
    ['as a tag map', ['list', at('docker.tar'), '--tag-map', at('pipe')]],
    ['as an authfile', ['push', at('docker.tar'), '127.0.0.1:1', '--authfile', at('pipe')]],
    [
      'as a password',
      ['list', 'https://127.0.0.1:1/x.tar', '--source-username', 'a', '--source-password-file', at('pipe')],
    ],
    ['as a report that nobody reads', ['export', at('docker.tar'), at('out'), '--report', at('pipe')]],
    ['as OUT that nobody reads', ['export', at('docker.tar'), at('pipe')]],
  ])('%s: one Ctrl-C ends the program', async (_, args) => {
    const running = startRegtar(args);
    const isOver = await Promise.race([running.ended.then(() => true), sleep(1500, false)]);
    expect(isOver).toBe(false);
    running.kill('SIGINT');
    const late = setTimeout(() => running.kill('SIGKILL'), 10_000);
    const { code, stderr } = await running.ended;
    clearTimeout(late);
    expect([code, stderr]).toEqual([130, expect.stringContaining('INTERRUPTED')]);
  });
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

  it('has no index, and an empty one is said', async () => {
    const { code, stderr } = await typed(`regtar index <(cat ${at('docker.tar')})`, { allowFailure: true });
    expect([code, stderr]).toEqual([2, expect.stringContaining('a pipe or a device, cannot have an index')]);
    const empty = await typed('regtar list <(true)', { allowFailure: true });
    expect(empty.stderr).toMatch(/SOURCE_EMPTY/);
  });
});
