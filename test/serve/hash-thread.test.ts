import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { createBuffers } from '../../src/serve/buffers.ts';
import { checkBlobs } from '../../src/serve/checked-blobs.ts';
import { createHashThread, type ThreadHash } from '../../src/serve/hash-thread.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { openStorage, serveStorage, ask } from './support/serve-storage.ts';

const begin = (thread = createHashThread(2)): ThreadHash => {
  const hash = thread.begin('sha256');
  if (hash === undefined) throw new Error('no thread');
  return hash;
};

describe('a thread that hashes', () => {
  it('tells hashes that are under way apart, and forgets what is dropped', async () => {
    const thread = createHashThread(2);
    const [one, dropped, two] = [begin(thread), begin(thread), begin(thread)];
    const shared = new Uint8Array(new SharedArrayBuffer(3)).fill(1);
    await Promise.all([one.update(shared), dropped.update(shared), two.update(Buffer.from('two')), one.update(shared)]);
    dropped.drop();
    expect(await Promise.all([two.digest(), one.digest()])).toEqual([
      digestOf(Buffer.from('two')),
      digestOf(new Uint8Array(6).fill(1)),
    ]);
    expect(await begin(thread).digest()).toBe(digestOf(new Uint8Array()));
  });

  it('keeps no program from ending', async () => {
    const ports = (): number => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
    const before = ports();
    await begin().digest();
    expect(ports()).toBe(before);
  });

  it('is not started where there is one processor', () => {
    expect(createHashThread(1).begin('sha256')).toBeUndefined();
  });
});

describe('a big blob', () => {
  const bytes = randomBytes(17 * 2 ** 20 + 3);
  const storage = buildStorage((s) => s.blob(bytes, 'a'));

  it('comes to the byte, hashed or not, by one client or several', async () => {
    const { url } = await serveStorage(storage);
    for (const count of [3, 1]) {
      const answers = await Promise.all(Array.from({ length: count }, () => ask(url, `/v2/a/blobs/${storage.built}`)));
      for (const { status, body } of answers) expect([status, body.equals(bytes)]).toEqual([200, true]);
    }
  });

  it('leaves nothing behind where its reader goes away, and is hashed for the next', async () => {
    const opened = await openStorage(storage);
    const steps: string[] = [];
    const thread = createHashThread(2);
    const blobs = checkBlobs(opened.store, {
      hashThread: {
        begin(algorithm) {
          const hash = thread.begin(algorithm);
          if (hash === undefined) return undefined;
          return {
            ...hash,
            digest: () => (steps.push('digest'), hash.digest()),
            drop: () => (steps.push('drop'), hash.drop()),
          };
        },
      },
    });
    const piece = { digest: storage.built, start: 0, end: bytes.length };
    const read = (most: number): Promise<number> =>
      createBuffers().lend(bytes.length, async (buffer) => {
        let sent = 0;
        for await (const chunk of blobs.open(piece, buffer)) if ((sent += chunk.length) >= most) break;
        return sent;
      });
    await read(1);
    expect(await read(Infinity)).toBe(bytes.length);
    // It was right once.
    await read(Infinity);
    expect(steps).toEqual(['drop', 'digest']);
    await opened.close();
  });
});

describe('buffers', () => {
  it('are large for the first sixteen readers of big bodies, and small for all others', async () => {
    const { lend } = createBuffers();
    const sizes: number[] = [];
    const reading: (() => void)[] = [];
    const readers = Array.from({ length: 20 }, () =>
      lend(2 ** 30, async ({ ring }) => {
        sizes.push(ring(2 ** 30).take(2 ** 30).length);
        await new Promise<void>((resolve) => reading.push(resolve));
      }),
    );
    const kib = 1024;
    expect(sizes).toEqual([...Array<number>(16).fill(1024 * kib), ...Array<number>(4).fill(128 * kib)]);
    for (const end of reading) end();
    await Promise.all(readers);
    const again = (bytes: number): Promise<number> => lend(bytes, async ({ ring }) => ring(bytes).take(2 ** 30).length);
    expect([await again(2 ** 30), await again(2 ** 20 - 1)]).toEqual([1024 * kib, 128 * kib]);
  });
});
