import {
  lstatSync,
  readFileSync,
  readdir,
  readdirSync,
  readlinkSync,
  realpathSync,
  statSync,
  type Dirent,
} from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { RegtarError, systemErrorCode, systemReason, type Problem } from '../errors.ts';
import { limits } from '../io/limits.ts';
import { createPauses } from '../io/pauses.ts';
import type { Backup, Entry, EntryKind, ScanOptions } from './backup.ts';
import { readFileBody, readWholeFile } from './file-body.ts';

/** How a folder is read. */
export interface DirectoryOptions {
  /**
   * Takes links of layers and revisions for what their paths say where they have the size for it, instead of reading a
   * small file for each. For commands that do not look for damage.
   * @defaultValue false
   */
  readonly trustLinks?: boolean;
}

/**
 * A registry's storage as it lies on disk, or an unpacked backup: nothing is copied, and files may be hard-linked into
 * an output.
 */
export function openDirectory(folder: string, options: DirectoryOptions = {}): Backup {
  const root = resolve(folder);
  return {
    describe: folder,
    format: 'directory',
    bytes: undefined,
    scan: (visit, scanOptions = {}) => scanDirectory(root, visit, { ...options, ...scanOptions }),
    read: (location, from = 0, ring) => readFileBody(location, from, ring),
    readSmall: readWholeFile,
    file: (location) => location.file,
    close: async () => undefined,
  };
}

/** How far below the given folder anything is looked for: repositories have up to 128 components, people have fewer. */
const deepestFolder = 40;
/** Looking through a whole home folder must end. */
const mostFoldersInVain = 20_000;
/** A folder in which something was found pays for those above it. */
const foldersPerFind = 10;
const foldersPerProgress = 1024;

/**
 * What the search for folders leaves to `visitLayers`, `visitManifests` or to no visitor: where every file has a folder
 * of its own, knowing the form saves most of the work.
 */
const leftAlone = ['**/_uploads/**', '**/_layers/*/**', '**/_manifests/*/**'];

async function scanDirectory(
  folder: string,
  visit: (entry: Entry) => void,
  options: DirectoryOptions & ScanOptions,
): Promise<readonly Problem[]> {
  const isPart = ['blobs', 'repositories'].includes(basename(folder));
  const root = isPart ? dirname(folder) : folder;
  const problems: Problem[] = [];
  const walk: Walk = {
    root,
    realRoot: realpathSync(folder),
    visit,
    trustLinks: options.trustLinks ?? false,
    // One file that has gone or may not be read must not hide the others.
    fail: (path, cause) => {
      if (systemErrorCode(cause) === undefined) throw cause;
      problems.push({ code: 'BLOB_UNREADABLE', path, message: `${path} cannot be read: ${systemReason(cause)}` });
    },
  };
  let count = 0;
  const parts = isPart
    ? [basename(folder)]
    : searchFolder(walk, options, () => count++).flatMap((tree) =>
        ['blobs', 'repositories'].map((name) => (tree === '' ? name : `${tree}/${name}`)),
      );
  const onFound = (): void => {
    if (++count % foldersPerProgress !== 0) return;
    options.signal?.throwIfAborted();
    options.onProgress?.(count);
  };
  for (const part of parts)
    if (part.endsWith('blobs')) await visitBlobs(walk, part, onFound);
    else await visitRepositories(walk, part, onFound);
  if (count === 0)
    throw new RegtarError('SOURCE_EMPTY', `${folder} is an empty folder`, {
      where: { path: folder },
      hint: 'is the volume of the registry mounted there?',
    });
  return problems;
}

interface Walk {
  readonly root: string;
  /** Links that lead out of it are not followed. */
  readonly realRoot: string;
  readonly visit: (entry: Entry) => void;
  readonly trustLinks: boolean;
  readonly fail: (path: string, cause: unknown) => void;
}

const nowhere = { target: '', modified: 0, location: { size: 0, start: 0 }, bytes: undefined } as const;

