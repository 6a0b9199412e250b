import { othersGoOn } from '../../errors.ts';
import type { AbsentVolumes } from '../../content/contracts.ts';
import { limits } from '../../io/limits.ts';
import type { Digest } from '../../oci/digest.ts';
import type { SourceFiles } from '../source-files.ts';
import { parseSetFile, setFileName, type SetFile } from './set-file.ts';

/** The path of `set.json` in a volume. */
export const setFilePath = /^(?:\.\/)?set\.json$/;

/** What SOURCE has of sets of volumes. */
export interface GivenVolumes {
  /** Absent where every volume is there, or nothing is a volume. */
  readonly absent?: AbsentVolumes;
  /** How many volumes are there. */
  readonly count: number;
  readonly notes: readonly string[];
}

/**
 * Reads the `set.json` of every volume in a SOURCE. It says only where to look for what is not here: a wrong one costs
 * a wrong hint, since images are proven by their digests.
 */
export async function readGivenVolumes(files: SourceFiles): Promise<GivenVolumes> {
  const notes: string[] = [];
  const sets = new Map<
    string,
    { readonly file: SetFile; readonly given: Map<number, SetFile>; readonly from: string }
  >();
  for (const folder of files.folders()) {
    const found = folder.get(setFileName);
    if (found === undefined) continue;
    try {
      const file = parseSetFile(await folder.read(found, limits.imageListBytes));
      if (file === undefined) continue;
      const set = sets.get(file.id) ?? { file, given: new Map<number, SetFile>(), from: folder.describe };
      set.given.set(file.volume, file);
      sets.set(file.id, set);
    } catch (error) {
      if (!othersGoOn(error)) throw error;
      notes.push(`${setFileName} of ${folder.describe} is ignored: ${error.message}`);
    }
  }
  const all = [...sets.values()];
  if (all.length > 1)
    notes.push(
      `these are volumes of ${all.length} sets: ` +
        all.map(({ from, file }) => `${from} (${file.id.slice(0, 12)})`).join(', '),
    );
  const parts = all.map(({ file, given }) => absentOf(file, given));
  const missing = parts.filter(({ names }) => names.length > 0);
  notes.push(...missing.map(missingNote));
  const count = all.reduce((sum, { given }) => sum + given.size, 0);
  return { notes, count, ...(missing.length > 0 && { absent: joined(missing, count > 1) }) };
}

const namesShown = 5;

function missingNote({ names, images }: AbsentPart): string {
  const more = names.length > namesShown ? ` and ${names.length - namesShown} more` : '';
  const were = names.length === 1 ? 'was' : 'were';
  const have = images.length === 1 ? '1 image has its name' : `${images.length} images have their names`;
  return `${names.slice(0, namesShown).join(', ')}${more} of this set ${were} not given; ${have} there`;
}

interface AbsentPart {
  readonly names: readonly string[];
  readonly blobs: ReadonlyMap<Digest, { readonly volume: string; readonly repository: string | undefined }>;
  readonly kept: readonly Digest[];
  readonly images: AbsentVolumes['images'];
}

function absentOf({ volumes, images, shared }: SetFile, given: ReadonlyMap<number, SetFile>): AbsentPart {
  const nameOf = (number: number): string => volumes[number - 1]?.name ?? '';
  return {
    names: volumes.filter((_, index) => !given.has(index + 1)).map(({ name }) => name),
    blobs: new Map(
      shared
        .filter(({ volume }) => !given.has(volume))
        .map(({ digest, volume, repository }) => [digest, { volume: nameOf(volume), repository }]),
    ),
    kept: shared.filter(({ volume }) => given.has(volume)).map(({ digest }) => digest),
    images: images.flatMap(({ repository, tag, digest, volumes: where }) => {
      const home = where.at(-1) ?? 0;
      return given.has(home) ? [] : [{ repository, tag, digest, volume: nameOf(home) }];
    }),
  };
}

function joined(parts: readonly AbsentPart[], isSetMeant: boolean): AbsentVolumes {
  const find = (digest: Digest) => parts.map(({ blobs }) => blobs.get(digest)).find((blob) => blob !== undefined);
  return {
    volumeOf: (digest) => find(digest)?.volume,
    repositoryOf: (digest) => find(digest)?.repository,
    kept: new Set(parts.flatMap(({ kept }) => kept)),
    images: parts.flatMap(({ images }) => images),
    isSetMeant,
  };
}
