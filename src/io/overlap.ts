import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { RegtarError } from '../errors.ts';

/** A file or folder that a run is going to write. */
export interface WrittenPath {
  /** As the person knows it: `OUT`, `--report`. */
  readonly name: string;
  readonly path: string;
}

/**
 * Refuses to write what is read: an output that is a source, lies inside one or holds one, by any of its names.
 * Symbolic links are followed, and files and folders are compared by device and inode, so that hard links and bind
 * mounts count as what they are. Writing to pipes and devices loses nothing.
 * @param written need not exist yet
 * @param read every file and folder of every source, parts included
 * @throws RegtarError OUTPUT_IS_SOURCE; USAGE where two outputs are one file
 */
export function refuseOverlap(written: readonly WrittenPath[], read: readonly string[]): void {
  const sources = read.map((path) => ({ path, place: placeOf(path) }));
  const outputs = written.map((output) => ({ ...output, place: placeOf(output.path) }));
  for (const { name, path, place } of outputs)
    for (const source of sources) {
      const relation = relationOf(place, source.place);
      if (relation === undefined) continue;
      throw new RegtarError('OUTPUT_IS_SOURCE', `${name} ${path} ${relation} ${source.path}, which is read`, {
        where: { path },
        hint: 'choose another place: what is read is never written to',
      });
    }
  for (const [index, { name, path, place }] of outputs.entries()) {
    const other = outputs.slice(0, index).find((each) => each.place.real === place.real && !place.isSpecial);
    if (other !== undefined)
      throw new RegtarError('USAGE', `${other.name} and ${name} are the same file, ${path}`, {
        where: { path },
        hint: 'name two files',
      });
  }
}

interface Place {
  readonly real: string;
  /** Device and inode; undefined for what is not there, and for pipes and devices. */
  readonly identity: string | undefined;
  /** The same of each folder above it that is there. */
  readonly above: readonly string[];
  readonly isSpecial: boolean;
}

function relationOf(output: Place, source: Place): string | undefined {
  if (output.isSpecial || source.identity === undefined) return undefined;
  if (output.identity === source.identity) return 'is the same as';
  if (output.above.includes(source.identity)) return 'lies inside';
  if (output.identity !== undefined && source.above.includes(output.identity)) return 'holds';
  return undefined;
}

function placeOf(path: string): Place {
  const real = realPath(resolve(path));
  const found = statOf(real);
  const isSpecial = found !== undefined && !found.isFile() && !found.isDirectory();
  const above: string[] = [];
  for (let folder = dirname(real), below = real; folder !== below; below = folder, folder = dirname(folder)) {
    const identity = identityOf(statOf(folder));
    if (identity !== undefined) above.push(identity);
  }
  return { real, identity: isSpecial ? undefined : identityOf(found), above, isSpecial };
}

type Stats = NonNullable<ReturnType<typeof statOf>>;

function statOf(path: string) {
  try {
    return statSync(path, { bigint: true });
  } catch {
    // Not there, or closed to us: then it cannot be written either.
    return undefined;
  }
}

function identityOf(stats: Stats | undefined): string | undefined {
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`;
}

/** More links than this lead in a circle. */
const mostLinks = 40;

/**
 * Like `realpath`, also where the end is not there yet.
 * @param path absolute, or it stays relative where nothing of it is there
 */
export function realPath(path: string, links = 0): string {
  try {
    return realpathSync(path);
  } catch {
    const folder = dirname(path);
    if (folder === path || links > mostLinks) return path;
    const target = linkTarget(path);
    if (target !== undefined) return realPath(resolve(folder, target), links + 1);
    return join(realPath(folder, links + 1), basename(path));
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}
