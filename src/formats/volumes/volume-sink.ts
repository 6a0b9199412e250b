import { join } from 'node:path';
import type {
  ContentStore,
  ImageSink,
  ImageTarget,
  ImageWriter,
  SinkTraits,
  WriteOptions,
} from '../../content/contracts.ts';
import { readVerified } from '../../content/hollow.ts';
import { targetKey, targetName } from '../../content/target-name.ts';
import { codeFacts, RegtarError, toRegtarError } from '../../errors.ts';
import type { OwnerIds } from '../../io/output-folder.ts';
import { formatBytes } from '../../io/sizes.ts';
import { noticeVanished } from '../../io/watched-folder.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { compareCodePoints } from '../../oci/reference.ts';
import { encodeMemberHeader } from '../../tar/write-header.ts';
import { startArchive, type ArchiveWriter } from '../archive/archive-writer.ts';
import { createPrefetchRings, type PutBlob } from '../archive/prefetch-blobs.ts';
import { lazySink, type OpenedSink } from '../lazy-sink.ts';
import { createFailedImages } from './failed-images.ts';
import { setFileOf, withSetFile, type PlannedVolume, type VolumePlan } from './plan-volumes.ts';
import { setFileName } from './set-file.ts';
import { openVolumeOutput } from './volume-output.ts';

/** Where and how a set is written. */
export interface VolumeSinkOptions {
  /** A folder; what else lies in it is left alone. */
  readonly out: string;
  /** Replaces the volumes that regtar wrote there before. @defaultValue false */
  readonly force?: boolean | undefined;
  readonly owner?: OwnerIds | undefined;
  /** Goes on within the volume that was being written, and proves those that are complete. @defaultValue false */
  readonly resume?: boolean | undefined;
  /** Places of the volumes that are written, from 0; images that are called by others are not put. @defaultValue all */
  readonly only?: ReadonlySet<number> | undefined;
}

/**
 * Writes a set of volumes, one after the other. Images come in the order of the plan's volumes, one at a time: a volume
 * is complete, and gets its name, when an image of a later one comes.
 * @param store gives what lies on an earlier volume than its image
 * @throws RegtarError OUTPUT_FOREIGN, OUTPUT_BUSY, OUTPUT_FULL, OUTPUT_UNWRITABLE
 */
export function openVolumeSink(
  plan: VolumePlan,
  store: Pick<ContentStore, 'open' | 'stat'>,
  traits: Omit<SinkTraits, 'parallelBlobs'>,
  options: VolumeSinkOptions,
): ImageSink {
  const homes = new Map<string, number>();
  plan.volumes.forEach(({ images }, index) => images.forEach(({ target }) => homes.set(targetKey(target), index)));
  const describe = (target: ImageTarget): string =>
    `${plan.format.name}:${join(options.out, plan.volumes[homes.get(targetKey(target)) ?? 0]?.name ?? '')}:` +
    targetName(target);
  return lazySink({ traits: { ...traits, parallelBlobs: 1 }, describe }, () =>
    startVolumes(plan, homes, createVolumeWriter(plan, homes, store, options.owner), options),
  );
}

/** A volume that is being written. */
interface OpenVolume {
  readonly index: number;
  readonly volume: PlannedVolume;
  readonly archive: ArchiveWriter;
}

/** One volume after the other, each begun when its first image comes. */
function startVolumes(
  plan: VolumePlan,
  homes: ReadonlyMap<string, number>,
  writer: VolumeWriter,
  { out, force = false, owner, resume = false, only }: VolumeSinkOptions,
): OpenedSink {
  const folder = openVolumeOutput(out, plan, { force, resume });
  const rings = createPrefetchRings();
  const { failed } = writer;
  let next = 0;
  let current: OpenVolume | undefined;
  let unfinished: OpenVolume | undefined;
  let keepsUnfinished = resume;

  /** What a medium that is gone holds may come back with it. */
  const watchFailure = <Result>(work: Promise<Result>): Promise<Result> =>
    noticeVanished(work, () => void (keepsUnfinished = true));
  const begin = (index: number): OpenVolume | undefined => {
    const volume = plan.volumes[index];
    if (volume === undefined || only?.has(index) === false || folder.isDone(index)) return undefined;
    const setFile = setFileOf(plan, { volume: index + 1, failed: [] });
    const output = folder.openVolume(index, volume);
    return { index, volume, archive: startArchive(withSetFile(plan.format, setFile), output, owner, rings) };
  };
  /** Completes everything before a volume, and begins it. */
  const advanceTo = async (index: number, options: WriteOptions): Promise<void> => {
    while (next <= index) {
      const before = current;
      current = undefined;
      if (before !== undefined) {
        unfinished = before;
        await writer.complete(before, options);
        unfinished = undefined;
      }
      current = begin(next);
      next++;
    }
  };

  return {
    begin: async (target, options) => {
      const home = homes.get(targetKey(target)) ?? 0;
      await watchFailure(advanceTo(home, options));
      const place = failed.placeOf(target);
      const volumes = plan.set.images[place]?.volumes ?? [];
      if (volumes.some((number) => folder.isLeftOut(number - 1, place))) {
        failed.add(place);
        throw leftOut(target, plan.volumes[home]?.name ?? '');
      }
      if (current?.index !== home) return 'present';
      const image = writer.beginImage(target, current);
      return { ...image, commit: (commitOptions) => watchFailure(image.commit(commitOptions)) };
    },
    finish: async (options) => {
      await watchFailure(advanceTo(plan.volumes.length, options ?? {}));
    },
    close: async () => {
      const open = current ?? unfinished;
      current = undefined;
      unfinished = undefined;
      if (keepsUnfinished) await open?.archive.leave();
      else await open?.archive.discard();
      folder.release();
    },
    notes: () => writer.notes,
  };
}

