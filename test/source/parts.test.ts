import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { openSource } from '../../src/source/open-source.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { regtar } from '../e2e/support/regtar.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const october = buildStorage((s) => s.image('team/october', 'v1', { layers: [{ bytes: Buffer.alloc(90_000, 'o') }] }));
const november = buildStorage((s) => s.image('team/november', 'v1', { layers: [{ bytes: Buffer.alloc(9_000, 'n') }] }));
const octoberTar = october.tar({ recordBytes: 10_240 });
const novemberTar = november.tar({ recordBytes: 10_240 });

let turn = 0;
function folderWith(files: Readonly<Record<string, Uint8Array | string>>): (name: string) => string {
  const path = folder.file(String(turn++));
  mkdirSync(path);
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(path, name), bytes);
  return (name) => join(path, name);
}

async function read(...operands: string[]): Promise<{ repositories: string[]; damage: string[]; notices: string[] }> {
  const notices: string[] = [];
  const backup = await openSource(operands, { onNotice: (text) => notices.push(text) });
  const catalog = await readCatalog(backup);
  await backup.close();
  return {
    repositories: [...catalog.repositories()],
    damage: catalog.problems.map(({ code }) => code),
    notices: notices.filter((text) => text.includes('are read as one archive')),
  };
}

const alone = (repository: string): object => ({ repositories: [repository], damage: [], notices: [] });

describe('backups that are numbered are not joined', () => {
  it.each<[string, string, string]>([
    ['by a rotation', 'docker.tar.1', 'docker.tar.2'],
    ['with a dash', 'registry-1', 'registry-2'],
    ['by date', 'docker.tar.20231001', 'docker.tar.20231101'],
    ['by days that follow each other', 'docker.tar.20231001', 'docker.tar.20231002'],
    ['by letters', 'docker.tar.aa', 'docker.tar.ab'],
  ])('%s', async (_, first, second) => {
    for (const pack of [(tar: Buffer) => tar, (tar: Buffer) => gzipSync(tar)]) {
      const at = folderWith({ [first]: pack(octoberTar), [second]: pack(novemberTar) });
      expect(await read(at(first))).toEqual(alone('team/october'));
      expect(await read(at(second))).toEqual(alone('team/november'));
      expect((await read(at(first), at(second))).repositories).toEqual(['team/november', 'team/october']);
    }
  });

  it('whose archives begin with different members, or were padded', async () => {
    const base = november.tar({ root: 'var/lib/registry/docker/registry/v2' });
    const at = folderWith({ 'docker.tar.1': Buffer.concat([octoberTar, Buffer.alloc(51_200)]), 'docker.tar.2': base });
    expect(await read(at('docker.tar.1'))).toEqual(alone('team/october'));
    expect(await read(at('docker.tar.2'))).toEqual(alone('team/november'));
  });

  it('nor one whose copy was cut, to what follows it', async () => {
    const at = folderWith({ 'docker.tar.1': octoberTar.subarray(0, 60_001), 'docker.tar.2': novemberTar });
    expect(await read(at('docker.tar.1'))).toMatchObject({ damage: expect.arrayContaining(['TAR_CUT']) as unknown });
    expect(await read(at('docker.tar.2'))).toEqual(alone('team/november'));
  });

  it('and other files of that name are not parts', async () => {
    const at = folderWith({
      'docker.bak': octoberTar,
      'docker.log': 'made at night\n',
      'docker.dat': Buffer.alloc(99, 7),
    });
    expect(await read(at('docker.bak'))).toEqual(alone('team/october'));
    await expect(read(at('docker.log'))).rejects.toMatchObject({ code: 'SOURCE_NOT_TAR' });
    const notes = folderWith({ 'docker.tar.1': octoberTar, 'docker.tar.2': 'what is in docker.tar.1\n' });
    expect(await read(notes('docker.tar.1'))).toEqual(alone('team/october'));
    const manual = folderWith({ 'docker.1': '.TH DOCKER 1\n', 'docker.2': octoberTar });
    expect(await read(manual('docker.2'))).toEqual(alone('team/october'));
  });

  it('a backup that is not there is not a part that is missing', async () => {
    const at = folderWith({ 'docker.tar.2': octoberTar });
    await expect(read(at('docker.tar.1'))).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
  });
});

