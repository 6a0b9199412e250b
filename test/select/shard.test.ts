import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chooseShard } from '../../src/cli/shard.ts';
import { shardOf } from '../../src/cli/declare/values.ts';
import { createFilter } from '../../src/select/filter.ts';
import { createPlan } from '../../src/select/create-plan.ts';
import { planTotals } from '../../src/select/plan-totals.ts';
import type { Plan } from '../../src/select/plan.ts';
import { createRenamer } from '../../src/select/rename.ts';
import { shardPlan } from '../../src/select/shard.ts';
import { openSource } from '../../src/source/open-source.ts';
import { readCatalog } from '../../src/formats/registry/catalog.ts';
import { openContentStore } from '../../src/formats/content-store.ts';
import { formatImageReference } from '../../src/oci/reference.ts';
import { inTransferOrder } from '../../src/copy/transfer-order.ts';
import { generateBackup } from '../support/generate-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

let plan: Plan;
beforeAll(async () => {
  const backup = await openSource([
    generateBackup({ name: 'sharded', images: 300, repositories: 60, bytes: 200_000_000, baseImages: 6 }, folder.path)
      .file,
  ]);
  const catalog = await readCatalog(backup);
  plan = createPlan(catalog, openContentStore(backup, catalog), {
    filter: createFilter({}),
    rename: createRenamer({ prefix: 'moved' }),
    traits: { schema1: false, indexes: true, artifacts: true, parallelBlobs: 8 },
    wanted: new Set(['gone:v1', 'lost/too:v2']),
  });
  await backup.close();
});

const namesOf = ({ images, refused }: Plan): string[] =>
  [...images, ...refused].map(({ source }) => formatImageReference(source));
const parts = (whole: Plan, count: number, isShared: boolean): Plan[] =>
  Array.from({ length: count }, (_, index) => shardPlan(whole, { index: index + 1, count }, { isShared }));

describe('shards of a plan', () => {
  it.each([1, 2, 3, 7, 60, 100])(
    '%i of them hold every image once, refused ones too, and never split a repository',
    (count) => {
      for (const isShared of [true, false]) {
        const shards = parts(plan, count, isShared);
        expect(shards.flatMap(namesOf).sort()).toEqual(namesOf(plan).sort());
        const homes = new Map<string, number>();
        shards.forEach(({ images }, index) => {
          for (const { target } of images) {
            expect(homes.get(target.repository) ?? index).toBe(index);
            homes.set(target.repository, index);
          }
        });
      }
    },
  );

  it('are the same whatever order a machine has read things in', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.shuffledSubarray([...plan.images], { minLength: plan.images.length }),
        fc.boolean(),
        (count, images, isShared) => {
          const shuffled = parts({ ...plan, images }, count, isShared);
          expect(shuffled.map((each) => namesOf(each).sort())).toEqual(
            parts(plan, count, isShared).map((each) => namesOf(each).sort()),
          );
        },
      ),
      { numRuns: 20 },
    );
  });

  it.each([2, 3, 5])('%i of them bring nearly as many bytes each', (count) => {
    for (const isShared of [true, false]) {
      const bytes = parts(plan, count, isShared).map(
        ({ images, elsewhere }) =>
          planTotals(images).bytes -
          [...(elsewhere?.keys() ?? [])].reduce(
            (sum, digest) =>
              sum + (images.flatMap(({ target }) => target.blobs).find((blob) => blob.digest === digest)?.size ?? 0),
            0,
          ),
      );
      const mean = bytes.reduce((sum, each) => sum + each, 0) / count;
      for (const each of bytes) expect(Math.abs(each - mean) / mean).toBeLessThan(0.15);
    }
  });

  it('of one registry bring each shared blob once: one has it, the others know where', () => {
    const shards = parts(plan, 3, true);
    const bringers = new Map<string, number>();
    for (const { images, elsewhere } of shards) {
      for (const digest of new Set(images.flatMap(({ target }) => target.blobs.map((blob) => blob.digest))))
        if (elsewhere?.has(digest) !== true) bringers.set(digest, (bringers.get(digest) ?? 0) + 1);
    }
    expect(new Set(bringers.values())).toEqual(new Set([1]));
    const repositories = shards.map(({ images }) => new Set(images.map(({ target }) => target.repository)));
    let shared = 0;
    shards.forEach(({ elsewhere }, index) => {
      for (const [digest, repository] of elsewhere ?? []) {
        shared++;
        const home = repositories.findIndex((each) => each.has(repository));
        expect(home).not.toBe(index);
        expect(shards[home]?.awaited?.has(digest)).toBe(true);
      }
    });
    expect(shared).toBeGreaterThan(5);
  });

  it('begin with what others wait for, and end with what they wait for themselves', () => {
    for (const shard of parts(plan, 3, true)) {
      const order = inTransferOrder(shard).flatMap((index) => shard.images[index] ?? []);
      const waits = order.map(({ target }) => target.blobs.some(({ digest }) => shard.elsewhere?.has(digest)));
      expect(waits.indexOf(true) < 0 || waits.slice(waits.indexOf(true)).every(Boolean)).toBe(true);
      if (!waits[0]) expect(order[0]?.target.blobs.some(({ digest }) => shard.awaited?.has(digest))).toBe(true);
    }
  });

  it('of folders know nothing of each other: each output is whole', () => {
    for (const { elsewhere, awaited } of parts(plan, 3, false))
      expect([elsewhere, awaited]).toEqual([undefined, undefined]);
  });
});

describe('--shard', () => {
  it('takes i/n, or n with the index of a Kubernetes Indexed Job, which counts from 0', () => {
    expect(chooseShard(shardOf('2/8'), {})).toEqual({ index: 2, count: 8 });
    expect(chooseShard(shardOf('8'), { JOB_COMPLETION_INDEX: '0' })).toEqual({ index: 1, count: 8 });
    expect(chooseShard(shardOf('8'), { JOB_COMPLETION_INDEX: '7' })).toEqual({ index: 8, count: 8 });
    expect(chooseShard(shardOf('2/8'), { JOB_COMPLETION_INDEX: '5' })).toEqual({ index: 2, count: 8 });
    expect(chooseShard(undefined, { JOB_COMPLETION_INDEX: '5' })).toBeUndefined();
  });

  it.each(['0/3', '4/3', '1/0', '0', 'a/b', '1/3/5', '-1/3', ''])('refuses "%s"', (text) => {
    expect(() => shardOf(text)).toThrow(/a part of the whole such as 1\/8/);
  });

  it.each([undefined, '8', 'x', ''])('refuses n alone where JOB_COMPLETION_INDEX is %j', (index) => {
    expect(() => chooseShard(shardOf('8'), { JOB_COMPLETION_INDEX: index })).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('JOB_COMPLETION_INDEX') as string }),
    );
  });
});
