import { lstatSync, readFileSync, readdirSync, readlinkSync, realpathSync, statSync, type Dirent } from 'node:fs';
import { basename, join, resolve, sep } from 'node:path';
import { RegtarError, systemErrorCode, type Problem } from '../errors.ts';
import { limits } from '../io/limits.ts';
import type { Backup, Entry, EntryKind } from './backup.ts';
import { readFileBody, readWholeFile } from './file-body.ts';

/** A registry's storage as it lies on disk, or an unpacked backup: nothing is copied, and files may be hard-linked into an output. */
export function openDirectory(folder: string): Backup {
  const root = resolve(folder);
  return {
    describe: folder,
    format: 'directory',
    bytes: undefined,
    scan: (visit, options = {}) => scanDirectory(root, visit, options),
    read: (location, from = 0, ring) => readFileBody(location, from, ring),
    readSmall: readWholeFile,
    file: (location) => location.file,
    close: async () => undefined,
  };
}

/** How far below the given folder a registry's tree is looked for. */
const deepestRoot = 6;
/** Looking for a tree in somebody's whole home must end. */
const mostFoldersSearched = 20_000;
const entriesPerProgress = 4096;

async function scanDirectory(root: string, visit: (entry: Entry) => void, options: NonNullable<Parameters<Backup['scan']>[1]>): Promise<readonly Problem[]> {
  // Loaded on use: it costs as much as Node's own start, and most sources are files.
  const { default: glob } = await import('fast-glob');
  const problems: Problem[] = [];
  const trees = findTrees(root, options.signal);
  // Beside the trees, the top level: it tells what a folder without a tree is.
  const patterns = ['*', ...trees.flatMap((tree) => ['blobs/**', 'repositories/**'].map((pattern) => (tree === '' ? pattern : `${glob.escapePath(tree)}/${pattern}`)))];
  const prefix = basename(root) === 'blobs' || basename(root) === 'repositories' ? `${basename(root)}/` : '';
  const realRoot = realpathSync(root);
  let count = 0;
  const stream = glob.stream(prefix === '' ? patterns : ['**'], { cwd: root, dot: true, onlyFiles: false, followSymbolicLinks: false, unique: false, objectMode: true, suppressErrors: true, ignore: ['**/_uploads/**'] });
  for await (const item of stream) {
    const { path, dirent } = item as unknown as { readonly path: string; readonly dirent: Dirent };
    if (++count % entriesPerProgress === 0) {
      options.signal?.throwIfAborted();
      options.onProgress?.(count);
    }
    try {
      visit(entryOf(root, realRoot, prefix, path, dirent));
    } catch (error) {
      // One file that has gone or may not be read must not hide the others.
      if (systemErrorCode(error) === undefined) throw error;
      problems.push({ code: 'BLOB_UNREADABLE', path, message: `${path} cannot be read: ${systemErrorCode(error)}` });
    }
  }
  if (count === 0) throw new RegtarError('SOURCE_EMPTY', `${root} is an empty folder`, { side: 'source', where: { path: root }, hint: 'is the volume of the registry mounted there?' });
  return problems;
}

function entryOf(root: string, realRoot: string, prefix: string, path: string, dirent: Pick<Dirent, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): Entry {
  const file = join(root, path);
  const kind = kindOf(dirent);
  // A link is as good as its file where both lie in the backup.
  if (kind === 'symlink' && pointsInside(realRoot, file)) return lazyEntry(prefix + path, 'file', file, '');
  return lazyEntry(prefix + path, kind, file, kind === 'symlink' ? readlinkSync(file) : '');
}

/** Sizes, times and contents are asked for only where the visitor looks: most entries are folders. */
function lazyEntry(path: string, kind: EntryKind, file: string, target: string): Entry {
  let stats: { readonly size: number; readonly mtimeMs: number } | undefined;
  const stat = (): { readonly size: number; readonly mtimeMs: number } => (stats ??= kind === 'file' ? statSync(file) : lstatSync(file));
  return {
    path,
    kind,
    target,
    get modified() {
      return Math.floor(stat().mtimeMs / 1000);
    },
    get location() {
      return { size: kind === 'file' ? stat().size : 0, start: 0, file };
    },
    get bytes() {
      return kind === 'file' && stat().size <= limits.linkBytes ? readFileSync(file) : undefined;
    },
  };
}

function kindOf(dirent: Pick<Dirent, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): EntryKind {
  if (dirent.isFile()) return 'file';
  if (dirent.isDirectory()) return 'directory';
  return dirent.isSymbolicLink() ? 'symlink' : 'other';
}

function pointsInside(realRoot: string, link: string): boolean {
  try {
    const target = realpathSync(link);
    return target.startsWith(realRoot + sep) && statSync(target).isFile();
  } catch {
    // A link that leads nowhere; the catalog reports it.
    return false;
  }
}

/** Folders that hold `blobs` or `repositories`, relative to `root`. Below one nothing else is looked for. */
function findTrees(root: string, signal: AbortSignal | undefined): string[] {
  const trees: string[] = [];
  let level = [''];
  let searched = 0;
  for (let depth = 0; depth <= deepestRoot && level.length > 0; depth++) {
    const next: string[] = [];
    for (const folder of level) {
      signal?.throwIfAborted();
      if (++searched > mostFoldersSearched) return trees;
      const names = foldersIn(join(root, folder), folder === '');
      if (names.includes('blobs') || names.includes('repositories')) trees.push(folder);
      else next.push(...names.map((name) => (folder === '' ? name : `${folder}/${name}`)));
    }
    level = next;
  }
  return trees;
}

function foldersIn(folder: string, isRoot: boolean): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (cause) {
    if (!isRoot) return [];
    throw new RegtarError('SOURCE_UNREADABLE', `${folder} cannot be read: ${systemErrorCode(cause) ?? String(cause)}`, { side: 'source', where: { path: folder }, cause });
  }
}
