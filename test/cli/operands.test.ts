import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { regtar, program } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import { describeWith } from '../support/peers.ts';
import { run } from '../support/run.ts';
import { archive, file } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const cwd = folder.path;

describe('an OUT that means something elsewhere is refused, and nothing is written', () => {
  it.each([
    ['dir:/srv/x', [], /regtar export SOURCE \/srv\/x --format dir/],
    ['oci:layout:v1', [], /regtar export SOURCE layout --format oci/],
    ['docker-archive:y.tar', [], /regtar export SOURCE y\.tar --format docker-archive/],
    ['docker://harbor.example.com/x', [], /regtar push SOURCE harbor\.example\.com\/x/],
    ['docker-daemon:app:v1', [], /regtar load SOURCE/],
    ['x.tar.gz', [], /pipe it through gzip/],
    ['x.tgz', [], /pipe it through gzip/],
    ['out', ['--format', 'oci', '--path-style', 'safe'], /it is for dir/],
    ['out', ['--format', 'dir', '--per-repository'], /it is for oci/],
    ['out', ['--format', 'oci', '--owner', '1:1'], /it is for registry/],
    ['out', ['--stall-timeout', '0'], /./],
  ])('%s %j', async (out, options, hint) => {
    const { code, stderr } = await regtar(['export', fixturePath, out, ...options], { cwd });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^regtar: USAGE: /)]);
    expect(stderr.split('\nhint: ')[1]).toMatch(hint);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describeWith('script', 'a terminal', () => {
  it('gets no archive', async () => {
    const line = `${process.execPath} ${program} export ${fixturePath} -`;
    const { stdout } = await run('script', ['-qec', line, '/dev/null'], { allowFailure: true });
    expect(stdout).toMatch(/USAGE: OUT is standard output, which is a terminal/);
    expect(stdout).not.toContain('oci-layout');
  });
});

describe('operands that are forgotten or swapped', () => {
  it('OUT, where the only operand is a backup', async () => {
    const { code, stderr } = await regtar(['export', fixturePath], { cwd });
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/OUT is missing: .* is a file\nhint: .*regtar export .* OUT/),
    ]);
  });

  it('no operand at all', async () => {
    expect((await regtar(['export'], { cwd })).stderr).toMatch(
      /OUT is missing\nhint: write `regtar export \[SOURCE\] OUT`/,
    );
  });

  it('OUT before SOURCE', async () => {
    const { code, stderr } = await regtar(['export', 'new', fixturePath], { cwd });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/new does not exist\nhint: SOURCE comes first/)]);
    expect(existsSync(`${cwd}/new`)).toBe(false);
  });
});

it('a backup of nothing but a registry before Distribution 2 is refused by that name', async () => {
  const path = folder.file('old.tar');
  writeFileSync(path, archive([file(`images/${'1'.repeat(64)}/json`, '{}')]));
  const { code, stdout, stderr } = await regtar(['list', path]);
  expect([code, stdout, stderr]).toEqual([
    1,
    '',
    expect.stringMatching(/^regtar: STORAGE_V1: .*before Distribution 2/),
  ]);
});
