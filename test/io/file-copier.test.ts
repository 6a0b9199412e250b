import { closeSync, existsSync, fstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
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

const range = (start: number, size: number): FileRange => ({ path: source, start, size });

describe('copying stretches of files in threads', () => {
  it('makes the file, tells its bytes and gives a descriptor that is open', async () => {
    let told = 0;
    const stored = { ranges: [range(5, 2_500_000)], digest: digestOf(bytes.subarray(5, 2_500_005)) };
    const file = await copier.copy(stored, target, { onBytes: (count) => void (told += count) });
    expect(fstatSync(file ?? -1).size).toBe(2_500_000);
    closeSync(file ?? -1);
    expect(readFileSync(target).equals(bytes.subarray(5, 2_500_005))).toBe(true);
    expect(told).toBe(2_500_000);
  });

  it('joins what lies in pieces, for many files side by side', async () => {
    const whole = Buffer.concat([bytes.subarray(9, 900_009), bytes.subarray(0, 50_000)]);
    const stored = { ranges: [range(9, 900_000), range(0, 50_000)], digest: digestOf(whole) };
    await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const file = await copier.copy(stored, `${target}-${index}`, {});
        closeSync(file ?? -1);
        expect(readFileSync(`${target}-${index}`).equals(whole)).toBe(true);
      }),
    );
  });

  it('keeps nothing of bytes that are not right, cannot be read or cannot be written, and takes back what it told', async () => {
    let told = 0;
    const onBytes = (count: number): void => void (told += count);
    const right = digestOf(bytes);
    const wrong = { ranges: [range(0, 2_999_999)], digest: right };
    const short = { ranges: [range(0, 3_000_001)], digest: right };
    const gone = { ranges: [{ ...range(0, 100_000), path: folder.file('nowhere') }], digest: right };
    for (const stored of [wrong, short, gone]) {
      expect(await copier.copy(stored, target, { onBytes })).toBeUndefined();
      expect(existsSync(target)).toBe(false);
    }
    mkdirSync(target);
    expect(await copier.copy({ ranges: [range(0, bytes.length)], digest: right }, target, { onBytes })).toBeUndefined();
    expect(told).toBe(0);
  });

  it('writes zeros as a hole', async () => {
    const zeros = folder.file('zeros');
    writeFileSync(zeros, Buffer.alloc(8_000_000));
    const ranges = [{ path: zeros, start: 0, size: 8_000_000 }];
    const file = await copier.copy({ ranges, digest: digestOf(Buffer.alloc(8_000_000)) }, target, {});
    const { size, blocks } = fstatSync(file ?? -1);
    closeSync(file ?? -1);
    expect(size).toBe(8_000_000);
    expect(blocks * 512).toBeLessThan(1_000_000);
  });

  it('ends by the signal’s reason', async () => {
    const stop = new AbortController();
    const copied = copier.copy({ ranges: [range(0, bytes.length)], digest: digestOf(bytes) }, target, {
      signal: stop.signal,
    });
    stop.abort(new Error('enough'));
    await expect(copied).rejects.toThrow('enough');
  });

  it('is no longer of use when it is closed, also for what is under way', async () => {
    const stored = { ranges: [range(0, bytes.length)], digest: digestOf(bytes) };
    const copied = copier.copy(stored, target, {});
    await copier.close();
    expect(await copied).toBeUndefined();
    expect(await copier.copy(stored, target, {})).toBeUndefined();
  });

  it('starts no thread for a little', async () => {
    const idle = createFileCopier({ threadsFromBytes: 10_000_000 });
    expect(await idle.copy({ ranges: [range(0, bytes.length)], digest: digestOf(bytes) }, target, {})).toBeUndefined();
    await idle.close();
  });
});
