import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { onOutput } from '../../io/output-error.ts';
import { lockOutput } from '../../io/output-lock.ts';
import { createOutputParts, type OutputStream } from '../../io/output-stream.ts';
import { requireRoom } from '../../io/require-room.ts';
import { watchFolder } from '../../io/watched-folder.ts';
import type { PlannedVolume, VolumePlan } from './plan-volumes.ts';
import { findPresentVolumes, removeVolumes } from './present-volumes.ts';
import type { SetFile } from './set-file.ts';
import { volumeFiles } from './volume-names.ts';

/** The folder that volumes are written to, locked, and what an earlier run left in it. */
export interface VolumeOutput {
  /** Whether a volume is complete and stays as it is. */
  isDone(index: number): boolean;
  /** Whether an image was left out of a volume that is done. @param place of the image in the set */
  isLeftOut(index: number, place: number): boolean;
  /** @throws RegtarError OUTPUT_FULL where the volume has no room, OUTPUT_UNWRITABLE */
  openVolume(index: number, volume: PlannedVolume): OutputStream;
  release(): void;
}

/** What the folder is used for. */
export interface VolumeOutputOptions {
  /** Removes the volumes that regtar wrote there before. */
  readonly force: boolean;
  /** Goes on within volumes that are there, also complete ones. */
  readonly resume: boolean;
}

/** @throws RegtarError OUTPUT_FOREIGN, OUTPUT_BUSY, OUTPUT_UNWRITABLE */
export function openVolumeOutput(out: string, plan: VolumePlan, { force, resume }: VolumeOutputOptions): VolumeOutput {
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
  const isDone = (index: number): boolean => !resume && present.has(index);
  return {
    isDone,
    isLeftOut(index, place) {
      const failed = isDone(index) ? present.get(index)?.failed : undefined;
      return failed !== undefined && failed !== 'some' && failed.includes(place);
    },
    openVolume(index, volume) {
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
      return createOutputParts(files, volume.parts === 1 ? Infinity : plan.size, {
        resume,
        requireSame: () => watched.requireSame(),
      });
    },
    release: () => lock.release(),
  };
}
