import { stat } from 'node:fs/promises';
import { Refusal } from './answers.ts';
import { blobFile } from './registry-process.ts';
import type { Project, World } from './world.ts';

/**
 * Sets room aside for something that is about to be stored.
 * @param bytes its size; what the project holds already costs nothing
 * @param countsTwice whether a blob is counted once for each of two requests at the same moment: Harbor does so for placed blobs, which it has
 * no row of
 * @returns what to call with whether it was stored
 * @throws Refusal 403 when the project's limit would be passed
 */
export function reserve(
  project: Project,
  items: readonly { readonly digest: string; readonly bytes: number }[],
  countsTwice: (digest: string) => boolean = () => false,
): (stored: boolean) => void {
  const fresh = new Map(
    items.filter(({ digest }) => !project.counted.has(digest)).map(({ digest, bytes }) => [digest, bytes]),
  );
  const bytes = [...fresh.values()].reduce((sum, size) => sum + size, 0);
  if (project.storageLimit >= 0 && bytes > 0 && project.used + bytes > project.storageLimit) {
    throw new Refusal(
      403,
      'DENIED',
      `adding ${readable(bytes)} of storage resource, which when updated to current usage of ${readable(project.used)} ` +
        `will exceed the configured upper limit of ${readable(project.storageLimit)}.`,
    );
  }
  project.used += bytes;
  return (stored) => {
    for (const [digest, size] of fresh) {
      // Two uploads of one blob at once are counted once.
      const isFirst = !project.counted.has(digest);
      if (stored && isFirst) project.counted.set(digest, size);
      else if (!stored || !countsTwice(digest)) project.used -= size;
    }
  };
}

/** Bytes of a blob that the registry behind holds; undefined when it does not. */
export async function storedSize(world: World, digest: string): Promise<number | undefined> {
  try {
    return (await stat(blobFile(world.registryStorage, digest))).size;
  } catch {
    return undefined;
  }
}

function readable(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? String(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}