describe('parts are joined, which is told', () => {
  const split = (bytes: Uint8Array, size: number | string, ...options: string[]): string[] => {
    const at = folderWith({ whole: bytes });
    execFileSync('split', ['-b', String(size), ...options, at('whole'), at('docker.tar.')]);
    rmSync(at('whole'));
    return readdirSync(at(''))
      .sort()
      .map((name) => at(name));
  };
  const whole = (parts: readonly string[]): object => ({
    repositories: ['team/october'],
    damage: [],
    notices: [expect.stringMatching(new RegExp(`/docker.tar\\.[^ ]+ to docker.tar\\.[^ ]+ .* ${parts.length} parts`))],
  });

  it.each([512, 1024, 4096, 20_480, octoberTar.length - 10_240, octoberTar.length - 512])(
    'wherever the cut is: after %i bytes',
    async (size) => {
      const parts = split(octoberTar, size, '-a', '3');
      for (const part of [parts[0] ?? '', parts.at(-1) ?? '', parts[parts.length >> 1] ?? ''])
        expect(await read(part)).toEqual(whole(parts));
    },
  );

  it('where they end in zeros that belong to a blob', async () => {
    const zeros = buildStorage((s) => s.image('team/october', 'v1', { layers: [{ bytes: Buffer.alloc(90_000) }] }));
    const parts = split(zeros.tar(), 30_000);
    expect(await read(parts[0] ?? '')).toEqual(whole(parts));
  });

  it('where several archives were joined before', async () => {
    const parts = split(Buffer.concat([octoberTar, novemberTar]), 50_000);
    expect((await read(parts[0] ?? '')).repositories).toEqual(['team/november', 'team/october']);
  });

  it('of a compressed backup, also where each part was compressed by itself', async () => {
    const parts = split(gzipSync(octoberTar, { level: 0 }), 40_000);
    expect(await read(parts[1] ?? '')).toEqual(whole(parts));
    const filtered = split(octoberTar, 40_000);
    for (const part of filtered) writeFileSync(part, gzipSync(readFileSync(part)));
    expect(await read(filtered[0] ?? '')).toEqual(whole(filtered));
  });

  it('beside a rotated set of the same name', async () => {
    const parts = split(octoberTar, 40_000, '--numeric-suffixes=1', '-a', '1');
    writeFileSync(`${parts[0]?.slice(0, -1) ?? ''}${parts.length + 1}`, novemberTar);
    expect(await read(parts[0] ?? '')).toEqual(whole(parts));
    expect(await read(`${parts[0]?.slice(0, -1) ?? ''}${parts.length + 1}`)).toEqual(alone('team/november'));
  });
});

describe('what the shell made of a pattern', () => {
  const at = folderWith({ whole: octoberTar });
  execFileSync('split', ['-b', '40000', at('whole'), at('docker.tar.')]);
  rmSync(at('whole'));
  const parts = ['aa', 'ab', 'ac', 'ad'].map((part) => at(`docker.tar.${part}`));

  it.each<[string, (operands: readonly string[]) => readonly string[]]>([
    ['list', (operands) => operands],
    ['verify', (operands) => operands],
    ['inspect', (operands) => operands],
    ['inspect a reference', (operands) => [...operands, 'team/october:v1']],
    ['export', (operands) => [...operands, at('out')]],
  ])('regtar %s takes all parts', async (command, withOperands) => {
    const [name = ''] = command.split(' ');
    const { code, stderr, stdout } = await regtar([name, ...withOperands(parts)]);
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('docker.tar.aa to docker.tar.ad are read as one archive'),
    ]);
    expect(`${stdout}${stderr}`).toMatch(/october|1 image|1 whole/);
  });

  it('regtar index keeps one index of them, which the pattern names from then on', async () => {
    const { code } = await regtar(['index', ...parts]);
    expect(code).toBe(0);
    const { stdout } = await regtar(['list', ...parts, at('docker.tar.aa.regtar-index')]);
    expect(stdout).toBe('team/october:v1\n');
  });

  it('a TARGET that was forgotten is asked for', async () => {
    const { code, stderr } = await regtar(['push', ...parts]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/USAGE: TARGET is missing/)]);
  });
});
