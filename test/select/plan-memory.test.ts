import { afterAll, expect, it } from 'vitest';
import type { ImageSink } from '../../src/content/contracts.ts';
import { copyImages } from '../../src/copy/copy-images.ts';
import { registryTraits } from '../../src/formats/registry/traits.ts';
import { createFilter } from '../../src/select/filter.ts';
import { createPlan } from '../../src/select/create-plan.ts';
import type { Plan } from '../../src/select/plan.ts';
import { generateBackup } from '../support/generate-backup.ts';
import { liveBytes } from '../support/live-bytes.ts';
import { openPath, type OpenedStorage } from '../support/open-storage.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const images = 1000;
/** Until everything is compiled, and what is made once is made. */
const firstRounds = 4;
const rounds = 12;

const planOf = ({ catalog, store }: OpenedStorage): Plan =>
  createPlan(catalog, store, {
    filter: createFilter({}),
    rename: (repository) => repository,
    traits: { ...registryTraits, parallelBlobs: 1 },
  });

const presentSink: ImageSink = {
  traits: { ...registryTraits, parallelBlobs: 1 },
  describe: ({ repository, tag }) => `here/${repository}:${tag ?? ''}`,
  begin: async () => 'present',
  finish: async () => undefined,
  close: async () => undefined,
};

/** What one more image costs while `make` is repeated and everything that it makes is kept. */
async function bytesPerImage(make: () => unknown): Promise<number> {
  const held: unknown[] = [];
  let before = 0;
  for (let round = 0; round < firstRounds + rounds; round++) {
    if (round === firstRounds) before = await liveBytes();
    held.push(await make());
  }
  const bytes = (await liveBytes()) - before;
  expect(held).toHaveLength(firstRounds + rounds);
  return bytes / (rounds * images);
}

it('a hundred thousand images fit: a plan holds few bytes for each, and what became of it fewer', async () => {
  const { file } = generateBackup(
    { images, repositories: 50, bytes: 1_000_000, baseImages: 10, largestLayer: 2000, smallestLayer: 40 },
    folder.path,
  );
  const opened = await openPath(file);
  expect(await bytesPerImage(() => planOf(opened))).toBeLessThan(600);
  const plan = planOf(opened);
  expect(await bytesPerImage(() => copyImages(plan, opened.store, presentSink, { jobs: 2 }))).toBeLessThan(200);
});
