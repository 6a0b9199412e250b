import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireFile, requireWritable, writeNamedFile } from '../../src/io/named-file.ts';
import { openPushJournal } from '../../src/push/journal.ts';
import { typed } from '../cli/support/shell.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const at = folder.file;
const text = (words: string): Buffer => Buffer.from(words);

beforeAll(() => {
  writeFileSync(at('docker.tar'), buildStorage((s) => s.image('app', 'v1')).tar());
  execFileSync('mkfifo', [at('pipe')]);
});
afterAll(() => folder.remove());

describe('a file that a person named', () => {
  it('is replaced with the permissions that it had', async () => {
    writeFileSync(at('report'), 'old');
    chmodSync(at('report'), 0o600);
    await writeNamedFile(at('report'), text('new'));
    expect([readFileSync(at('report'), 'utf8'), statSync(at('report')).mode & 0o777]).toEqual(['new', 0o600]);
    expect(readdirSync(folder.path).filter((name) => name.startsWith('report'))).toEqual(['report']);
  });

  it.each(['target', 'new-target'])('behind a link is written, and the link stays: %s', async (target) => {
    mkdirSync(at('elsewhere'), { recursive: true });
    if (target === 'target') writeFileSync(at('elsewhere/target'), 'old');
    symlinkSync(`elsewhere/${target}`, at(`link-${target}`));
    await writeNamedFile(at(`link-${target}`), text('new'));
    expect(readlinkSync(at(`link-${target}`))).toBe(`elsewhere/${target}`);
    expect(readFileSync(at('elsewhere', target), 'utf8')).toBe('new');
  });

  it('that is a device stays one', async () => {
    symlinkSync('/dev/null', at('null'));
    await writeNamedFile(at('null'), text('nothing'));
    expect([lstatSync(at('null')).isSymbolicLink(), statSync('/dev/null').isCharacterDevice()]).toEqual([true, true]);
    await expect(writeNamedFile('/dev/full', text('much'))).rejects.toMatchObject({ code: 'OUTPUT_FULL' });
  });

  it('that is a pipe waits for its reader, and ends when it is told to', async () => {
    const stop = new AbortController();
    const waiting = writeNamedFile(at('pipe'), text('new'), { signal: stop.signal });
    setTimeout(() => stop.abort(new Error('enough')), 50);
    await expect(waiting).rejects.toThrow('enough');
    const [read] = await Promise.all([
      typed(`sleep 0.1; cat ${at('pipe')} | wc -c`),
      writeNamedFile(at('pipe'), Buffer.alloc(300_000, 'x')),
    ]);
    expect(read.stdout.trim()).toBe('300000');
  });

  it.each(['absent/report', '.'])('that cannot be is found out early: %s', (name) => {
    expect(() => requireWritable(at(name))).toThrow(expect.objectContaining({ code: 'OUTPUT_UNWRITABLE' }));
  });

  it('that must be a file is not a device', () => {
    expect(() => requireFile('/dev/null')).toThrow(expect.objectContaining({ code: 'OUTPUT_UNWRITABLE' }));
    const open = (isNamed: boolean) => openPushJournal('/dev/null', { origin: 'http://localhost', isNamed });
    expect(() => open(true)).toThrow(expect.objectContaining({ code: 'STATE_INVALID' }));
    expect(open(false)).toBeUndefined();
  });
});

describe('the command', () => {
  const exported = (options: string) => typed(`cd ${folder.path}; regtar export docker.tar out-$RANDOM ${options}`);

  it('writes one report into what can be written only once', async () => {
    const { stdout } = await exported('--report /dev/stdout');
    expect(JSON.parse(stdout)).toMatchObject({ state: 'finished' });
    const { stdout: filed } = await exported('--report /dev/stdout --json > both; cat both');
    expect(filed.match(/"state": "finished"/g)).toHaveLength(1);
    expect(filed).toMatch(/"seconds"/);
    const { stdout: piped } = await exported('--report >(cat) -q | cat');
    expect(JSON.parse(piped)).toMatchObject({ state: 'finished' });
  });

  it('leaves devices and links as they are', async () => {
    const { stdout } = await exported('--report null --save-digests null && regtar inspect docker.tar --html null');
    expect(stdout).not.toBe('');
    expect(readlinkSync(at('null'))).toBe('/dev/null');
    const { code } = await typed(`regtar index ${at('docker.tar')} --index-file /dev/null`, { allowFailure: true });
    expect([code, statSync('/dev/null').isCharacterDevice()]).toEqual([2, true]);
  });

  it.each(['--report', '--save-digests'])('%s in a folder that is not there: before the first byte', async (option) => {
    const { code, stderr } = await typed(
      `regtar export ${at('docker.tar')} ${at('never')} ${option} ${at('no/file')}`,
      {
        allowFailure: true,
      },
    );
    expect([code, stderr]).toEqual([2, expect.stringContaining('no does not exist')]);
    expect(readdirSync(folder.path)).not.toContain('never');
  });
});
