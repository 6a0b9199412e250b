import { statSync, unlinkSync } from 'node:fs';
import { opendir, open as openFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { systemErrorCode } from '../../errors.ts';
import { createFileCopier } from '../../io/file-copier.ts';
import { freeBytes } from '../../io/free-bytes.ts';
import { linkFile } from '../../io/link-file.ts';
import { onOutput, outputError } from '../../io/output-error.ts';
import type { OwnerIds } from '../../io/output-folder.ts';
import { createRing } from '../../io/ring.ts';
import { createFolders } from './folder-rights.ts';
import type { Place, PlacedFile } from './place.ts';
import { createLivePut, createTreePut } from './put-file.ts';

/** How a folder is written. */
export interface FolderPlaceOptions {
  /** A new name, each time it is called, for something unfinished on the same file system. */
  readonly temporaryPath: () => string;
  /**
   * Whether a registry may read it while it is written. Then every file appears whole and synced, nothing that is there
   * is touched, and everything new gets the owner and mode of the nearest folder that was there before: what root made
   * would lock the registry out. An export has its tree for itself until it is complete.
   */
  readonly live: boolean;
  /** Whom everything new belongs to, instead of the owner of what is there. */
  readonly owner?: OwnerIds | undefined;
  /** Called by `close`. */
  readonly onClose?: () => void;
}

/** A place that is a folder of this machine. @param root an absolute path; it is there */
export function openFolderPlace(root: string, options: FolderPlaceOptions): Place {
  let made: { readonly path: string; readonly inode: number }[] | undefined = options.live ? [] : undefined;
  const note = (path: string, inode: number): void => void made?.push({ path, inode });
  const at = (path: string): string => join(root, path);
  const folders = createFolders(root, options);
  const copier = createFileCopier();
  const putFile = options.live
    ? createLivePut({ ...options, folders, copier, isThere: (final) => statFile(final) !== undefined, note, at })
    : createTreePut({ ...options, folders, owner: options.owner });

  return {
    describe: root,
    stat: async (path) => statFile(at(path)),
    read: (path, ring = createRing()) => readFile(at(path), ring),
    list: (folder) => listFiles(root, at(folder)),
    put: (path, content, put = {}) => putFile(at(path), content, put),
    async link(path, file, size) {
      const final = at(path);
      const found = onOutput(final, () => statSync(file, { throwIfNoEntry: false }));
      if (found === undefined) return false;
      const rights = folders.makeFor(final);
      const fits = found.uid === rights.uid && found.gid === rights.gid && (found.mode & 0o7777) === rights.file;
      if (options.live && !fits) return false;
      const isNew = statFile(final) === undefined;
      if (!linkFile(file, final, size)) return false;
      if (isNew) note(final, found.ino);
      return true;
    },
    async takeBack() {
      let removed = 0;
      for (const { path, inode } of made?.splice(0).reverse() ?? []) {
        if (statSync(path, { throwIfNoEntry: false })?.ino !== inode) continue;
        onOutput(path, () => unlinkSync(path));
        removed++;
      }
      folders.takeBack();
      return removed;
    },
    settle() {
      made = undefined;
      folders.settle();
    },
    expect: (bytes) => copier.expect(bytes),
    freeBytes: () => freeBytes(root),
    async close() {
      // What threads still write lies among the temporary files.
      await copier.close();
      options.onClose?.();
    },
  };
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
