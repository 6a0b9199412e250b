import { targetKey, targetName } from '../../content/target-name.ts';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type {
  ContentStore,
  ImageSink,
  ImageTarget,
  ImageWriter,
  SinkTraits,
  WriteOptions,
} from '../../content/contracts.ts';
import { codeFacts, RegtarError, toRegtarError } from '../../errors.ts';
import { onOutput } from '../../io/output-error.ts';
import { lockOutput } from '../../io/output-lock.ts';
import type { OwnerIds } from '../../io/output-folder.ts';
import { createOutputParts } from '../../io/output-stream.ts';
import { requireRoom } from '../../io/require-room.ts';
import { verifiedBody } from '../../io/verify.ts';
import { noticeVanished, watchFolder } from '../../io/watched-folder.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { compareCodePoints, imageKey } from '../../oci/reference.ts';
import { encodeMemberHeader } from '../../tar/write-header.ts';
import { startArchivePart, type ArchivePart } from '../archive/part.ts';
import { createPrefetchRings, type PutBlob } from '../archive/prefetch-blobs.ts';
import { lazySink, type OpenedSink } from '../lazy-sink.ts';
import { findPresentVolumes, removeVolumes } from './present-volumes.ts';
import { setFileOf, withSetFile, type PlannedVolume, type VolumePlan } from './plan-volumes.ts';
import { setFileName, type SetFile } from './set-file.ts';
import { volumeFiles } from './volume-names.ts';

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
    startVolumes(plan, homes, store, options),
  );
}

/** A volume that is being written. */
interface OpenVolume {
  readonly index: number;
  readonly volume: PlannedVolume;
  readonly part: ArchivePart;
}

