import { closeSync, lstatSync, openSync, readdirSync, readSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RegtarError } from '../../errors.ts';
import { onOutput } from '../../io/output-error.ts';
import { blockBytes, headerName, headerSize } from '../../tar/header.ts';
import { parseSetFile, setFileName, type SetFile } from './set-file.ts';
import type { VolumePlan } from './plan-volumes.ts';
import { parseVolumeName, volumeFiles } from './volume-names.ts';

/**
 * What lies in a folder of volumes. A volume has its name only when it is whole, so one of this set, with the size that
 * it says itself, is done.
 * @returns the `set.json` of each that is done, by its place in the plan
 * @throws RegtarError OUTPUT_FOREIGN for volumes of another set
 */
export function findPresentVolumes(folder: string, plan: VolumePlan): ReadonlyMap<number, SetFile> {
  const present = new Map<number, SetFile>();
  const ours = new Map(plan.volumes.map((volume, index) => [volume.name, { volume, index }]));
  for (const file of volumesIn(folder)) {
    const name = file.replace(/\.part[0-9]+$/, '');
    const planned = ours.get(name);
    const files = planned === undefined ? [] : volumeFiles(name, planned.volume.parts);
    const isFirst = file === (files[0] ?? file);
    const found = isFirst ? readSetFile(join(folder, file)) : undefined;
    if (planned === undefined || !files.includes(file) || (isFirst && found?.id !== plan.id))
      throw foreign(join(folder, file), found !== undefined);
    if (found === undefined || found.volume !== planned.index + 1 || found.failed === 'some') continue;
    const size = files.reduce((sum, each) => sum + (statSize(join(folder, each)) ?? Number.NaN), 0);
    if (size === (found.size ?? planned.volume.size)) present.set(planned.index, found);
  }
  return present;
}

/** Removes the volumes that regtar wrote. @throws RegtarError OUTPUT_FOREIGN for a file that is called like one */
export function removeVolumes(folder: string): void {
  const files = volumesIn(folder);
  const own = new Set(
    files.filter((file) => /\.part0*[^1]$|\.part0*[1-9]\d+$/.test(file) || isOurs(join(folder, file))),
  );
  for (const file of files) if (!own.has(file)) throw foreign(join(folder, file), false);
  for (const file of files) onOutput(join(folder, file), () => rmSync(join(folder, file)));
}

function isOurs(path: string): boolean {
  return readSetFile(path) !== undefined;
}

function volumesIn(folder: string): readonly string[] {
  return onOutput(folder, () => readdirSync(folder))
    .filter((name) => parseVolumeName(name) !== undefined)
    .sort();
}

function statSize(path: string): number | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true ? found.size : undefined;
}

/** More than a list of half a million images has. */
const mostBytes = 256 * 1024 * 1024;

/** @returns the `set.json` that a volume begins with; undefined where it is not a volume of regtar's */
function readSetFile(path: string): SetFile | undefined {
  return onOutput(path, () => {
    if (!statSync(path).isFile()) return undefined;
    const descriptor = openSync(path, 'r');
    try {
      const header = Buffer.alloc(blockBytes);
      readSync(descriptor, header, 0, blockBytes, 0);
      const size = headerSize(header, 0) ?? 0;
      if (headerName(header, 0) !== setFileName || !(size > 0 && size <= mostBytes)) return undefined;
      const bytes = Buffer.alloc(Math.min(size, statSync(path).size));
      readSync(descriptor, bytes, 0, bytes.length, blockBytes);
      return parseSetFile(bytes);
    } catch (error) {
      if (error instanceof RegtarError) return undefined;
      throw error;
    } finally {
      closeSync(descriptor);
    }
  });
}

function foreign(path: string, isVolume: boolean): RegtarError {
  return new RegtarError(
    'OUTPUT_FOREIGN',
    isVolume ? `${path} is a volume of another set` : `${path} is there and is not a volume of this set`,
    {
      where: { path },
      hint: isVolume ? 'choose another OUT, or --force to replace what regtar wrote there' : 'choose another OUT',
    },
  );
}