/** `blobs/<alg>/<hex>` of an OCI layout, and `blobs/<alg>/<two of hex>/<hex>/data` of a registry. */
async function visitBlobs(walk: Walk, blobs: string, onFound: () => void): Promise<void> {
  const pause = createPauses();
  for (const algorithm of entriesOf(walk, blobs)) {
    if (!algorithm.isDirectory()) continue;
    const folder = `${blobs}/${algorithm.name}`;
    for (const name of namesIn(walk, folder)) {
      onFound();
      const path = `${folder}/${name}`;
      if (visitFile(walk, path) === 'directory')
        for (const blob of entriesOf(walk, path)) {
          onFound();
          visitFile(walk, blob.isDirectory() ? `${path}/${blob.name}/data` : `${path}/${blob.name}`);
        }
      const turn = pause();
      if (turn !== undefined) await turn;
    }
  }
}

async function visitRepositories(walk: Walk, repositories: string, onFound: () => void): Promise<void> {
  if (!isThere(walk, repositories)) return;
  // Loaded on use: it costs as much as Node's own start, and most sources are files or hold no repositories.
  const { default: glob } = await import('fast-glob');
  const stream = glob.stream(`${glob.escapePath(repositories)}/**`, {
    cwd: walk.root,
    dot: true,
    onlyFiles: false,
    followSymbolicLinks: false,
    unique: false,
    objectMode: true,
    ignore: leftAlone,
    fs: { readdir: readdirOrFail(walk) },
  });
  for await (const item of stream) {
    const { path, dirent } = item as unknown as { readonly path: string; readonly dirent: Dirent };
    onFound();
    if (!dirent.isDirectory()) visitFile(walk, path);
    else if (dirent.name === '_layers') visitLayers(walk, path);
    else if (dirent.name === '_manifests') visitManifests(walk, path);
    else walk.visit({ ...nowhere, path, kind: 'directory' });
  }
}

/** `_layers/<alg>/<hex>/link`. */
function visitLayers(walk: Walk, path: string): void {
  for (const algorithm of namesIn(walk, path)) {
    // Named only, since nothing of it can be read.
    if (algorithm === 'tarsum') walk.visit({ ...nowhere, path: `${path}/tarsum/link`, kind: 'file' });
    else visitDigests(walk, `${path}/${algorithm}`, algorithm);
  }
}

/** `_manifests/revisions/<alg>/<hex>/link` and `_manifests/tags/<tag>/{current,index/<alg>/<hex>}/link`. */
function visitManifests(walk: Walk, path: string): void {
  for (const part of namesIn(walk, path)) {
    if (part === 'revisions')
      for (const algorithm of namesIn(walk, `${path}/revisions`))
        visitDigests(walk, `${path}/revisions/${algorithm}`, algorithm);
    if (part === 'tags') for (const tag of namesIn(walk, `${path}/tags`)) visitTag(walk, `${path}/tags/${tag}`);
  }
}

function visitTag(walk: Walk, path: string): void {
  walk.visit({ ...nowhere, path, kind: 'directory' });
  visitFile(walk, `${path}/current/link`);
  for (const algorithm of namesIn(walk, `${path}/index`)) visitDigests(walk, `${path}/index/${algorithm}`, algorithm);
}

function visitDigests(walk: Walk, path: string, algorithm: string): void {
  // The link of another algorithm may hold the sha256 digest of the same bytes.
  const isTrusted = walk.trustLinks && algorithm === 'sha256';
  for (const hex of namesIn(walk, path))
    visitFile(walk, `${path}/${hex}/link`, isTrusted ? `${algorithm}:${hex}` : undefined);
}

/** @param expected what a link holds that is not to be read. @returns what was there */
function visitFile(walk: Walk, path: string, expected?: string): EntryKind | undefined {
  const file = fileOf(walk, path);
  try {
    const stats = lstatSync(file, noThrow);
    if (stats === undefined) return undefined;
    const kind = kindOf(stats);
    // A link is as good as its file where both lie in the backup.
    if (kind !== 'symlink') walk.visit(entryOf(path, kind, file, stats, '', expected));
    else if (pointsInside(walk.realRoot, file)) walk.visit(entryOf(path, 'file', file, statSync(file), '', undefined));
    else walk.visit(entryOf(path, kind, file, stats, readlinkSync(file), undefined));
    return kind;
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOTDIR') walk.fail(path, error);
    return undefined;
  }
}

