import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyImages } from '../../src/copy/copy-images.ts';
import type { RegtarError } from '../../src/errors.ts';
import { ociArchive } from '../../src/formats/oci/archive.ts';
import { registryArchive } from '../../src/formats/registry/archive.ts';
import { planVolumes, type VolumePlan } from '../../src/formats/volumes/plan-volumes.ts';
import {
  formatSetFile,
  parseSetFile,
  setFileBytes,
  setId,
  type VolumeSet,
} from '../../src/formats/volumes/set-file.ts';
import { openVolumeSink } from '../../src/formats/volumes/volume-sink.ts';
import { readSource } from '../../src/formats/read-source.ts';
import { createFilter } from '../../src/select/filter.ts';
import { createPlan } from '../../src/select/create-plan.ts';
import { createRenamer } from '../../src/select/rename.ts';
import { openSource } from '../../src/source/open-source.ts';
import { verifyBackup } from '../../src/verify/verify.ts';
import { openTar } from '../support/open-storage.ts';
import { buildStorage } from '../support/storage-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { noise } from './suite.ts';

const traits = { schema1: true, indexes: true, artifacts: true };

/** Layers of 1 to 30 kB, of which some are shared, in repositories of one to four tags. */
const storages = fc
  .array(fc.array(fc.array(fc.nat(11), { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 7,
  })
  .map((repositories) =>
    buildStorage((s) =>
      repositories.forEach((tags, repository) =>
        tags.forEach(
          (layers, tag) =>
            void s.image(`team${repository % 2}/app-${repository}`, `v${tag}`, {
              layers: [...new Set(layers)].map((seed) => ({ bytes: noise(1_000 + seed * 2_600, seed) })),
            }),
        ),
      ),
    ),
  );

/** Images on volumes of some size, read back together. */
async function throughVolumes(storage: ReturnType<typeof buildStorage>, format: typeof registryArchive, size: number) {
  const { catalog, store } = await openTar(storage);
  const plan = createPlan(catalog, store, {
    filter: createFilter({}),
    rename: createRenamer({}),
    traits: { ...traits, parallelBlobs: 1 },
  });
  const volumes = tryPlan(() => planVolumes(plan.images, { format, size }));
  if (volumes === undefined) return undefined;
  const images = volumes.volumes.flatMap(({ images: own }) => own.map(({ target }) => target));
  const folder = temporaryFolder();
  try {
    const inOrder = images.map((target) => plan.images.find((image) => image.target === target) ?? plan.images[0]);
    const report = await copyImages(
      { ...plan, images: inOrder.filter((image) => image !== undefined) },
      store,
      openVolumeSink(volumes, store, traits, { out: folder.path }),
      { jobs: 4 },
    );
    expect(report.images.every(({ status }) => status === 'copied')).toBe(true);
    const files = readdirSync(folder.path).sort();
    expect(files).toEqual(volumes.volumes.map(({ name }) => name));
    for (const [index, file] of files.entries())
      expect(statSync(join(folder.path, file)).size).toBe(volumes.volumes[index]?.size);
    const backup = await openSource([folder.path]);
    const read = await readSource(backup);
    const verified = await verifyBackup(read);
    await backup.close();
    return { plan, volumes, read, verified };
  } finally {
    folder.remove();
  }
}

function tryPlan(plan: () => VolumePlan): VolumePlan | undefined {
  try {
    return plan();
  } catch (error) {
    expect((error as RegtarError).code).toBe('VOLUME_TOO_SMALL');
    return undefined;
  }
}

describe.each([
  ['registry', registryArchive],
  ['oci', ociArchive({})],
] as const)('volumes of %s', (_, format) => {
  it('of any size are not larger than that, hold each blob once, and together every image', async () => {
    await fc.assert(
      fc.asyncProperty(storages, fc.double({ min: 0, max: 1, noNaN: true }), async (storage, share) => {
        // From what holds hardly more than the list to one for everything.
        const bytes = Math.round(12_000 * 300 ** share);
        const result = await throughVolumes(storage, format, bytes);
        if (result === undefined) return;
        const { plan, volumes, read, verified } = result;
        for (const { size } of volumes.volumes) expect(size).toBeLessThanOrEqual(bytes);
        const blobs = volumes.volumes.flatMap(({ blobs: own }) => own.map(({ digest }) => digest));
        expect(new Set(blobs).size).toBe(blobs.length);
        expect(new Set(blobs)).toEqual(
          new Set(plan.images.flatMap(({ travelling }) => travelling.map((b) => b.digest))),
        );
        expect(verified.images).toEqual({ whole: plan.images.length, partial: 0, lost: 0 });
        expect(verified.sound).toBe(true);
        expect(read.notes).toEqual([]);
        // Everything that an image needs is on the volume of its name or on one before.
        for (const { volumes: where } of volumes.set.images) expect(where.at(-1)).toBe(Math.max(...where));
      }),
      { numRuns: 10 },
    );
  }, 120_000);
});

describe('set.json', () => {
  const set: VolumeSet = {
    format: 'registry',
    volumes: [
      { name: 'volume-01-of-02.tar', size: 5_000, images: 1, blobs: 2, bytes: 900 },
      { name: 'volume-02-of-02.tar', size: 6_000, images: 1, blobs: 1, bytes: 800 },
    ],
    images: [
      { repository: 'a', tag: '1', digest: digest('1'), bytes: 950, volumes: [1] },
      { repository: 'b', digest: digest('2'), bytes: 1_900, volumes: [1, 2] },
    ],
    shared: [{ digest: digest('3'), size: 450, volume: 1, repository: 'a' }],
  };
  const id = setId(set);
  const text = formatSetFile({ ...set, id, volume: 2, failed: [1], size: 5_500 }, 4_096)?.toString() ?? '';

  it('reads back what was written, however much room is left', () => {
    const expected = { ...set, id, volume: 2, failed: [1], size: 5_500 };
    expect(parseSetFile(Buffer.from(text))).toEqual(JSON.parse(JSON.stringify(expected)));
    expect(formatSetFile({ ...set, id, volume: 1, failed: [] }, setFileBytes(set))).toBeDefined();
    expect(formatSetFile({ ...set, id, volume: 1, failed: [] }, 300)).toBeUndefined();
  });

  it.each([
    ['another size', text.replace('"size":5000', '"size":5001')],
    ['another digest', text.replace('1111', '1112')],
    ['a name that climbs', text.replace('volume-01-of-02.tar', '../../../etc/passwd')],
    ['a name of another place', text.replace('volume-01-of-02.tar', 'volume-03-of-02.tar')],
    ['a volume that is not there', text.replace('"volumes":[1,2]', '"volumes":[1,9]')],
    ['no list', text.replace('"shared":[', '"shared":7,"other":[')],
    ['another id', text.replace(id, '0'.repeat(32))],
    ['a negative size', text.replace('"bytes":900', '"bytes":-9')],
  ])('is not believed with %s', (_, changed) => {
    expect(changed).not.toBe(text);
    expect(() => parseSetFile(Buffer.from(changed))).toThrow(/was changed/);
  });

  it('of another program is none', () => {
    for (const foreign of ['', 'no json', '{}', '[]', '{"regtarSet":2}', 'null'])
      expect(parseSetFile(Buffer.from(foreign))).toBeUndefined();
  });

  it('that was made to be harmful is refused without a crash', () => {
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 5 }), (at, put) => {
        try {
          parseSetFile(Buffer.from(text.slice(0, at) + put + text.slice(at + put.length)));
        } catch (error) {
          expect((error as RegtarError).code).toBe('SOURCE_UNREADABLE');
        }
      }),
      { numRuns: 300 },
    );
  });
});

function digest(digit: string): VolumeSet['images'][number]['digest'] {
  return `sha256:${digit.repeat(64)}` as VolumeSet['images'][number]['digest'];
}
