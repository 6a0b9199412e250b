import { RegtarError } from '../errors.ts';
import { makeDigest, type DigestAlgorithm } from '../oci/digest.ts';
import type { Backup, Entry, Location } from '../source/backup.ts';
import { BlobTable } from './blob-table.ts';
import { cleanPath, linkedPath } from './registry/layout.ts';

/** A file of a SOURCE. */
export interface SourceFile {
  readonly path: string;
  readonly location: Location;
}

/** The files of one SOURCE by their paths, without leading `./`. Links are followed inside and never out of it. */
export interface SourceFolder {
  /** What it is, for people: `images.tar`. */
  readonly describe: string;
  /** Whether it came without a name: standard input. */
  readonly isStream: boolean;
  /** Every path that was taken, links included, in the order of the medium; but for files that are `blobs`. */
  paths(): Iterable<string>;
  /**
   * The files `blobs/<algorithm>/<hex>` below a path, as OCI layouts have them: they are too many to be remembered by
   * their paths.
   * @param base `''` or a path that ends in `/`
   * @returns undefined where there are none
   */
  blobs(base: string): BlobTable | undefined;
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
  /** In the order given; to be asked for when all were added. */
  folders(): readonly SourceFolder[];
}

/** What is remembered of one SOURCE. */
interface Members {
  readonly name: string;
  readonly others: Map<string, SourceFile | Link>;
  /** By the path that their `blobs` lie in. */
  readonly blobs: Map<string, BlobTable>;
  /** Links that stand where blobs do, with the folders that they stand in. */
  readonly blobLinks: Map<string, BlobFolder>;
}

interface Link {
  readonly target: string | undefined;
}

/** Links to links to links: more than this is a circle, or made to be one. */
const mostLinks = 16;

/** A folder of blobs. */
interface BlobFolder {
  /** Ends in `/`. */
  readonly path: string;
  /** What it lies in. */
  readonly base: string;
  readonly algorithm: DigestAlgorithm;
}

/**
 * Remembers files by path while a SOURCE is scanned.
 * @param isWanted whether a format may ask for a path
 */
export function createSourceFiles(backup: Backup, isWanted: (path: string) => boolean): SourceFiles {
  const sources = new Map<number, Members>();
  let last = -1;
  let lastMembers: Members | undefined;
  const membersOf = (source: number): Members => {
    if (source === last && lastMembers !== undefined) return lastMembers;
    let members = sources.get(source);
    if (members === undefined) {
      const name = backup.nameOf?.(source) ?? backup.describe;
      members = { name, others: new Map(), blobs: new Map(), blobLinks: new Map() };
      sources.set(source, members);
    }
    last = source;
    return (lastMembers = members);
  };
  // Tens of thousands of files come one after the other from the same folder.
  let folder: BlobFolder | undefined;
  /** @returns the folder of blobs that a path lies in, if anything in it is wanted */
  const blobFolderOf = (path: string): BlobFolder | undefined => {
    if (folder !== undefined && path.lastIndexOf('/') === folder.path.length - 1 && path.startsWith(folder.path))
      return folder;
    folder = parseBlobFolder(path);
    if (folder !== undefined && !isWanted(path)) folder = undefined;
    return folder;
  };
  return {
    add(entry) {
      const { kind, path: written } = entry;
      if (kind !== 'file' && kind !== 'hardlink' && kind !== 'symlink') return;
      const path = cleanPath(written);
      if (path === undefined || path === '') return;
      const { location } = entry;
      const members = membersOf(location.source ?? 0);
      const place = blobFolderOf(path);
      if (place !== undefined && kind === 'file' && addBlob(members, place, path, location)) return;
      if (!isWanted(written)) return;
      if (kind === 'file') members.others.set(path, { path, location });
      else {
        members.others.set(path, { target: linkedPath(path, entry.target, kind) });
        if (place !== undefined) members.blobLinks.set(path, place);
      }
    },
    folders: () =>
      [...sources].sort(([left], [right]) => left - right).map(([, members]) => openFolder(backup, members)),
  };
}

const blobFolders = [
  { algorithm: 'sha256', folder: 'blobs/sha256/' },
  { algorithm: 'sha512', folder: 'blobs/sha512/' },
] as const;

/** @returns undefined where a file is not in a folder of blobs */
function parseBlobFolder(file: string): BlobFolder | undefined {
  const path = file.slice(0, file.lastIndexOf('/') + 1);
  for (const { algorithm, folder } of blobFolders) {
    const base = path.endsWith(folder) ? path.slice(0, -folder.length) : undefined;
    if (base === '' || base?.endsWith('/') === true) return { path, base, algorithm };
  }
  return undefined;
}

/** @returns whether its name is a digest */
function addBlob(members: Members, folder: BlobFolder, path: string, location: Location): boolean {
  const table = blobsBelow(members, folder.base);
  const number = numberOf(table, folder, path);
  if (number < 0) return false;
  table.place(number, location);
  // The last of several members with one path is what counts.
  if (members.blobLinks.size > 0 && members.blobLinks.delete(path)) members.others.delete(path);
  return true;
}

/** Blobs that are links lie where their links lead. */
function followBlobLinks(members: Members, get: SourceFolder['get']): void {
  for (const [path, folder] of members.blobLinks) {
    const table = blobsBelow(members, folder.base);
    const number = numberOf(table, folder, path);
    const file = get(path);
    if (file !== undefined && number >= 0) table.place(number, file.location);
    else if (number >= 0) table.displace(number);
  }
  members.blobLinks.clear();
}

function blobsBelow({ blobs }: Members, base: string): BlobTable {
  const known = blobs.get(base);
  if (known !== undefined) return known;
  const table = new BlobTable();
  blobs.set(base, table);
  return table;
}

/** @returns -1 where the name is not a digest */
function numberOf(table: BlobTable, { path: folder, algorithm }: BlobFolder, path: string): number {
  if (algorithm === 'sha256')
    return path.length === folder.length + sha256HexBytes ? table.numberIn(path, folder.length) : -1;
  const digest = makeDigest(algorithm, path.slice(folder.length));
  return digest === undefined ? -1 : table.numberOf(digest);
}

const sha256HexBytes = 64;

function openFolder(backup: Backup, members: Members): SourceFolder {
  const { name, others, blobs } = members;
  const find = (path: string): SourceFile | Link | undefined => {
    const other = others.get(path);
    if (other !== undefined) return other;
    const folder = parseBlobFolder(path);
    const digest = folder && makeDigest(folder.algorithm, path.slice(folder.path.length));
    const location = digest && blobs.get(folder.base)?.get(digest)?.location;
    return location && { path, location };
  };
  const get = (path: string): SourceFile | undefined => {
    let found = find(path);
    for (let links = 0; found !== undefined && 'target' in found; links++)
      found = links > mostLinks || found.target === undefined ? undefined : find(found.target);
    return found;
  };
  followBlobLinks(members, get);
  return {
    describe: name,
    isStream: name === 'standard input',
    paths: () => others.keys(),
    blobs(base) {
      const table = blobs.get(base);
      return table !== undefined && table.size > 0 ? table : undefined;
    },
    get,
    async read({ path, location }, mostBytes) {
      if (location.size > mostBytes)
        throw new RegtarError('SOURCE_TOO_LARGE', `${path} in ${name} has ${location.size} bytes`, {
          where: { path },
          hint: `regtar reads at most ${mostBytes} bytes of such a file`,
        });
      await backup.bring?.([location]);
      return backup.readSmall(location);
    },
  };
}
