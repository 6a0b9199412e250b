import { existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewFile } from '../../src/io/copy-worker.ts';
import { createFileCopier, type FileCopier } from '../../src/io/file-copier.ts';
import type { FileRange } from '../../src/io/random-access.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const source = folder.file('source');
const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7919) % 251));
writeFileSync(source, bytes);
let copier: FileCopier;
let target: string;
let turn = 0;
beforeEach(() => {
  copier = createFileCopier({ threads: 2, threadsFromBytes: 0 });
  target = folder.file(`target-${turn++}`);
});
afterEach(() => copier.close());

const { uid, gid } = statSync(source);
const rights = { uid, gid, folder: 0o751, file: 0o640 };
const fileAt = (final: string): NewFile => ({ temporary: `${final}.tmp`, final, name: 'data', rights });

const range = (start: number, size: number): FileRange => ({ path: source, start, size });

describe('copying stretches of files in threads', () => {
  it('makes the file in its folder, with its rights, and tells its bytes', async () => {
    let told = 0;
    const stored = { ranges: [range(5, 2_500_000)], digest: digestOf(bytes.subarray(5, 2_500_005)) };
    const made = await copier.make(fileAt(target), stored, { onBytes: (count) => void (told += count) });
    const file = join(target, 'data');
    expect(made).toEqual({ inode: statSync(file).ino, isNamed: true });
    expect(readFileSync(file).equals(bytes.subarray(5, 2_500_005))).toBe(true);
    expect([statSync(target).mode & 0o7777, statSync(file).mode & 0o7777]).toEqual([0o751, 0o640]);
    expect(told).toBe(2_500_000);
    expect(existsSync(`${target}.tmp`)).toBe(false);
  });

  it('joins what lies in pieces, for many files side by side', async () => {
    const whole = Buffer.concat([bytes.subarray(9, 900_009), bytes.subarray(0, 50_000)]);
    const stored = { ranges: [range(9, 900_000), range(0, 50_000)], digest: digestOf(whole) };
    await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        await copier.make(fileAt(`${target}-${index}`), stored, {});
        expect(readFileSync(`${target}-${index}/data`).equals(whole)).toBe(true);
      }),
    );
  });

  it('leaves nothing of what is under way when a thread ends badly, so that the usual way can make it', async () => {
    const zeros = folder.file('zeros');
    writeFileSync(zeros, '');
    truncateSync(zeros, 2 ** 36);
    const threads: Worker[] = [];
    const note = (thread: Worker): void => void threads.push(thread);
    process.on('worker', note);
    const stored = { ranges: [{ path: zeros, start: 0, size: 2 ** 36 }], digest: digestOf(bytes) };
    let told = 0;
    const onBytes = (count: number): void => {
      told += count;
      if (told === count) threads[0]?.emit('error', new Error('it has ended'));
    };
    expect(await copier.make(fileAt(target), stored, { onBytes })).toBeUndefined();
    process.off('worker', note);
    expect([existsSync(`${target}.tmp`), told]).toEqual([false, 0]);
  });

  it('writes a few bytes, too', async () => {
    const few = Buffer.from([0, 1, 127, 128, 255]);
    expect(await copier.make(fileAt(target), few, {})).toMatchObject({ isNamed: true });
    expect(readFileSync(join(target, 'data')).equals(few)).toBe(true);
  });

  it('makes a small file after a large one, and leaves nothing of it where its folder holds something', async () => {
    const stored = { ranges: [range(0, bytes.length)], digest: digestOf(bytes) };
    const small = (name: string) => ({ file: fileAt(`${target}-${name}`), content: Buffer.from(name) });
    mkdirSync(`${target}-taken`);
    writeFileSync(`${target}-taken/data`, 'of another');
    const [first, second] = await Promise.all([
      copier.make(fileAt(`${target}-1`), stored, { next: small('free') }),
      copier.make(fileAt(`${target}-2`), stored, { next: small('taken') }),
    ]);
    expect(first).toMatchObject({ isNamed: true, next: statSync(`${target}-free/data`).ino });
    expect(readFileSync(`${target}-free/data`, 'utf8')).toBe('free');
    expect(second).toMatchObject({ isNamed: true, next: undefined });
    expect(readFileSync(`${target}-taken/data`, 'utf8')).toBe('of another');
    expect(existsSync(`${target}-taken.tmp`)).toBe(false);
  });

  it('replaces no folder that holds something', async () => {
    mkdirSync(target);
    writeFileSync(join(target, 'data'), 'of another');
    const made = await copier.make(fileAt(target), Buffer.from('ours'), {});
    expect(made).toMatchObject({ isNamed: false });
    expect(readFileSync(join(target, 'data'), 'utf8')).toBe('of another');
    expect(readFileSync(join(`${target}.tmp`, 'data'), 'utf8')).toBe('ours');
  });

  it('keeps nothing of bytes that are not right, cannot be read or cannot be written, and takes back what it told', async () => {
    let told = 0;
    const onBytes = (count: number): void => void (told += count);
    const right = digestOf(bytes);
    const wrong = { ranges: [range(0, 2_999_999)], digest: right };
    const short = { ranges: [range(0, 3_000_001)], digest: right };
    const gone = { ranges: [{ ...range(0, 100_000), path: folder.file('nowhere') }], digest: right };
    for (const stored of [wrong, short, gone]) {
      expect(await copier.make(fileAt(target), stored, { onBytes })).toBeUndefined();
      expect([existsSync(target), existsSync(`${target}.tmp`)]).toEqual([false, false]);
    }
    const nowhere = { ...fileAt(target), temporary: folder.file('no/folder') };
    const whole = { ranges: [range(0, bytes.length)], digest: right };
    expect(await copier.make(nowhere, whole, { onBytes })).toBeUndefined();
    expect(told).toBe(0);
  });

  it('writes zeros as a hole', async () => {
    const zeros = folder.file('zeros');
    writeFileSync(zeros, Buffer.alloc(8_000_000));
    const ranges = [{ path: zeros, start: 0, size: 8_000_000 }];
    await copier.make(fileAt(target), { ranges, digest: digestOf(Buffer.alloc(8_000_000)) }, {});
    const { size, blocks } = statSync(join(target, 'data'));
    expect(size).toBe(8_000_000);
    expect(blocks * 512).toBeLessThan(1_000_000);
  });

  it('ends by the signal’s reason', async () => {
    const stop = new AbortController();
    const copied = copier.make(
      fileAt(target),
      { ranges: [range(0, bytes.length)], digest: digestOf(bytes) },
      { signal: stop.signal },
    );
    stop.abort(new Error('enough'));
    await expect(copied).rejects.toThrow('enough');
  });

  it('is no longer of use when it is closed, also for what is under way', async () => {
    const stored = { ranges: [range(0, bytes.length)], digest: digestOf(bytes) };
    const copied = copier.make(fileAt(target), stored, {});
    await copier.close();
    expect(await copied).toBeUndefined();
    expect(await copier.make(fileAt(target), stored, {})).toBeUndefined();
  });

  it('starts threads for what is expected, and uses them as soon as they run', async () => {
    const early = createFileCopier({ threadsFromBytes: 10_000_000 });
    const stored = { ranges: [range(0, bytes.length)], digest: digestOf(bytes) };
    early.expect(1_000_000);
    expect(await early.make(fileAt(target), stored, {})).toBeUndefined();
    early.expect(10_000_000);
    await expect
      .poll(() => early.make(fileAt(target), Buffer.from('few'), {}), { timeout: 20_000 })
      .toMatchObject({ isNamed: true });
    await early.close();
  });

  it('starts no thread for a little', async () => {
    const idle = createFileCopier({ threadsFromBytes: 10_000_000 });
    const stored = { ranges: [range(0, bytes.length)], digest: digestOf(bytes) };
    expect(await idle.make(fileAt(target), stored, {})).toBeUndefined();
    await idle.close();
  });
});