const noThrow = { throwIfNoEntry: false } as const;

/** Both are clean, and there are tens of thousands. */
function fileOf({ root }: Walk, path: string): string {
  return root === sep ? sep + path : root + sep + path;
}

/** Contents are read only where the visitor looks. */
function entryOf(
  path: string,
  kind: EntryKind,
  file: string,
  stats: { readonly size: number; readonly mtimeMs: number },
  target: string,
  expected: string | undefined,
): Entry {
  const size = kind === 'file' ? stats.size : 0;
  return {
    path,
    kind,
    target,
    modified: Math.floor(stats.mtimeMs / 1000),
    location: { size, start: 0, file },
    get bytes() {
      if (kind !== 'file' || size > limits.linkBytes) return undefined;
      return expected !== undefined && size === expected.length ? Buffer.from(expected, 'latin1') : readFileSync(file);
    },
  };
}

function namesIn(walk: Walk, path: string): readonly string[] {
  return orNone(walk, path, () => readdirSync(fileOf(walk, path)));
}

function entriesOf(walk: Walk, path: string): readonly Dirent[] {
  return orNone(walk, path, () => readdirSync(fileOf(walk, path), { withFileTypes: true }));
}

/** @returns true where it cannot be told either: looking into it tells why */
function isThere(walk: Walk, path: string): boolean {
  try {
    return lstatSync(fileOf(walk, path), noThrow) !== undefined;
  } catch {
    return true;
  }
}

function orNone<Item>(walk: Walk, path: string, list: () => readonly Item[]): readonly Item[] {
  try {
    return list();
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') walk.fail(path, error);
    return [];
  }
}

/** A folder that may not be read is reported, instead of passing for an empty one. */
function readdirOrFail({ root, fail }: Walk): typeof readdir {
  const readOrFail = (
    path: string,
    options: { readonly withFileTypes: true },
    done: (error: NodeJS.ErrnoException | null, entries: Dirent[]) => void,
  ): void => {
    readdir(path, options, (error, entries) => {
      if (error !== null && error.code !== 'ENOENT') fail(relative(root, path), error);
      done(null, error === null ? entries : []);
    });
  };
  // fast-glob calls it in this form only.
  return readOrFail as unknown as typeof readdir;
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

/**
 * Visits the files of a folder and of those below it, but for the insides of registry trees.
 * @returns folders that hold `blobs` or `repositories`, relative to the root
 */
function searchFolder(walk: Walk, options: ScanOptions, onFound: () => void): string[] {
  const trees: string[] = [];
  let level = [''];
  let left = mostFoldersInVain;
  for (let depth = 0; depth <= deepestFolder && level.length > 0; depth++) {
    const next: string[] = [];
    for (const folder of level) {
      options.signal?.throwIfAborted();
      if (--left < 0) return trees;
      const entries = entriesIn(join(walk.root, folder), folder === '');
      const isTree = entries.some((entry) => treeFolders.has(entry.name) && entry.isDirectory());
      if (isTree) trees.push(folder);
      let isFound = isTree;
      for (const entry of entries) {
        onFound();
        const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
        if (entry.isDirectory()) {
          walk.visit({ ...nowhere, path, kind: 'directory' });
          if (!treeFolders.has(entry.name)) next.push(path);
        } else if (options.isWanted?.(path) === true) {
          visitFile(walk, path);
          isFound = true;
        } else walk.visit({ ...nowhere, path, kind: 'file' });
      }
      if (isFound) left += foldersPerFind;
    }
    level = next;
  }
  return trees;
}

const treeFolders: ReadonlySet<string> = new Set(['blobs', 'repositories']);

function entriesIn(folder: string, isRoot: boolean): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (cause) {
    if (!isRoot) return [];
    throw new RegtarError('SOURCE_UNREADABLE', `${folder} cannot be read: ${systemReason(cause)}`, {
      where: { path: folder },
      cause,
    });
  }
}
