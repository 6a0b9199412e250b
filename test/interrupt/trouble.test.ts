import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { regtar, regtarDone } from '../e2e/support/regtar.ts';
import { snapshot } from '../e2e/support/snapshot.ts';
import { generateBackup } from '../support/generate-backup.ts';
import { run } from '../support/run.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';
import { subjects, unfinished, type Subject } from './support/outputs.ts';
import { startRegtar, type RunningRegtar } from './support/start-regtar.ts';

const folder = temporaryFolder();
const whole = new Map<string, Record<string, string>>();
let source: string;
beforeAll(async () => {
  source = generateBackup(
    { name: 'trouble', images: 50, repositories: 8, bytes: 12_000_000, largestLayer: 3_000_000, multiArchRatio: 0.1 },
    folder.path,
  ).file;
  for (const subject of subjects) {
    const out = folder.file(`${subject.format}-whole`, subject.out);
    mkdirSync(dirname(out));
    await regtarDone(words(subject, out));
    whole.set(subject.format, snapshot(out));
  }
});
afterAll(() => folder.remove());

function words(subject: Subject, out: string, from = source): string[] {
  return ['export', from, out, '--format', subject.format, ...subject.flags];
}

function newFolder(): TemporaryFolder {
  const made = temporaryFolder();
  onTestFinished(() => made.remove());
  return made;
}

/** Of some 470 events of an export. */
const middle = { from: 60, to: 250 };

/** Starts an export and holds it still in the middle of its work; again where a busy machine was too late for that. */
async function heldInTheMiddle(subject: Subject, out: string, from = source): Promise<RunningRegtar> {
  for (;;) {
    const running = startRegtar([...words(subject, out, from), '--events', 'jsonl']);
    await running.said(middle.from);
    running.kill('SIGSTOP');
    // What it said before it stood still arrives meanwhile.
    await Promise.race([sleep(50), running.ended]);
    if (running.lines <= middle.to) return running;
    running.kill('SIGKILL');
    await running.ended;
    rmSync(dirname(out), { recursive: true });
    mkdirSync(dirname(out));
  }
}

async function expectRerun(subject: Subject, out: string): Promise<void> {
  await regtarDone(words(subject, out));
  expect(snapshot(out)).toEqual(whole.get(subject.format));
  expect(unfinished(dirname(out))).toEqual([]);
}

/** What somebody reads: the failure and its hint, out of a stream of events as out of plain text. */
function expectFailure(result: { readonly code: number; readonly stderr: string }, code: string, exit = 1): void {
  expect(result.stderr).toMatch(new RegExp(`^regtar: ${code}: |"event":"error".*"code":"${code}"`, 'm'));
  expect(result.stderr).toMatch(/hint: |"hint":/);
  expect(result.stderr).not.toMatch(/^ +at /m);
  expect(result.code).toBe(exit);
}

