import {
  chmodSync,
  chownSync,
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  rmdirSync,
  statSync,
  statfsSync,
  unlinkSync,
  utimesSync,
  type Stats,
} from 'node:fs';
import { opendir, open as openFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { systemErrorCode } from '../../errors.ts';
import type { Body } from '../../io/body.ts';
import { isWholeFile, linkFile } from '../../io/link-file.ts';
import { giveTo, type OwnerIds } from '../../io/output-folder.ts';
import { onOutput, outputError } from '../../io/output-error.ts';
import { createRing } from '../../io/ring.ts';
import { writeBody, writeSmallFile } from '../../io/write-file.ts';
import type { Place, PlacedFile, PutOptions } from './place.ts';

/** How a folder is written. */
export interface FolderPlaceOptions {
  /** A new name, each time it is called, for something unfinished on the same file system. */
  readonly temporaryPath: () => string;
  /**
   * Whether a registry may read it while it is written. Then every file appears whole and synced, nothing that is there
   * is touched, and everything new gets the owner and mode of the nearest folder that was there before: what root made
   * would lock the registry out. An export has its tree for itself until it is complete: its links are written in
   * place, which is several times faster, and one of another size was cut when an earlier run ended, so it is written
   * again.
   */
  readonly live: boolean;
  /** Whom everything new belongs to, instead of the owner of what is there. */
  readonly owner?: OwnerIds | undefined;
  /** Called by `close`. */
  readonly onClose?: () => void;
}

const sync = promisify(fsync);

/** A place that is a folder of this machine. @param root an absolute path; it is there */
export function openFolderPlace(root: string, options: FolderPlaceOptions): Place {
  const made: { readonly path: string; readonly inode: number }[] = [];
  const folders = createFolders(root, options);
  const at = (path: string): string => join(root, path);
  const note = (path: string, { ino }: Pick<Stats, 'ino'>): void => {
    if (options.live) made.push({ path, inode: ino });
  };

  const put = async (
    path: string,
    content: Uint8Array | (() => Body),
    { replace = false, modified, signal, onBytes }: PutOptions = {},
  ): Promise<'written' | 'present'> => {
    const final = at(path);
    if (!options.live && !replace && content instanceof Uint8Array) return writeInPlace(final, content, modified);
    if (!replace && options.live && statFile(final) !== undefined) return 'present';
    const rights = folders.makeFor(final);
    const temporary = options.temporaryPath();
    try {
      if (content instanceof Uint8Array) {
        writeSmallFile(temporary, content);
        onBytes?.(content.length);
      } else await writeBody(temporary, content(), { signal, onBytes });
      if (!options.live) {
        if (options.owner !== undefined) giveTo(temporary, options.owner);
        onOutput(final, () => renameSync(temporary, final));
        keepTime(final, modified);
        return 'written';
      }
      const found = await finish(temporary, rights, content instanceof Uint8Array);
      if (replace) onOutput(final, () => renameSync(temporary, final));
      else if (!moveIn(temporary, final)) return 'present';
      note(final, found);
      keepTime(final, modified);
      return 'written';
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  };
  const writeInPlace = (final: string, bytes: Uint8Array, modified: number | undefined): 'written' | 'present' => {
    const isThere = isWholeFile(final, bytes.length);
    if (!isThere) {
      folders.makeFor(final);
      writeSmallFile(final, bytes);
      if (options.owner !== undefined) giveTo(final, options.owner);
    }
    keepTime(final, modified);
    return isThere ? 'present' : 'written';
  };
  /** Owner, mode and, for blobs, the disk, while it has no name yet. */
  const finish = async (temporary: string, rights: Rights, isSmall: boolean): Promise<Stats> => {
    const descriptor = onOutput(temporary, () => openSync(temporary, 'r+'));
    try {
      return await onOutputAsync(temporary, async () => {
        setRights(descriptor, rights);
        // A link that a power cut emptied is named by its path, and the next run writes it again; a blob is not.
        if (!isSmall) await sync(descriptor);
        return fstatSync(descriptor);
      });
    } finally {
      closeSync(descriptor);
    }
  };

  return {
    describe: root,
    stat: async (path) => statFile(at(path)),
    read: (path, ring = createRing()) => readFile(at(path), ring),
    list: (folder) => listFiles(root, at(folder)),
    put,
    async link(path, file, size) {
      const final = at(path);
      const found = onOutput(final, () => statSync(file, { throwIfNoEntry: false }));
      if (found === undefined) return false;
      const rights = folders.makeFor(final);
      if (
        options.live &&
        !(found.uid === rights.uid && found.gid === rights.gid && (found.mode & 0o7777) === rights.file)
      )
        return false;
      const isNew = statFile(final) === undefined;
      if (!linkFile(file, final, size)) return false;
      if (isNew) note(final, found);
      return true;
    },
    async takeBack() {
      let removed = 0;
      for (const { path, inode } of made.splice(0).reverse()) {
        const found = statSync(path, { throwIfNoEntry: false });
        if (found?.ino !== inode) continue;
        onOutput(path, () => unlinkSync(path));
        removed++;
      }
      folders.takeBack();
      return removed;
    },
    settle() {
      made.length = 0;
      folders.settle();
    },
    freeBytes() {
      try {
        const { bavail, bsize } = statfsSync(root);
        return bavail * bsize;
      } catch {
        return undefined;
      }
    },
    async close() {
      options.onClose?.();
    },
  };
}

/** What new files and folders get. */
interface Rights {
  readonly uid: number;
  readonly gid: number;
  readonly folder: number;
  readonly file: number;
}

interface Folders {
  /** Makes the folder of a file, and those above it. @returns the rights that the file gets, too */
  makeFor(file: string): Rights;
  takeBack(): void;
  settle(): void;
}

function createFolders(root: string, { live, owner }: FolderPlaceOptions): Folders {
  const known = new Map<string, Rights>();
  const made: string[] = [];
  const rightsOf = (folder: string): Rights => {
    const { uid, gid, mode } = onOutput(folder, () => statSync(folder));
    return { uid: owner?.uid ?? uid, gid: owner?.gid ?? gid, folder: mode & 0o7777, file: mode & 0o666 };
  };
  const make = (folder: string, rights: Rights): Rights => {
    try {
      mkdirSync(folder);
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST' && statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true)
        return live ? rightsOf(folder) : rights;
      throw outputError(error, folder);
    }
    if (live) {
      made.push(folder);
      onOutput(folder, () => {
        giveRights(folder, rights);
      });
    } else if (owner !== undefined) giveTo(folder, owner);
    return rights;
  };
  const ensure = (folder: string): Rights => {
    let rights = known.get(folder);
    if (rights === undefined) {
      rights = folder === root ? rightsOf(root) : make(folder, ensure(dirname(folder)));
      known.set(folder, rights);
    }
    return rights;
  };
  return {
    makeFor(file) {
      // The last folder belongs to one blob or link alone and is not remembered; the one above it is shared.
      const own = dirname(file);
      return own === root ? ensure(root) : make(own, ensure(dirname(own)));
    },
    takeBack() {
      for (const folder of made.splice(0).reverse()) {
        try {
          rmdirSync(folder);
        } catch {
          // Another process has put something into it.
        }
      }
      known.clear();
    },
    settle: () => void (made.length = 0),
  };
}

/** The umask takes part in what mkdir does, and only the owner of a folder may change it. */
function giveRights(folder: string, { uid, gid, folder: mode }: Rights): void {
  const found = statSync(folder);
  if (found.uid !== uid || found.gid !== gid) chownSync(folder, uid, gid);
  // A change of owner may take the set-group bit away.
  if ((statSync(folder).mode & 0o7777) !== mode) chmodSync(folder, mode);
}

function setRights(descriptor: number, rights: Rights): void {
  const found = fstatSync(descriptor);
  if (found.uid !== rights.uid || found.gid !== rights.gid) fchownSync(descriptor, rights.uid, rights.gid);
  if ((found.mode & 0o7777) !== rights.file) fchmodSync(descriptor, rights.file);
}

function keepTime(path: string, seconds: number | undefined): void {
  if (seconds === undefined) return;
  try {
    utimesSync(path, seconds, seconds);
  } catch {
    // A user who may write a file may not always date it, and no image fails for its date.
  }
}

/**
 * A rename would replace what another process has put there in this very moment; a link refuses.
 * @returns false when something is there
 */
function moveIn(temporary: string, final: string): boolean {
  try {
    linkSync(temporary, final);
    unlinkSync(temporary);
    return true;
  } catch (error) {
    const system = systemErrorCode(error);
    if (system === 'EEXIST' || statFile(final) !== undefined) {
      rmSync(temporary, { force: true });
      return false;
    }
    // File systems without hard links: what came in between has the same digest.
    if (
      system === 'EPERM' ||
      system === 'ENOTSUP' ||
      system === 'EOPNOTSUPP' ||
      system === 'ENOSYS' ||
      system === 'EMLINK'
    ) {
      onOutput(final, () => renameSync(temporary, final));
      return true;
    }
    throw outputError(error, final);
  }
}

function statFile(path: string): PlacedFile | undefined {
  return onOutput(path, () => {
    const found = statSync(path, { throwIfNoEntry: false });
    return found?.isFile() === true ? { size: found.size, version: `${found.ino} ${found.mtimeMs}` } : undefined;
  });
}

async function* readFile(path: string, ring: ReturnType<typeof createRing>): AsyncGenerator<Uint8Array> {
  const file = await onOutputAsync(path, () => openFile(path, 'r'));
  try {
    for (;;) {
      const buffer = ring.take(Number.MAX_SAFE_INTEGER);
      const { bytesRead } = await onOutputAsync(path, () => file.read(buffer, 0, buffer.length, null));
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function* listFiles(root: string, folder: string): AsyncGenerator<PlacedFile & { readonly path: string }> {
  let entries;
  try {
    entries = await opendir(folder);
  } catch (error) {
    const system = systemErrorCode(error);
    if (system === 'ENOENT' || system === 'ENOTDIR') return;
    throw outputError(error, folder);
  }
  for await (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* listFiles(root, path);
    else {
      const found = statFile(path);
      if (found !== undefined) yield { path: relative(root, path).replaceAll(sep, '/'), ...found };
    }
  }
}

async function onOutputAsync<Result>(path: string, step: () => Promise<Result>): Promise<Result> {
  try {
    return await step();
  } catch (error) {
    throw outputError(error, path);
  }
}