function startVolumes(
  plan: VolumePlan,
  homes: ReadonlyMap<string, number>,
  store: Pick<ContentStore, 'open' | 'stat'>,
  { out, force = false, owner, resume = false, only }: VolumeSinkOptions,
): OpenedSink {
  const folder = resolve(out);
  onOutput(folder, () => mkdirSync(folder, { recursive: true }));
  const watched = watchFolder(folder);
  const lock = lockOutput(join(folder, '.regtar-volumes.lock'), folder);
  let present: ReadonlyMap<number, SetFile>;
  try {
    if (force) removeVolumes(folder);
    present = findPresentVolumes(folder, plan);
  } catch (error) {
    lock.release();
    throw error;
  }
  const rings = createPrefetchRings();
  const lastUse = lastUses(plan, homes);
  const places = new Map(plan.set.images.map((image, index) => [imageKey(image), index]));
  const placeOf = (target: ImageTarget): number => places.get(targetKey(target)) ?? -1;
  const failed = new Set<number>();
  const lost = new Map<Digest, RegtarError>();
  /** Written before the image that needs them: the first that asks is told so. */
  const ahead = new Set<Digest>();
  const notes: string[] = [];
  let next = 0;
  let current: OpenVolume | undefined;
  let unfinished: OpenVolume | undefined;
  let keepUnfinished = resume;

  /** What a medium that is gone holds may come back with it. */
  const watchFailure = <Result>(work: Promise<Result>): Promise<Result> =>
    noticeVanished(work, () => void (keepUnfinished = true));
  const isWritten = (index: number): boolean =>
    index < plan.volumes.length && (only?.has(index) ?? true) && !isDone(index);
  const isDone = (index: number): boolean => !resume && present.has(index);
  const begin = (index: number): OpenVolume => {
    const volume = plan.volumes[index] as PlannedVolume;
    watched.requireSame();
    const files = volumeFiles(volume.name, volume.parts).map((name) => ({
      path: join(folder, name),
      temporary: join(folder, `.regtar-${name}.tmp`),
    }));
    if (resume && present.has(index)) {
      // It is gone through once more under its unfinished name: what is right is kept.
      for (const { path, temporary } of [...files].reverse())
        onOutput(path, () => existsSync(path) && renameSync(path, temporary));
    } else if (!resume) {
      for (const { temporary } of files) rmSync(temporary, { force: true });
      requireRoom(join(folder, volume.name), volume.size, {
        hint: 'write each volume to a medium of its own: --volumes says which are written',
      });
    }
    const output = createOutputParts(files, volume.parts === 1 ? Infinity : plan.size, {
      resume,
      requireSame: () => watched.requireSame(),
    });
    const setFile = setFileOf(plan, { volume: index + 1, failed: [] });
    return { index, volume, part: startArchivePart(withSetFile(plan.format, setFile), output, owner, rings) };
  };
  const complete = async ({ index, volume, part }: OpenVolume, options: WriteOptions): Promise<void> => {
    for (const blob of [...volume.blobs].sort((left, right) => compareCodePoints(left.digest, right.digest)))
      if ((lastUse.get(blob.digest) ?? 0) > index && !part.has(blob.digest)) await writeAhead(part, blob, options);
    const placesLost = [...failed].filter((place) => plan.set.images[place]?.volumes.includes(index + 1) === true);
    await part.complete({
      before: async (size) => {
        if (size > volume.size) throw new RegtarError('INTERNAL', `${volume.name} has become larger than planned`);
        if (placesLost.length === 0) return;
        const bytes = setFileOf(plan, {
          volume: index + 1,
          failed: placesLost.sort((left, right) => left - right),
          ...(size !== volume.size && { size }),
        });
        const header = encodeMemberHeader({ path: setFileName, kind: 'file', size: bytes.length, owner });
        await part.amend(Buffer.concat([header, bytes]));
      },
    });
    if (part.kept > 0) notes.push(`${volume.name}: ${part.kept} bytes were there already and are right`);
  };
  const writeAhead = async (part: ArchivePart, blob: Descriptor, { signal, onBytes }: WriteOptions): Promise<void> => {
    const open: PutBlob['open'] = (_from, ring) =>
      verifiedBody(store.open(blob.digest, 0, ring), blob, store.stat(blob.digest)?.size);
    try {
      await part.writeAlone({ descriptor: blob, open, signal, onBytes });
      ahead.add(blob.digest);
    } catch (thrown) {
      const error = toRegtarError(thrown);
      if (codeFacts[error.code].ends === 'run' || error.side !== 'source') throw error;
      lost.set(blob.digest, error);
      for (const { images } of plan.volumes)
        for (const { target, travelling } of images) {
          const place = placeOf(target);
          if (
            (plan.set.images[place]?.volumes.length ?? 0) > 1 &&
            travelling.some(({ digest }) => digest === blob.digest)
          )
            failed.add(place);
        }
    }
  };
  /** Completes everything before a volume, and begins it. */
  const advanceTo = async (index: number, options: WriteOptions): Promise<void> => {
    while (next <= index) {
      const before = current;
      current = undefined;
      if (before !== undefined) {
        unfinished = before;
        await complete(before, options);
        unfinished = undefined;
      }
      if (isWritten(next)) current = begin(next);
      next++;
    }
  };

  return {
    begin: async (target, options) => {
      const home = homes.get(targetKey(target)) ?? 0;
      await watchFailure(advanceTo(home, options));
      const place = placeOf(target);
      const isKnownBad = plan.set.images[place]?.volumes.some(
        (number) => isDone(number - 1) && failedIn(present.get(number - 1), place),
      );
      if (isKnownBad === true) {
        failed.add(place);
        throw leftOut(target, plan.volumes[home]?.name ?? '');
      }
      if (current?.index !== home) return 'present';
      return volumeWriter(target, current.part, place);
    },
    finish: async (options) => {
      await watchFailure(advanceTo(plan.volumes.length, options ?? {}));
    },
    close: async () => {
      const open = current ?? unfinished;
      current = undefined;
      unfinished = undefined;
      if (keepUnfinished) await open?.part.leave();
      else await open?.part.discard();
      lock.release();
    },
    notes: () => notes,
  };

  function volumeWriter(target: ImageTarget, part: ArchivePart, place: number): ImageWriter {
    const home = homes.get(targetKey(target)) ?? 0;
    const blobs: PutBlob[] = [];
    const manifests: { descriptor: Descriptor; bytes: Uint8Array }[] = [];
    return {
      async putBlob(descriptor, open, { signal, onBytes }) {
        const { digest } = descriptor;
        const error = lost.get(digest);
        if (error !== undefined) throw error;
        if (plan.volumeOf.get(digest) !== home) return ahead.delete(digest) ? 'written' : 'present';
        blobs.push({ descriptor, open, signal, onBytes });
        return part.has(digest) ? 'present' : 'written';
      },
      async putManifest(descriptor, bytes) {
        manifests.push({ descriptor, bytes });
        return part.has(descriptor.digest) ? 'present' : 'written';
      },
      async commit(options) {
        blobs.sort((left, right) => compareCodePoints(left.descriptor.digest, right.descriptor.digest));
        await watchFailure(part.write({ target, manifests }, blobs, options));
        return 'written';
      },
      async abort() {
        failed.add(place);
      },
    };
  }
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

function failedIn(file: SetFile | undefined, place: number): boolean {
  return file !== undefined && file.failed !== 'some' && file.failed.includes(place);
}

function leftOut(target: ImageTarget, volume: string): RegtarError {
  return new RegtarError(
    'BLOB_CORRUPT',
    `${targetName(target)} was left out when ${volume} was written: it was damaged in SOURCE`,
    { hint: 'repair SOURCE, then write the whole set again with --force' },
  );
}
