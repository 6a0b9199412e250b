import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isPlainFile } from './part-bytes.ts';

/** A volume of a set, or a part of one. @see formats/volumes/volume-names.ts, which writes them */
const volumeName = /^volume-[0-9]{2,5}-of-[0-9]{2,5}\.tar(?:\.part[0-9]{2,4})?$/;

/**
 * A folder with the volumes of a set stands for all of them.
 * @returns their paths in order; undefined where the operand is no such folder
 */
export function volumesIn(operand: string): readonly string[] | undefined {
  let names: readonly string[];
  try {
    names = readdirSync(operand);
  } catch {
    return undefined;
  }
  const volumes = names.filter((name) => volumeName.test(name) && isPlainFile(join(operand, name))).sort();
  // A storage beside them is what was meant before there were volumes.
  return volumes.length === 0 || names.some((name) => storageFolders.has(name))
    ? undefined
    : volumes.map((name) => join(operand, name));
}

const storageFolders = new Set(['docker', 'blobs', 'repositories', 'index.json']);
