import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { systemErrorCode } from '../../src/errors.ts';
import { regtar, regtarDone } from '../e2e/support/regtar.ts';
import { snapshot } from '../e2e/support/snapshot.ts';
import { fixturePath } from '../support/fixture.ts';
import { generateBackup } from '../support/generate-backup.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { unfinished } from './support/outputs.ts';
import { startStalled, type StalledRegtar } from './support/start-stalled.ts';

interface Subject {
  readonly title: string;
  readonly out: string;
  readonly flags: readonly string[];
}

const folders: readonly Subject[] = [
  { title: 'oci', out: 'out', flags: ['--format', 'oci'] },
  { title: 'dir', out: 'out', flags: ['--format', 'dir'] },
  { title: 'registry', out: 'out', flags: ['--format', 'registry'] },
];
const archives: readonly Subject[] = [
  { title: 'registry as .tar', out: 'out.tar', flags: ['--format', 'registry'] },
  { title: 'docker-archive', out: 'out.tar', flags: ['--format', 'docker-archive', '--platform', 'linux/amd64'] },
  { title: 'volumes', out: 'out', flags: ['--format', 'registry', '--volume-size', '4MB'] },
];

const folder = temporaryFolder();
const whole = new Map<Subject, Record<string, string>>();
let source: string;
beforeAll(async () => {
  source = generateBackup(
    { name: 'resume', images: 150, repositories: 8, bytes: 12_000_000, largestLayer: 6_000_000, multiArchRatio: 0.1 },
    folder.path,
  ).file;
  for (const subject of [...folders, ...archives]) {
    const out = folder.file(`whole-${subject.title}`, subject.out);
    mkdirSync(dirname(out));
    await regtarDone(['export', source, out, ...subject.flags]);
    whole.set(subject, snapshot(out));
  }
});
afterAll(() => folder.remove());

function newOut(subject: Subject): string {
  const made = temporaryFolder();
  onTestFinished(() => made.remove());
  return made.file(subject.out);
}

function words(subject: Subject, out: string): string[] {
  return ['export', source, out, ...subject.flags];
}

async function killedInTheMiddle(subject: Subject, out: string): Promise<void> {
  await (await stalledInTheMiddle(subject, out)).kill();
}

function stalledInTheMiddle(subject: Subject, out: string): Promise<StalledRegtar> {
  const isFolder = folders.includes(subject);
  const place = subject.out.endsWith('.tar') ? dirname(out) : out;
  return startStalled(words(subject, out), () => {
    const found = filesUnderWay(place);
    return isFolder
      ? found.filter((name) => statSize(name) > 1_000 && !name.includes('.regtar')).length > 2
      : found.some((name) => name.endsWith('.tmp') && statSize(name) > 300_000);
  });
}

function statSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Changes one byte and leaves the size. */
function damage(path: string, at: number): void {
  const descriptor = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(descriptor, byte, 0, 1, at);
  writeSync(descriptor, Buffer.from([byte.readUInt8(0) ^ 255]), 0, 1, at);
  closeSync(descriptor);
}

function files(path: string): readonly string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => join(path, name))
    .filter((name) => statSync(name, { throwIfNoEntry: false })?.isFile() === true);
}

/** While a program writes there: a folder that has just got its name is looked for in vain. */
function filesUnderWay(path: string): readonly string[] {
  try {
    return files(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

describe.each(archives)('$title', (subject) => {
  it('goes on behind what a killed run had written, and writes what is damaged in it again', async () => {
    for (const at of [undefined, 250_000]) {
      const out = newOut(subject);
      await killedInTheMiddle(subject, out);
      const left = files(dirname(out)).filter((name) => name.endsWith('.tmp'));
      expect(left).toHaveLength(1);
      if (at !== undefined) damage(left[0] ?? '', at);
      const { stderr } = await regtarDone([...words(subject, out), '--resume']);
      if (at === undefined)
        expect(stderr).toMatch(/([1-9]\d+(\.\d)? kB|[1-9][.\d]* MB) were already there and are right/);
      expect(snapshot(out)).toEqual(whole.get(subject));
      expect(unfinished(dirname(out))).toEqual([]);
    }
  });

  it('is proven, and mended, when it is complete', async () => {
    const out = newOut(subject);
    await regtarDone(words(subject, out));
    const [file = out] = statSync(out).isFile() ? [out] : files(out);
    damage(file, statSync(file).size >> 1);
    const { stderr } = await regtarDone([...words(subject, out), '--resume']);
    expect(stderr).toContain('were already there and are right');
    expect(snapshot(out)).toEqual(whole.get(subject));
  });
});

describe('parts of one archive', () => {
  const parts: Subject = { title: 'parts', out: 'out.tar', flags: ['--format', 'registry', '--split', '4MB'] };

  it('go on where a killed run stopped, and what is damaged in them is written again', async () => {
    const expected = newOut(parts);
    await regtarDone(words(parts, expected));
    const isUnderWay = (path: string): boolean =>
      filesUnderWay(path).some((name) => name.endsWith('-0002.tar.tmp') && statSize(name) > 300_000);
    const out = newOut(parts);
    await (await startStalled(words(parts, out), () => isUnderWay(dirname(out)))).kill();
    const [first = ''] = files(dirname(out)).filter((name) => name.includes('-0001.tar'));
    damage(first, 3_000_000);
    await regtarDone([...words(parts, out), '--resume']);
    expect(snapshot(dirname(out))).toEqual(snapshot(dirname(expected)));
  });
});

describe.each(folders)('$title', (subject) => {
  it('keeps what is right and writes what has the right size only again', async () => {
    const out = newOut(subject);
    await killedInTheMiddle(subject, out);
    const blobs = files(out).filter((name) => statSync(name).size > 1_000 && !name.includes('.regtar'));
    expect(blobs.length).toBeGreaterThan(2);
    const [first = '', second = ''] = blobs;
    damage(first, 10);
    damage(second, 500);
    await regtarDone([...words(subject, out), '--resume']);
    expect(snapshot(out)).toEqual(whole.get(subject));
    expect(unfinished(out)).toEqual([]);
  });
});

describe('where there is nothing to go on with', () => {
  it('is said, so that nothing is begun under the mount point of a medium that is not mounted', async () => {
    const made = temporaryFolder();
    onTestFinished(() => made.remove());
    mkdirSync(made.file('mnt'));
    for (const [out, ...flags] of [
      [made.file('mnt')],
      [made.file('mnt/out')],
      [made.file('mnt/out.tar')],
      [made.file('mnt'), '--format', 'registry', '--volume-size', '1MB'],
    ] as const) {
      const { code, stderr } = await regtar(['export', fixturePath, out, '--resume', ...flags]);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/there is none at .*\nhint: is the medium mounted/)]);
    }
    expect(readdirSync(made.file('mnt'))).toEqual([]);
    const stream = await regtar(['export', fixturePath, '-', '--resume']);
    expect([stream.code, stream.stderr]).toEqual([2, expect.stringContaining('OUT is a stream')]);
  });
});