describe.each(subjects)('$format', (subject) => {
  it('ends with 130 when it is interrupted, leaves nothing unfinished, and the rerun completes', async () => {
    const out = newFolder().file(subject.out);
    const running = await heldInTheMiddle(subject, out);
    running.kill('SIGINT');
    running.kill('SIGCONT');
    expectFailure(await running.ended, 'INTERRUPTED', 130);
    expect(unfinished(dirname(out))).toEqual([]);
    await subject.checkWhatShows(out, whole.get(subject.format) ?? {});
    await expectRerun(subject, out);
  });

  it('tells the second of two exports into one place, and the first completes', async () => {
    const out = newFolder().file(subject.out);
    const first = await heldInTheMiddle(subject, out);
    const second = await regtar(words(subject, out));
    expectFailure(second, 'OUTPUT_BUSY');
    expect(second.stderr).toContain(String(first.pid));
    first.kill('SIGCONT');
    expect((await first.ended).code).toBe(0);
    expect(snapshot(out)).toEqual(whole.get(subject.format));
  });

  it('stops at a file-size limit', async () => {
    const out = newFolder().file(subject.out);
    // In blocks of 512 bytes: one blob is larger, and so is the archive.
    const limited = startRegtar(words(subject, out), { shell: 'ulimit -f 2000; "$@"' });
    expectFailure(await limited.ended, 'OUTPUT_FULL');
    expect(unfinished(dirname(out))).toEqual([]);
    await subject.checkWhatShows(out, whole.get(subject.format) ?? {});
    await expectRerun(subject, out);
  });

  it('stops when OUT vanishes', async () => {
    const parent = newFolder().file('disk');
    mkdirSync(parent);
    const out = join(parent, subject.out);
    const running = await heldInTheMiddle(subject, out);
    rmSync(parent, { recursive: true });
    running.kill('SIGCONT');
    expectFailure(await running.ended, 'OUTPUT_UNWRITABLE');
    mkdirSync(parent, { recursive: true });
    rmSync(out, { recursive: true, force: true });
    await expectRerun(subject, out);
  });

  it.each(['is cut', 'grows', 'is written over'])('stops when the source %s', async (what) => {
    const place = newFolder();
    const out = place.file('out', subject.out);
    mkdirSync(dirname(out));
    const from = place.file('docker.tar');
    copyFileSync(source, from);
    const running = await heldInTheMiddle(subject, out, from);
    if (what === 'is cut') truncateSync(from, 40_000);
    else if (what === 'grows') appendFileSync(from, Buffer.alloc(10_240));
    else writeFileSync(from, Buffer.alloc(statSync(from).size, 1));
    running.kill('SIGCONT');
    const { code, stderr } = await running.ended;
    // What was appended changes no byte that is read, so such a run may also end well.
    if (what === 'grows' && code === 0) expect(snapshot(out)).toEqual(whole.get(subject.format));
    else {
      expect(stderr).toMatch(/SOURCE_CHANGED|BLOB_CORRUPT/);
      expect(code).not.toBe(0);
      await subject.checkWhatShows(out, whole.get(subject.format) ?? {}).catch((error: unknown) => {
        // An archive of fewer images is whole, too, when the report says which are not in it.
        if (subject.format !== 'docker-archive' || code !== 3) throw error;
      });
    }
    expect(unfinished(dirname(out))).toEqual([]);
    await expectRerun(subject, out);
  });

  it('refuses a folder or file of somebody else, and does not touch it', async () => {
    const out = newFolder().file(subject.out);
    if (subject.format === 'docker-archive') writeFileSync(out, 'years of work');
    else {
      mkdirSync(out);
      writeFileSync(join(out, 'thesis.txt'), 'years of work');
    }
    const before = snapshot(dirname(out));
    for (const force of [[], ['--force']])
      expectFailure(await regtar([...words(subject, out), ...force]), 'OUTPUT_FOREIGN');
    expect(snapshot(dirname(out))).toEqual(before);
  });
});

describe.runIf(process.getuid?.() === 0).each(subjects)('$format, on a disk of its own', (subject) => {
  /** A small file system in memory. */
  const disk = async (options: string): Promise<string> => {
    const parent = newFolder().file('disk');
    mkdirSync(parent);
    await run('mount', ['-t', 'tmpfs', '-o', options, 'regtar-test', parent]);
    onTestFinished(async () => void (await run('umount', ['-l', parent], { allowFailure: true })));
    return parent;
  };

  it('stops when it is full, and completes when there is room', async () => {
    const parent = await disk('size=6m');
    const out = join(parent, subject.out);
    expectFailure(await regtar(words(subject, out)), 'OUTPUT_FULL');
    expect(unfinished(parent)).toEqual([]);
    await subject.checkWhatShows(out, whole.get(subject.format) ?? {});
    await run('mount', ['-o', 'remount,size=80m', parent]);
    await expectRerun(subject, out);
  });

  it('stops when it has no inodes left', async () => {
    const parent = await disk('size=80m,nr_inodes=40');
    const out = join(parent, subject.out);
    if (subject.format === 'docker-archive') return expectRerun(subject, out);
    expectFailure(await regtar(words(subject, out)), 'OUTPUT_FULL');
    expect(unfinished(parent)).toEqual([]);
    await run('mount', ['-o', 'remount,nr_inodes=20000', parent]);
    await expectRerun(subject, out);
  });

  it('says that it is read-only', async () => {
    const parent = await disk('size=6m,ro');
    expectFailure(await regtar(words(subject, join(parent, subject.out))), 'OUTPUT_UNWRITABLE');
  });

  it('says that another account may not write there', async () => {
    const parent = newFolder().path;
    chmodSync(folder.path, 0o755);
    chmodSync(parent, 0o555);
    const { code, stderr } = await startRegtar(words(subject, join(parent, subject.out)), {
      shell: 'exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"',
    }).ended;
    expectFailure({ code, stderr }, 'OUTPUT_UNWRITABLE');
  });
});
