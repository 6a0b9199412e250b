import { createHeapGuard } from '../io/heap-guard.ts';
import type { Backup } from '../source/backup.ts';
import type { FormatDeclaration } from './format.ts';
import { formatNames, formats, type Format } from './formats.ts';
import { mergeReads } from './merge-reads.ts';
import type { FormatReader, ReadImages, ReadOptions } from './reader.ts';
import { refuseForeign } from './registry/refuse-foreign.ts';
import { createSourceFiles } from './source-files.ts';
import { readGivenVolumes, setFilePath, type GivenVolumes } from './volumes/given-volumes.ts';

/** A SOURCE as its formats have it. */
export interface ReadSource extends ReadImages {
  /** What was found in it; more than one where several SOURCEs of different formats are read as one. */
  readonly formats: readonly Format[];
}

/** What no format reads: what an interrupted run of regtar leaves in its output. */
const unfinished = /(?:^|\/)\.regtar-tmp\//;

/** Between looks at the heap: a saved index gives its members without a pause. */
const membersPerCheck = 1024;

/**
 * Reads the catalog of a SOURCE in one pass. Content decides on the format, never a name.
 * @throws RegtarError SOURCE_NOT_REGISTRY, SOURCE_NOT_TAR, SOURCE_DOCKER_LEGACY where it holds no images;
 * SOURCE_NAMES_MISSING, SOURCE_TOO_LARGE, SOURCE_CHANGED, SOURCE_UNREADABLE
 */
export async function readSource(backup: Backup, options: ReadOptions = {}): Promise<ReadSource> {
  const patterns = formatNames.flatMap((name) => (formats[name] as FormatDeclaration).paths ?? []);
  const isWanted = (path: string): boolean =>
    (setFilePath.test(path) || patterns.some((pattern) => pattern.test(path))) && !unfinished.test(path);
  const files = createSourceFiles(backup, isWanted);
  const readers = await Promise.all(
    formatNames.map(async (name): Promise<readonly [Format, FormatReader]> => [
      name,
      (await formats[name].reader())(backup, files, options),
    ]),
  );
  const adders = readers.flatMap(([, reader]) => (reader.add === undefined ? [] : [reader.add]));
  const refuseFullHeap = createHeapGuard(backup.describe);
  let members = 0;
  const damage = await backup.scan(
    (entry) => {
      if (members++ % membersPerCheck === 0) refuseFullHeap();
      if (!adders.some((add) => add(entry))) files.add(entry);
    },
    {
      signal: options.signal,
      isWanted,
      onProgress: (bytes) => {
        refuseFullHeap();
        options.onProgress?.(bytes);
      },
    },
  );
  const found: { readonly format: Format; readonly read: ReadImages }[] = [];
  for (const [format, reader] of readers) {
    const read = await reader.finish(found.length === 0 ? damage : []);
    if (read !== undefined) found.push({ format, read });
  }
  const [first, ...others] = found;
  if (first === undefined) throw refuseForeign(backup.describe, members, damage);
  const read = others.reduce((merged, other) => mergeReads(merged, other.read), first.read);
  const volumes = await readGivenVolumes(files);
  return {
    ...withVolumes(read, volumes),
    notes: [...read.notes, ...volumes.notes],
    formats: found.map(({ format }) => format),
  };
}

/** Volumes are one place for their images, as registries are. */
function withVolumes({ placeOf, ...read }: ReadImages, { absent, count }: GivenVolumes): ReadImages {
  return {
    ...read,
    ...(absent !== undefined && { store: { ...read.store, absent } }),
    ...(count === 0 && placeOf !== undefined && { placeOf }),
  };
}
