import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRandomAccess, type RandomAccess } from '../../src/io/random-access.ts';
import { scanTar } from '../../src/tar/scan.ts';
import { archive, file, header } from '../support/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const path = folder.file('large.tar');
afterAll(() => folder.remove());

/** The same in memory: what is not in a piece is zeros. */
const pieces: { readonly position: number; readonly bytes: Buffer }[] = [];

/** An archive of 2.4 GB which takes no room: bodies of 200 MB are holes, thousands of small members lie between. */
beforeAll(() => {
  const descriptor = openSync(path, 'w');
  let position = 0;
  for (let part = 0; part < 12; part++) {
    const small = archive(
      Array.from({ length: 600 }, (_, number) =>
        file(`${'folder/'.repeat(20)}${part}/${number}`, Buffer.alloc(70, 'x')),
      ),
      { endBlocks: 0 },
    );
    const body = 200_000_512;
    const bytes = Buffer.concat([small, header({ path: `big/${part}`, size: body })]);
    pieces.push({ position, bytes });
    writeSync(descriptor, bytes, 0, bytes.length, position);
    position += bytes.length + Math.ceil(body / 512) * 512;
  }
  ftruncateSync(descriptor, position + 1024);
  closeSync(descriptor);
});

async function scanned(
  access: RandomAccess,
): Promise<{ readonly paths: readonly string[]; readonly problems: unknown }> {
  const paths: string[] = [];
  const problems = await scanTar(access, (member) => void paths.push(`${member.path} ${member.size} ${member.start}`));
  access.close();
  return { paths, problems };
}

/** As a medium on which every read takes a while. */
function slow(access: RandomAccess, asked: { count: number }): RandomAccess {
  const wait = new Int32Array(new SharedArrayBuffer(4));
  return {
    ...access,
    readSync: (...place) => {
      Atomics.wait(wait, 0, 0, 0.2);
      return access.readSync(...place);
    },
    ranges: (...place) => {
      asked.count++;
      return access.ranges?.(...place) ?? [];
    },
  };
}

describe('readers that go ahead of the scan', () => {
  it('are started on a slow medium, change nothing of what the scan sees, and end with it', async () => {
    const expected = await scanned(openRandomAccess(path));
    expect(expected.paths.length).toBeGreaterThan(7000);
    const asked = { count: 0 };
    expect(await scanned(slow(openRandomAccess(path), asked))).toEqual(expected);
    expect(asked.count).toBe(1);
    await expect.poll(() => process.getActiveResourcesInfo().filter((name) => name.includes('Worker'))).toEqual([]);
  });

  it('are not started where reads are served from memory', async () => {
    const asked = { count: 0 };
    const plain = openRandomAccess(path);
    const readSync = (buffer: Uint8Array, offset: number, length: number, position: number): number => {
      const count = Math.min(length, plain.size - position);
      buffer.fill(0, offset, offset + count);
      const piece = pieces.findLast((candidate) => candidate.position <= position);
      if (piece !== undefined)
        buffer.set(piece.bytes.subarray(position - piece.position, position - piece.position + count), offset);
      return count;
    };
    const expected = await scanned(openRandomAccess(path));
    expect(await scanned({ ...plain, readSync, ranges: () => ((asked.count += 1), []) })).toEqual(expected);
    expect(asked.count).toBe(0);
  });

  it('are not started for a small archive', async () => {
    const asked = { count: 0 };
    await scanned(slow({ ...openRandomAccess(path), size: 200_000_000 }, asked));
    expect(asked.count).toBe(0);
  });
});
