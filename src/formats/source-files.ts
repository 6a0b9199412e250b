import { RegtarError } from '../errors.ts';
import type { Backup, Entry, Location } from '../source/backup.ts';
import { cleanPath, linkedPath } from './registry/layout.ts';

/** A file of a SOURCE. */
export interface SourceFile {
  readonly path: string;
  readonly location: Location;
  /** Seconds since 1970. */
  readonly modified: number;
}

/** The files of one SOURCE by their paths, without leading `./`. Links are followed inside and never out of it. */
export interface SourceFolder {
  /** What it is, for people: `images.tar`. */
  readonly describe: string;
  /** Whether it came without a name: standard input. */
  readonly isStream: boolean;
  /** Every path that was taken, links included, in the order of the medium. */
  paths(): Iterable<string>;
  /** @returns undefined where there is no such file, or a link that leads nowhere, out of SOURCE or in a circle */
  get(path: string): SourceFile | undefined;
  /**
   * A small file whole.
   * @param mostBytes more than this is refused
   * @throws RegtarError SOURCE_TOO_LARGE, SOURCE_UNREADABLE, SOURCE_CHANGED and what `Backup.bring` throws
   */
  read(file: SourceFile, mostBytes: number): Promise<Uint8Array>;
}

/** The files that any format may ask for, of every SOURCE that was given. */
export interface SourceFiles {
  add(entry: Entry): void;
  /** In the order given. */
  folders(): readonly SourceFolder[];
}

interface Link {
  readonly target: string | undefined;
}

/** Links to links to links: more than this is a circle, or made to be one. */
const mostLinks = 16;

/** Remembers files by path while a SOURCE is scanned. */
export function createSourceFiles(backup: Backup): SourceFiles {
  const sources = new Map<number, Map<string, SourceFile | Link>>();
  const names = new Map<number, string>();
  let last = -1;
  let lastMembers: Map<string, SourceFile | Link> | undefined;
  const membersOf = (source: number): Map<string, SourceFile | Link> => {
    if (source === last && lastMembers !== undefined) return lastMembers;
    let members = sources.get(source);
    if (members === undefined) {
      members = new Map();
      sources.set(source, members);
      names.set(source, backup.nameOf?.(source) ?? backup.describe);
    }
    last = source;
    return (lastMembers = members);
  };
  return {
    add(entry) {
      const path = cleanPath(entry.path);
      if (path === undefined || path === '') return;
      const { location, kind } = entry;
      const members = membersOf(location.source ?? 0);
      if (kind === 'file') members.set(path, { path, location, modified: entry.modified });
      else if (kind === 'hardlink' || kind === 'symlink')
        members.set(path, { target: linkedPath(path, entry.target, kind) });
    },
    folders: () =>
      [...sources]
        .sort(([left], [right]) => left - right)
        .map(([source, members]) => folderOf(backup, names.get(source) ?? backup.describe, members)),
  };
}

function folderOf(backup: Backup, describe: string, members: ReadonlyMap<string, SourceFile | Link>): SourceFolder {
  return {
    describe,
    isStream: describe === 'standard input',
    paths: () => members.keys(),
    get(path) {
      let found = members.get(path);
      for (let links = 0; found !== undefined && 'target' in found; links++)
        found = links > mostLinks || found.target === undefined ? undefined : members.get(found.target);
      return found;
    },
    async read({ path, location }, mostBytes) {
      if (location.size > mostBytes)
        throw new RegtarError('SOURCE_TOO_LARGE', `${path} in ${describe} has ${location.size} bytes`, {
          where: { path },
          hint: `regtar reads at most ${mostBytes} bytes of such a file`,
        });
      await backup.bring?.([location]);
      return backup.readSmall(location);
    },
  };
}