describe.runIf(process.getuid?.() === 0).each([...folders.slice(0, 1), ...archives.slice(0, 1), ...archives.slice(2)])(
  '$title, on a medium of its own',
  (subject) => {
    it('stops when it is pulled out, leaves the disk beneath alone, and goes on when it is back', async () => {
      const made = temporaryFolder();
      const [medium, mount] = [made.file('medium'), made.file('mount')];
      for (const each of [medium, mount]) mkdirSync(each);
      onTestFinished(async () => {
        for (const each of [mount, medium]) await run('umount', ['-l', each], { allowFailure: true });
        made.remove();
      });
      await run('mount', ['-t', 'tmpfs', '-o', 'size=80m', 'regtar-test', medium]);
      const plugIn = () => run('mount', ['--bind', medium, mount]);
      await plugIn();
      // The mount point itself is OUT where that is a folder: beneath it lies an empty one.
      const out = subject.out.endsWith('.tar') ? join(mount, subject.out) : mount;
      const running = await stalledInTheMiddle(subject, out);
      await run('umount', ['-l', mount]);
      const { code, stderr } = await running.goOn();
      expect([code, stderr]).toEqual([1, expect.stringContaining('OUTPUT_UNWRITABLE')]);
      expect(stderr).toContain('with --resume');
      expect(readdirSync(mount)).toEqual([]);
      await plugIn();
      await regtarDone([...words(subject, out), '--resume']);
      expect(snapshot(out)).toEqual(whole.get(subject));
      expect(existsSync(out) && unfinished(mount)).toEqual([]);
    });
  },
);

describe.runIf(process.getuid?.() === 0)('a medium that is full', () => {
  it('in the middle of the second volume is named, and --resume goes on when there is room', async () => {
    const [, , subject] = archives;
    if (subject === undefined) throw new Error('no volumes');
    const made = temporaryFolder();
    const medium = made.file('medium');
    mkdirSync(medium);
    onTestFinished(async () => {
      await run('umount', ['-l', medium], { allowFailure: true });
      made.remove();
    });
    await run('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'regtar-test', medium]);
    const out = join(medium, 'out');
    const running = await startStalled(words(subject, out), () =>
      filesUnderWay(medium).some((name) => name.includes('.regtar-volume-02') && statSize(name) > 300_000),
    );
    // Somebody else takes what is left of it.
    const other = join(medium, 'other');
    await run('sh', ['-c', `cat /dev/zero > ${other}`], { allowFailure: true });
    const { code, stderr } = await running.goOn();
    expect([code, stderr]).toEqual([1, expect.stringMatching(/OUTPUT_FULL: .*volume-02-of-/)]);
    expect(files(medium).filter((name) => /\/volume-/.test(name))).toEqual([join(out, 'volume-01-of-04.tar')]);
    rmSync(other);
    const again = await regtarDone([...words(subject, out), '--resume']);
    expect(again.stderr).toMatch(/volume-01-of-04\.tar: .* were already there and are right/);
    expect(snapshot(out)).toEqual(whole.get(subject));
    expect(unfinished(medium)).toEqual([]);
  });
});

describe('where volumes do not go', () => {
  it('volumes in a bucket are refused before anything is asked', async () => {
    const bucket = ['s3://bucket-name/prefix', '--format', 'registry', '--s3-endpoint', 'http://127.0.0.1:9'];
    const { code, stderr } = await regtar(['export', fixturePath, ...bucket, '--volume-size', '1MB'], {
      env: { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' },
    });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/USAGE: .*s3:.*\nhint: name a folder/)]);
  });

  it('volumes that are read are never written', async () => {
    const made = temporaryFolder();
    onTestFinished(() => made.remove());
    const set = made.file('set');
    const flags = ['--format', 'registry', '--volume-size', '200kB'];
    await regtarDone(['export', fixturePath, set, ...flags]);
    const before = snapshot(set);
    const first = join(set, readdirSync(set).sort()[0] ?? '');
    for (const words of [
      [set, set],
      [set, set, '--force'],
      [set, set, '--resume'],
      [first, join(set, 'inside'), '--source', set],
    ]) {
      const { code, stderr } = await regtar(['export', ...words, ...flags]);
      expect([code, stderr]).toEqual([2, expect.stringContaining('OUTPUT_IS_SOURCE')]);
    }
    expect(snapshot(set)).toEqual(before);
  });
});
