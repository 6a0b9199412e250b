import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRing } from '../../src/io/ring.ts';
import type { Entry } from '../../src/source/backup.ts';
import type { FarObject } from '../../src/source/far/far-object.ts';
import { scanParts } from '../../src/source/far/scan-parts.ts';
import { scanTar } from '../../src/tar/scan.ts';
import { archive, directory, file, hardLink, paxGlobal, symlink } from '../support/tar-builder.ts';
import { memoryAccess } from '../tar/support/memory-access.ts';

const component = fc.stringMatching(/^[a-z0-9_é-]{1,50}$/);
const path = fc.array(component, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
const dialect = fc.constantFrom('gnu' as const, 'pax' as const);
const body = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc.constantFrom(Buffer.from('{"a":1}'), Buffer.alloc(20_000, 123), Buffer.alloc(70_000, 7)),
);
const member = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(path, body, dialect).map(([name, bytes, how]) => file(name, bytes, { dialect: how })),
  },
  { weight: 2, arbitrary: fc.tuple(path, dialect).map(([name, how]) => directory(name, { dialect: how })) },
  {
    weight: 2,
    arbitrary: fc.tuple(path, path, dialect).map(([name, to, how]) => hardLink(name, to, { dialect: how })),
  },
  { weight: 1, arbitrary: fc.tuple(path, path).map(([name, to]) => symlink(name, to)) },
  // A layer may hold a tar itself: a guess may land in it.
  { weight: 2, arbitrary: fc.tuple(path, path).map(([name, inner]) => file(name, nested(inner))) },
  { weight: 1, arbitrary: fc.constant(Buffer.alloc(512)) },
  { weight: 1, arbitrary: fc.constant(Buffer.alloc(1024, 'rubbish')) },
  { weight: 1, arbitrary: fc.constant(paxGlobal({ path: 'named/by/all' })) },
);

function nested(name: string): Buffer {
  return archive(Array.from({ length: 6 }, (_, index) => file(`${name}-${index}`, Buffer.alloc(700, index))));
}

describe('several scans side by side', () => {
  it('see the members, their order and the problems that one scan sees', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(member, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 600, max: 9000 }),
        fc.boolean(),
        async (members, partBytes, isCut) => {
          const whole = archive(members);
          const bytes = isCut ? whole.subarray(0, Math.floor(whole.length * 0.7)) : whole;
          const expected: string[] = [];
          const problems = await scanTar(memoryAccess(bytes), (one) => void expected.push(lineOf(one)));
          const seen: string[] = [];
          const found = await scanParts(objectOf(bytes), (entry) => void seen.push(entryLine(entry)), {
            connections: 4,
            partBytes,
            bytesWanted: ({ size, kind, runs }) => (kind === 'file' && runs === undefined && size <= 1024 ? size : 0),
            meet: () => undefined,
          });
          expect(seen).toEqual(expected);
          expect(found).toEqual(problems);
        },
      ),
      { numRuns: 150 },
    );
  });
});

it('a tar with all of its members in one corner keeps every connection busy to the end', async () => {
  const large = Array.from({ length: 16 }, (_, index) => file(`large-${index}`, Buffer.alloc(1024 * 1024, 1)));
  const small = Array.from({ length: 800 }, (_, index) => file(`small-${index}`, Buffer.alloc(16_000, 2)));
  const bytes = archive([...large, ...small]);
  const connections = 8;
  const whole = objectOf(bytes);
  const waiting: (() => void)[] = [];
  let requests = 0;
  let rounds = 0;
  let asked = 0;
  // Every answer takes one round, as from a server that is far away.
  const inRounds: FarObject = {
    ...whole,
    async fetch(start, size) {
      requests++;
      asked += size;
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 1) setImmediate(endRound);
      });
      return whole.fetch(start, size);
    },
  };
  const endRound = (): void => {
    rounds++;
    for (const answer of waiting.splice(0, connections)) answer();
    if (waiting.length > 0) setImmediate(endRound);
  };
  let members = 0;
  await scanParts(inRounds, () => void members++, {
    connections,
    partBytes: 256 * 1024,
    bytesWanted: () => 0,
    meet: () => undefined,
  });
  expect(members).toBe(816);
  expect(requests).toBeGreaterThan(800);
  // One after the other they would be as many as there are requests; a busy machine leaves some rounds half empty.
  expect(rounds).toBeLessThan(requests / 2);
  expect(asked).toBeLessThan(bytes.length);
});

function lineOf(one: {
  kind: string;
  path: string;
  target: string;
  size: number;
  start: number;
  bytes: Uint8Array | undefined;
}): string {
  return [
    one.kind,
    one.path,
    one.target,
    one.size,
    one.start,
    one.bytes && Buffer.from(one.bytes).toString('hex'),
  ].join(' ');
}

function entryLine({ kind, path: name, target, location, bytes }: Entry): string {
  return lineOf({ kind, path: name, target, size: location.size, start: location.start, bytes });
}

function objectOf(bytes: Uint8Array): FarObject {
  const part = (start: number, size: number): Uint8Array => Uint8Array.prototype.slice.call(bytes, start, start + size);
  return {
    describe: 'memory',
    size: bytes.length,
    version: '"1"',
    start: part(0, 700),
    fetch: async (start, size) => part(start, size),
    async *read(start, size) {
      const buffer = createRing().take(size);
      buffer.set(part(start, size));
      yield buffer;
    },
    close: async () => undefined,
  };
}
