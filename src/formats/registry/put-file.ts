import { closeSync, fsync, mkdirSync, openSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Body } from '../../io/body.ts';
import type { NewFile } from '../../io/copy-worker.ts';
import type { CopiedFile, FileCopier, SmallFile } from '../../io/file-copier.ts';
import { isWholeFile } from '../../io/link-file.ts';
import { moveUnlessThere } from '../../io/move-into-place.ts';
import { onOutput, outputError } from '../../io/output-error.ts';
import { giveTo, type OwnerIds } from '../../io/output-folder.ts';
import { giveName, writeBody, writeBodyTo, writeFullySync, writeSmallFile } from '../../io/write-file.ts';
import { giveFileRights, giveFolderRights, type Folders, type Rights } from './folder-rights.ts';
import type { PutOptions } from './place.ts';

/** Makes one file of a folder. @param final its absolute path */
export type PutFile = (
  final: string,
  content: Uint8Array | (() => Body),
  options: PutOptions,
) => Promise<'written' | 'present'>;

/** What both kinds of putting need. */
export interface PutFileContext {
  readonly folders: Folders;
  readonly temporaryPath: () => string;
}

const sync = promisify(fsync);

/**
 * For a storage that a registry reads meanwhile: every file appears whole, synced, and with the rights of its
 * surroundings. Each has a folder of its own, so the two are made where nobody looks and get their name in one step,
 * which the system refuses where such a folder holds anything.
 * @param context `note` is told what was made
 */
export function createLivePut({
  folders,
  temporaryPath,
  copier,
  isThere,
  note,
  at,
}: PutFileContext & {
  readonly copier: FileCopier;
  /** The absolute path of one in the place. */
  readonly at: (path: string) => string;
  readonly isThere: (final: string) => boolean;
  readonly note: (final: string, inode: number) => void;
}): PutFile {
  /** Absolute paths of files that were made together with others, and are put only now. */
  const madeAlong = new Set<string>();
  /** @returns its inode */
  const write = async (
    path: string,
    content: Uint8Array | (() => Body),
    rights: Rights,
    options: PutOptions,
  ): Promise<number> => {
    const descriptor = onOutput(path, () => openSync(path, 'wx'));
    try {
      if (content instanceof Uint8Array) {
        writeFullySync(descriptor, content, 0, path);
        options.onBytes?.(content.length);
      } else await writeBodyTo(descriptor, path, content(), options);
      const inode = giveFileRights(descriptor, rights);
      // A link that a power cut emptied is named by its path, and the next run writes it again; a blob is not.
      if (!(content instanceof Uint8Array)) await sync(descriptor);
      return inode;
    } catch (error) {
      throw outputError(error, path);
    } finally {
      closeSync(descriptor);
    }
  };
  const replaceFile: PutFile = async (final, content, options) => {
    const rights = folders.makeFor(final);
    const temporary = temporaryPath();
    try {
      const inode = await write(temporary, content, rights, options);
      giveName(temporary, final);
      note(final, inode);
      return 'written';
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  };
  /** Only where the folders above are there already: none must remain of a blob that turns out to be damaged. */
  const nextFile = (next: PutOptions['next']): SmallFile | undefined => {
    if (next === undefined) return undefined;
    const final = at(next.path);
    const rights = folders.knownAbove(final);
    return rights && { file: newFile(final, temporaryPath(), rights), content: next.content };
  };
  /** Makes the file with its folder. @returns its inode, and whether the folder has its name */
  const make = async (
    file: NewFile,
    content: Uint8Array | (() => Body),
    { stored, next, ...options }: PutOptions,
  ): Promise<CopiedFile> => {
    const copied = content instanceof Uint8Array ? content : stored;
    const small = nextFile(next);
    const made = copied === undefined ? undefined : await copier.make(file, copied, { ...options, next: small });
    if (small !== undefined && made?.next !== undefined) {
      const final = join(small.file.final, small.file.name);
      folders.add(small.file.final);
      note(final, made.next);
      madeAlong.add(final);
    }
    if (made !== undefined) return made;
    const { temporary, name, rights } = file;
    onOutput(temporary, () => mkdirSync(temporary));
    const inode = await write(join(temporary, name), content, rights, options);
    onOutput(temporary, () => {
      giveFolderRights(temporary, rights);
    });
    return { inode, isNamed: isMoved(temporary, file.final) };
  };
  return async (final, content, options) => {
    if (options.replace === true) return replaceFile(final, content, options);
    if (madeAlong.delete(final)) return 'written';
    if (options.isAbsent !== true && isThere(final)) return 'present';
    const own = dirname(final);
    const file = newFile(final, temporaryPath(), folders.makeAbove(final));
    let isNamed = false;
    try {
      const made = await make(file, content, options);
      ({ isNamed } = made);
      if (isNamed) folders.add(own);
      else {
        // There is such a folder: another process has been quicker, or something else has been put into it.
        folders.makeFor(final);
        if (!moveUnlessThere(join(file.temporary, file.name), final)) return 'present';
      }
      note(final, made.inode);
      return 'written';
    } finally {
      if (!isNamed) rmSync(file.temporary, { recursive: true, force: true });
    }
  };
}

function newFile(final: string, temporary: string, rights: Rights): NewFile {
  return { temporary, final: dirname(final), name: basename(final), rights };
}

/** Gives a folder its name. @returns false where that cannot be, mostly because such a folder holds something */
function isMoved(temporary: string, final: string): boolean {
  try {
    renameSync(temporary, final);
    return true;
  } catch {
    return false;
  }
}

/**
 * For an export's tree, which is not read before it is complete: links are written in place, which is several times
 * faster, and one of another size was cut when an earlier run ended, so it is written again.
 */
export function createTreePut({
  folders,
  temporaryPath,
  owner,
}: PutFileContext & { readonly owner: OwnerIds | undefined }): PutFile {
  const putInPlace = (final: string, bytes: Uint8Array, modified: number | undefined): 'written' | 'present' => {
    const isThere = isWholeFile(final, bytes.length);
    if (!isThere) {
      folders.makeFor(final);
      writeSmallFile(final, bytes);
      if (owner !== undefined) giveTo(final, owner);
    }
    keepTime(final, modified);
    return isThere ? 'present' : 'written';
  };
  return async (final, content, { replace = false, modified, ...options }) => {
    if (!replace && content instanceof Uint8Array) return putInPlace(final, content, modified);
    folders.makeFor(final);
    const temporary = temporaryPath();
    try {
      if (content instanceof Uint8Array) {
        writeSmallFile(temporary, content);
        options.onBytes?.(content.length);
      } else await writeBody(temporary, content(), options);
      if (owner !== undefined) giveTo(temporary, owner);
      giveName(temporary, final);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    keepTime(final, modified);
    return 'written';
  };
}

function keepTime(path: string, seconds: number | undefined): void {
  if (seconds === undefined) return;
  try {
    utimesSync(path, seconds, seconds);
  } catch {
    // A user who may write a file may not always date it, and no image fails for its date.
  }
}
