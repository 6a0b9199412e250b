import { constants, linkSync, lstatSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { systemErrorCode } from '../errors.ts';
import { outputError } from './output-error.ts';

/** What systems answer where a link cannot be, and a copy still can. */
const linkRefusals: ReadonlySet<string> = new Set([
  'EXDEV',
  'EMLINK',
  'EPERM',
  'EACCES',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
]);

/**
 * Gives a file a second name. Its bytes are not read.
 * @param size in bytes; a file of another size is not linked; -1 takes any but an empty one
 * @returns false where that cannot be: another file system, too many links, no such feature, not a plain file of that
 * size
 * @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE
 */
export function linkFile(source: string, target: string, size: number): boolean {
  if (!isWholeFile(source, size)) return false;
  try {
    linkSync(source, target);
    return true;
  } catch (error) {
    const system = systemErrorCode(error) ?? '';
    if (system === 'EEXIST') return isWholeFile(target, size);
    if (linkRefusals.has(system)) return false;
    throw outputError(error, target);
  }
}

/** Copies a file, sharing its blocks where the file system can. @throws RegtarError OUTPUT_FULL, OUTPUT_UNWRITABLE */
export async function copyWholeFile(source: () => string, target: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await copyFile(source(), target, constants.COPYFILE_FICLONE);
    } catch (error) {
      // The folder that holds the source may have been renamed into place in this very moment.
      if (systemErrorCode(error) !== 'ENOENT' || attempt > 0) throw outputError(error, target);
    }
  }
}

/** Whether a plain file of this size is there; -1 takes any but an empty one. */
export function isWholeFile(path: string, size: number): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found !== undefined && found.isFile() && (size < 0 ? found.size > 0 : found.size === size);
}
