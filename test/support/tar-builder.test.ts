import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  archive,
  directory,
  file,
  hardLink,
  header,
  longName,
  member,
  paxGlobal,
  paxHeader,
  paxRecords,
  symlink,
  type TarDialect,
} from './tar-builder.ts';
import { sparseContent, sparseMember, type SparseForm } from './tar-sparse-builder.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'tar-builder-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function extract(bytes: Uint8Array): void {
  writeFileSync(join(folder, 'a.tar'), bytes);
  execFileSync('tar', ['-xf', 'a.tar'], { cwd: folder });
}

function listed(bytes: Uint8Array): string[] {
  writeFileSync(join(folder, 'a.tar'), bytes);
  return execFileSync('tar', ['-tvf', 'a.tar'], { cwd: folder, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })
    .trimEnd()
    .split('\n');
}

describe('what the tar builder writes, GNU tar reads', () => {
  const long = `${'deep/'.repeat(30)}file`;

  it.each<TarDialect>(['gnu', 'pax', 'ustar'])('%s: a name over 100 bytes', (dialect) => {
    extract(archive([file(long, 'content', { dialect }), file('after', 'next', { dialect })]));
    expect(readFileSync(join(folder, long), 'utf8')).toBe('content');
    expect(readFileSync(join(folder, 'after'), 'utf8')).toBe('next');
  });

  it.each<TarDialect>(['gnu', 'pax'])(
    '%s: a hard link and a symbolic link whose names and targets are over 100 bytes',
    (dialect) => {
      extract(
        archive([
          file(long, 'content', { dialect }),
          hardLink(`${long}-hard`, long, { dialect }),
          symlink(`${long}-soft`, long, { dialect }),
        ]),
      );
      expect(statSync(join(folder, `${long}-hard`)).ino).toBe(statSync(join(folder, long)).ino);
      expect(readlinkSync(join(folder, `${long}-soft`))).toBe(long);
    },
  );

  it.each<TarDialect>(['gnu', 'pax'])('%s: a size above 8 GiB', (dialect) => {
    writeFileSync(join(folder, 'a.tar'), member({ path: 'huge', size: 20_000_000_001, dialect }));
    const { stdout } = spawnSync('tar', ['-tvf', 'a.tar'], { cwd: folder, encoding: 'utf8' });
    expect(stdout).toContain(' 20000000001 ');
  });

  it('v7 headers, small sizes in base-256, signed checksums, directories', () => {
    const lines = listed(
      archive([
        file('old', 'x', { dialect: 'v7' }),
        file('b256', 'xyz', { base256: true }),
        file(Buffer.from('süm'), '', { checksum: 'signed' }),
        directory('d'),
      ]),
    );
    expect(lines.map((line) => line.split(' ').at(-1))).toEqual(['old', 'b256', 's\\303\\274m', 'd/']);
    expect(lines[1]).toContain(' 3 ');
  });

  it('names that are not UTF-8', () => {
    expect(listed(archive([file(Buffer.from([0x66, 0xff, 0xfe]), '')])).at(0)).toContain('f\\377\\376');
  });

  it('global records, and records of its own before a member', () => {
    extract(
      archive([paxGlobal({ comment: 'x' }), paxHeader({ path: 'real' }), file('other', 'content', { dialect: 'pax' })]),
    );
    expect(readFileSync(join(folder, 'real'), 'utf8')).toBe('content');
  });

  it.each<SparseForm>(['gnu', 'pax-0.0', 'pax-0.1', 'pax-1.0'])(
    '%s: sparse files, with few runs and with more than one extension block of them',
    (form) => {
      const few = { path: 'few', size: 5000, runs: [{ at: 1000, bytes: Buffer.from('abc') }], form };
      const runs = Array.from({ length: 60 }, (_, i) => ({
        at: i * 2048 + 512,
        bytes: Buffer.alloc(512, 65 + (i % 26)),
      }));
      const many = { path: 'sparse/many', size: runs.length * 2048, runs, form };
      extract(archive([sparseMember(few), sparseMember(many), file('after', 'next')]));
      expect(readFileSync(join(folder, 'few')).equals(sparseContent(few))).toBe(true);
      expect(readFileSync(join(folder, 'sparse/many')).equals(sparseContent(many))).toBe(true);
      expect(readFileSync(join(folder, 'after'), 'utf8')).toBe('next');
    },
  );
});

describe('what the tar builder writes, GNU tar refuses', () => {
  it.each(['wrong', 'blank'] as const)('a %s checksum', (checksum) => {
    writeFileSync(join(folder, 'a.tar'), archive([file('a', 'content', { checksum })]));
    expect(spawnSync('tar', ['-tf', 'a.tar'], { cwd: folder }).status).not.toBe(0);
  });
});

it('counts a PAX record’s length with its own digits', () => {
  expect(paxRecords({ a: 'x'.repeat(4) }).toString()).toBe(`9 a=xxxx\n`);
  expect(paxRecords({ a: 'x'.repeat(5) }).toString()).toBe(`11 a=xxxxx\n`);
  expect(paxRecords([['path', 'x'.repeat(90)]]).toString()).toBe(`99 path=${'x'.repeat(90)}\n`);
  expect(paxRecords([['path', 'x'.repeat(91)]]).toString()).toBe(`101 path=${'x'.repeat(91)}\n`);
});

it('pads an archive to whole records and appends what it is told', () => {
  const bytes = archive([header({ path: 'a' })], { recordBytes: 10_240, trailing: 'rubbish' });
  expect(bytes.length).toBe(10_240 + 7);
  expect(archive([longName('a')], { endBlocks: 0 }).length).toBe(1024);
});
