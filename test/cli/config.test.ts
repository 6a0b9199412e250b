import { copyFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { regtar, regtarDone } from '../e2e/support/regtar.ts';
import { fixturePath } from '../support/fixture.ts';
import type { RunResult } from '../support/run.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

interface InForce {
  readonly file?: string;
  readonly settings: readonly {
    readonly name: string;
    readonly value: string;
    readonly from: string;
    readonly commands: readonly string[];
  }[];
  readonly unknown: readonly string[];
}

let here: TemporaryFolder;
beforeEach(() => {
  here = temporaryFolder();
  copyFileSync(fixturePath, here.file('docker.tar'));
});
afterEach(() => here.remove());

const write = (...lines: string[]): void => writeFileSync(here.file('regtar.yaml'), `${lines.join('\n')}\n`);
const list = async (args: readonly string[] = [], env: Record<string, string> = {}): Promise<string[]> =>
  (await regtarDone(['list', ...args], { cwd: here.path, env })).stdout.trimEnd().split('\n');
const check = async (args: readonly string[] = [], env: Record<string, string> = {}): Promise<InForce> =>
  JSON.parse((await regtarDone(['config', 'check', '--json', ...args], { cwd: here.path, env })).stdout) as InForce;
const fails = async (args: readonly string[], env: Record<string, string> = {}): Promise<RunResult> =>
  regtar(args, { cwd: here.path, env });

describe('what counts', () => {
  it('is the flag, then the environment, then the file', async () => {
    write('include: base:*');
    expect(await list()).toEqual(['base:1']);
    expect(await list([], { REGTAR_INCLUDE: 'charts/* tools/multi' })).toEqual([
      'charts/hello:0.1.0',
      'tools/multi:1.0',
    ]);
    expect(await list(['--include', 'tools/hello:1.0'], { REGTAR_INCLUDE: 'charts/*' })).toEqual(['tools/hello:1.0']);
  });

  it('in a section is for that command alone', async () => {
    write('include: base:*', 'list:', '  include: [tools/multi]');
    expect(await list()).toEqual(['tools/multi:1.0']);
    const { settings } = await check();
    expect(settings).toContainEqual({
      name: 'include',
      value: 'tools/multi',
      from: 'regtar.yaml:3',
      commands: ['list'],
    });
    expect(settings).toContainEqual({
      name: 'include',
      value: 'base:*',
      from: 'regtar.yaml:1',
      commands: ['inspect', 'verify', 'push', 'export', 'load', 'serve', 'mirrors', 'diff'],
    });
  });

  it('comes from the file that --config names, or REGTAR_CONFIG, and not from the one in the folder', async () => {
    write('include: base:*');
    writeFileSync(here.file('other.yaml'), 'include: tools/multi\n');
    expect(await list(['--config', 'other.yaml'])).toEqual(['tools/multi:1.0']);
    expect(await list([], { REGTAR_CONFIG: 'other.yaml' })).toEqual(['tools/multi:1.0']);
  });

  it('names operands too, which the command line replaces', async () => {
    write('source: not-there.tar');
    expect((await fails(['list'])).stderr).toContain('not-there.tar');
    expect(await list(['docker.tar', '--include', 'base:*'])).toEqual(['base:1']);
  });

  it('is nothing that a command asks for before: no TARGET and no report for check', async () => {
    write('target: harbor.example.com', 'check:', '  report: report.json');
    expect((await fails(['config', 'check'])).stderr).toMatch(/regtar\.yaml:3: unknown setting report for check/);
    write('target: harbor.example.com');
    expect((await check()).settings).toEqual([
      { name: 'target', value: 'harbor.example.com', from: 'regtar.yaml:1', commands: ['push', 'mirrors'] },
    ]);
  });

  it('is said on standard error, so that nobody is surprised', async () => {
    write('include: base:*');
    expect((await regtarDone(['list'], { cwd: here.path })).stderr).toBe('using regtar.yaml\n');
  });
});

describe('regtar config check', () => {
  it('says what is in force and from which line', async () => {
    write('# a migration', 'target: harbor.example.com/x', 'jobs: 8');
    const { stdout } = await regtarDone(['config', 'check', 'push'], { cwd: here.path, env: { REGTAR_JOBS: '3' } });
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    expect(rows).toEqual(
      expect.arrayContaining([
        ['target', 'harbor.example.com/x', 'regtar.yaml:2'],
        ['jobs', '3', 'REGTAR_JOBS'],
        ['on-existing-tag', 'overwrite', 'default'],
      ]),
    );
    expect(stdout).not.toContain('regtar.yaml:3');
  });

  it('says so when nothing is set', async () => {
    expect((await regtarDone(['config', 'check'], { cwd: here.path })).stdout).toMatch(/^nothing is set/);
  });

  it('tells a variable that is not a setting, and goes on', async () => {
    const { stderr, code } = await fails(['config', 'check'], { REGTAR_JOB: '3', REGTAR_SERVICE_HOST: '10.0.0.1' });
    expect(code).toBe(0);
    expect(stderr).toBe(
      'REGTAR_JOB is not a setting of regtar: did you mean REGTAR_JOBS?\nREGTAR_SERVICE_HOST is not a setting of regtar\n',
    );
  });

  it('shows no secret, wherever it was put', async () => {
    write('target: https://me:hunter2@harbor.example.com');
    const { stdout, stderr } = await regtarDone(['config', 'check'], {
      cwd: here.path,
      env: { REGTAR_PASSWORD: 'hunter3' },
    });
    expect(stdout).toContain('https://***@harbor.example.com');
    expect(stdout).toContain('REGTAR_PASSWORD is set (not shown)');
    expect(`${stdout}${stderr}`).not.toMatch(/hunter/);
  });
});

describe('a mistake in the file is named with its line', () => {
  it.each<[string, readonly string[], RegExp, RegExp]>([
    [
      'a misspelt setting',
      ['jobs: 3', 'incldue: base'],
      /regtar\.yaml:2: unknown setting incldue/,
      /did you mean include/,
    ],
    [
      'a setting of another command',
      ['list:', '  on-existing-tag: skip'],
      /regtar\.yaml:2: unknown setting on-existing-tag for list/,
      /./,
    ],
    ['a password', ['password: hunter2'], /regtar\.yaml:1: password does not belong in a file/, /REGTAR_PASSWORD/],
    ['a list where one value belongs', ['jobs: [1, 2]'], /regtar\.yaml:1: jobs: one value was expected/, /./],
    [
      'a word where a switch belongs',
      ['push:', '  public-projects: maybe'],
      /regtar\.yaml:2: public-projects: true or false/,
      /./,
    ],
    ['a number that is none', ['source: docker.tar', '', 'jobs: many'], /regtar\.yaml:3: jobs: a whole number/, /./],
    [
      'a value that is none of the choices',
      ['push:', '  on-existing-tag: maybe'],
      /regtar\.yaml:2: on-existing-tag: .*overwrite, skip, error/,
      /./,
    ],
    ['no YAML', ['jobs: 3', '  - x: ['], /regtar\.yaml:[12]: /, /./],
    ['a list', ['- jobs'], /regtar\.yaml:1: settings are written as `name: value`/, /./],
  ])('%s', async (_title, lines, says, hint) => {
    write(...lines);
    for (const command of [['config', 'check'], ['list']]) {
      const { code, stdout, stderr } = await fails(command);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      const [first, second] = stderr.split('\n');
      expect(first).toMatch(/^regtar: CONFIG_INVALID: /);
      expect(first).toMatch(says);
      expect(second?.replace(/^hint: /, '')).toMatch(hint);
      expect(stderr).not.toContain('hunter2');
    }
  });
});
