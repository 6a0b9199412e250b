import { statfsSync } from 'node:fs';

/** How many bytes may be written in a folder. @returns undefined where the file system does not say */
export function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