type VolumeWriter = ReturnType<typeof createVolumeWriter>;

/** Fills volumes: with their own images, with what later volumes rely on, and with what their lists say in the end. */
function createVolumeWriter(
  plan: VolumePlan,
  homes: ReadonlyMap<string, number>,
  store: Pick<ContentStore, 'open' | 'stat'>,
  owner: OwnerIds | undefined,
) {
  const lastUse = lastUses(plan, homes);
  const failed = createFailedImages(plan);
  /** Written before the image that needs them: the first that asks is told so. */
  const ahead = new Set<Digest>();
  const notes: string[] = [];

  const writeAhead = async (
    archive: ArchiveWriter,
    blob: Descriptor,
    { signal, onBytes }: WriteOptions,
  ): Promise<void> => {
    const open: PutBlob['open'] = (_from, ring) => readVerified(store, blob, ring);
    try {
      await archive.writeAlone({ descriptor: blob, open, signal, onBytes });
      ahead.add(blob.digest);
    } catch (thrown) {
      const error = toRegtarError(thrown);
      if (codeFacts[error.code].ends === 'run' || error.side !== 'source') throw error;
      failed.addBlob(blob.digest, error);
    }
  };
  /** The list at the volume's beginning was written before anything could fail. */
  const amendList = async ({ index, volume, archive }: OpenVolume, size: number): Promise<void> => {
    if (size > volume.size) throw new RegtarError('INTERNAL', `${volume.name} has become larger than planned`);
    const lost = failed.on(index);
    if (lost.length === 0) return;
    const bytes = setFileOf(plan, { volume: index + 1, failed: lost, ...(size !== volume.size && { size }) });
    const header = encodeMemberHeader({ path: setFileName, kind: 'file', size: bytes.length, owner });
    await archive.amend(Buffer.concat([header, bytes]));
  };

  return {
    failed,
    notes,
    async complete(open: OpenVolume, options: WriteOptions): Promise<void> {
      const { index, volume, archive } = open;
      for (const blob of [...volume.blobs].sort((left, right) => compareCodePoints(left.digest, right.digest)))
        if ((lastUse.get(blob.digest) ?? 0) > index && !archive.has(blob.digest))
          await writeAhead(archive, blob, options);
      await archive.complete({ before: (size) => amendList(open, size) });
      if (archive.kept > 0) notes.push(`${volume.name}: ${formatBytes(archive.kept)} were already there and are right`);
    },
    beginImage(target: ImageTarget, { index, archive }: OpenVolume): ImageWriter {
      const blobs: PutBlob[] = [];
      const manifests: { descriptor: Descriptor; bytes: Uint8Array }[] = [];
      return {
        async putBlob(descriptor, open, { signal, onBytes }) {
          const { digest } = descriptor;
          const error = failed.errorOf(digest);
          if (error !== undefined) throw error;
          if (plan.volumeOf.get(digest) !== index) return ahead.delete(digest) ? 'written' : 'present';
          blobs.push({ descriptor, open, signal, onBytes });
          return archive.has(digest) ? 'present' : 'written';
        },
        async putManifest(descriptor, bytes) {
          manifests.push({ descriptor, bytes });
          return archive.has(descriptor.digest) ? 'present' : 'written';
        },
        async commit(options) {
          blobs.sort((left, right) => compareCodePoints(left.descriptor.digest, right.descriptor.digest));
          await archive.write({ target, manifests }, blobs, options);
          return 'written';
        },
        async abort() {
          failed.add(failed.placeOf(target));
        },
      };
    },
  };
}

/** The last volume whose images need a blob. */
function lastUses(plan: VolumePlan, homes: ReadonlyMap<string, number>): ReadonlyMap<Digest, number> {
  const uses = new Map<Digest, number>();
  for (const { images } of plan.volumes)
    for (const { target, travelling } of images) {
      const home = homes.get(targetKey(target)) ?? 0;
      for (const { digest } of travelling) uses.set(digest, Math.max(home, uses.get(digest) ?? 0));
    }
  return uses;
}

function leftOut(target: ImageTarget, volume: string): RegtarError {
  return new RegtarError(
    'BLOB_CORRUPT',
    `${targetName(target)} was left out when ${volume} was written: it was damaged in SOURCE`,
    { hint: 'repair SOURCE, then write the whole set again with --force' },
  );
}
