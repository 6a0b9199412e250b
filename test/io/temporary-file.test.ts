import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockOutput } from '../../src/io/output-lock.ts';
import { createOutputFile, outputFile } from '../../src/io/output-stream.ts';
import { openRandomAccess } from '../../src/io/random-access.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { openPushJournal } from '../../src/push/journal.ts';
import { writeReport } from '../../src/report/write-report.ts';
import { createIndexWriter, indexedFile } from '../../src/source/saved-index.ts';
import { createSpool } from '../../src/source/spool.ts';
import { run } from '../support/run.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

let folder: TemporaryFolder;
let victim: string;
beforeEach(() => {
  folder = temporaryFolder();
  victim = folder.file('victim');
  writeFileSync(victim, 'precious');
});
afterEach(() => {
  expect(readFileSync(victim, 'utf8')).toBe('precious');
  folder.remove();
});

/** Links every name that could be foreseen to the file that must not be touched. */
function plant(...paths: readonly string[]): void {
  for (const path of paths) symlinkSync(victim, path);
}

describe('what somebody put under a name that could be foreseen is not written through', () => {
  it('by a report', async () => {
    const path = folder.file('report.json');
    plant(`${path}.regtar-${process.pid}`);
    await writeReport(path, '{}');
    expect(readFileSync(path, 'utf8')).toBe('{}');
  });

  it('by the journal of a push, which only its owner may read', () => {
    const path = folder.file('state.json');
    plant(`${path}.${process.pid}.tmp`, `${path}.regtar-${process.pid}`);
    const blob = { mediaType: 'x', digest: digestOf(Buffer.from('a')), size: 1 };
    const journal = openPushJournal(path, { origin: 'https://harbor.example', isNamed: true });
    void journal
      ?.of('a/b', blob)
      .journal.save({ location: 'https://harbor.example/v2/a/b/blobs/uploads/1', offset: 1 });
    expect(readFileSync(path, 'utf8')).toContain('uploads/1');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('by a saved index', () => {
    const path = folder.file('docker.tar.regtar-index');
    plant(`${path}.regtar-${process.pid}`);
    const tar = openRandomAccess(victim);
    createIndexWriter(path, indexedFile(tar)).finish([]);
    tar.close();
    expect(existsSync(path)).toBe(true);
  });

  it('by an archive', async () => {
    const { path, temporary } = outputFile(folder.file('out.tar'));
    plant(temporary);
    const output = createOutputFile(path, temporary);
    await output.complete();
    expect(statSync(path).isFile()).toBe(true);
  });

  it('and nothing unfinished stays behind', async () => {
    await writeReport(folder.file('report.json'), '{}');
    expect(readdirSync(folder.path).sort()).toEqual(['report.json', 'victim']);
  });
});

describe('a temporary folder for everybody', () => {
  const old = new Date(Date.now() - 3_600_000);

  it('may hold links in a circle, pipes and the spools of others', async () => {
    const parent = folder.file('tmp');
    mkdirSync(parent);
    symlinkSync('.regtar-spool-circle', `${parent}/.regtar-spool-circle`);
    symlinkSync(folder.path, `${parent}/.regtar-spool-link`);
    for (const name of ['pipe', 'other', 'dead']) mkdirSync(`${parent}/.regtar-spool-${name}`);
    await run('mkfifo', [`${parent}/.regtar-spool-pipe/lock`]);
    for (const name of ['pipe', 'other', 'dead']) utimesSync(`${parent}/.regtar-spool-${name}`, old, old);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(`${parent}/.regtar-spool-other`, 12345, 12345);
    const spool = createSpool(parent);
    spool.append(Buffer.from('content'));
    expect(statSync(spool.folder).mode & 0o777).toBe(0o700);
    spool.removeSync();
    const left = readdirSync(parent);
    expect(left).not.toContain('.regtar-spool-dead');
    expect(left).toContain('.regtar-spool-link');
    if (isRoot) expect(left).toContain('.regtar-spool-other');
  });

  it('may hold a pipe or a circle as the lock of an output: it is busy, not waited for', async () => {
    await run('mkfifo', [folder.file('pipe')]);
    symlinkSync('circle', folder.file('circle'));
    plant(folder.file('link'));
    for (const name of ['pipe', 'circle', 'link'])
      expect(() => lockOutput(folder.file(name), 'out')).toThrow(
        expect.objectContaining({ code: 'OUTPUT_BUSY' }) as Error,
      );
  });

  it('removes what a process that was killed in a takeover set aside, and never a lock that is held', () => {
    const path = folder.file('.lock');
    const deadHolder = JSON.stringify({ host: hostname(), pid: 2 ** 30 });
    writeFileSync(`${path}.regtar-1-0123456789ab`, deadHolder);
    const other = lockOutput(folder.file('other'), 'other');
    copyFileSync(folder.file('other'), `${path}.regtar-2-0123456789ab`);
    lockOutput(path, 'out').release();
    other.release();
    expect(readdirSync(folder.path).sort()).toEqual(['.lock.regtar-2-0123456789ab', 'victim']);
  });
});
