import { chmodSync, chownSync, fchmodSync, fchownSync, fstatSync, mkdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemErrorCode } from '../../errors.ts';
import { giveTo, type OwnerIds } from '../../io/output-folder.ts';
import { onOutput, outputError } from '../../io/output-error.ts';

/** What new files and folders get. */
export interface Rights {
  readonly uid: number;
  readonly gid: number;
  /** Permissions of folders. */
  readonly folder: number;
  /** Permissions of files. */
  readonly file: number;
}

/** Makes folders on the way to files. */
export interface Folders {
  /** Makes the folder of a file, and those above it. @returns the rights that the file gets, too */
  makeFor(file: string): Rights;
  /**
   * Makes the folders above that of a file, which belongs to the file alone and is made elsewhere.
   * @returns the rights that both get
   */
  makeAbove(file: string): Rights;
  /** @returns the rights of what `makeAbove` has made room for before; undefined where it has not */
  knownAbove(file: string): Rights | undefined;
  /** Remembers a folder that was made elsewhere and has got its name. */
  add(folder: string): void;
  /** Removes those that it has made and that are empty. */
  takeBack(): void;
  /** What was made stays, and need not be remembered. */
  settle(): void;
}

/** Every tag has three of its own: all of a million are half a gigabyte. What is forgotten is asked for again. */
const mostKnown = 16_384;

/**
 * @param root is there
 * @param options `live`: everything new gets owner and mode of the nearest folder that was there before
 */
export function createFolders(
  root: string,
  { live, owner }: { readonly live: boolean; readonly owner?: OwnerIds | undefined },
): Folders {
  const known = new Map<string, Rights>();
  let made: string[] | undefined = [];
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
      made?.push(folder);
      onOutput(folder, () => {
        giveFolderRights(folder, rights);
      });
    } else if (owner !== undefined) giveTo(folder, owner);
    return rights;
  };
  const ensure = (folder: string): Rights => {
    let rights = known.get(folder);
    if (rights === undefined) {
      rights = folder === root ? rightsOf(root) : make(folder, ensure(dirname(folder)));
      if (known.size >= mostKnown) known.clear();
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
    makeAbove(file) {
      const own = dirname(file);
      return ensure(own === root ? root : dirname(own));
    },
    knownAbove: (file) => known.get(dirname(dirname(file))),
    add: (folder) => void made?.push(folder),
    takeBack() {
      for (const folder of made?.splice(0).reverse() ?? []) {
        try {
          rmdirSync(folder);
        } catch {
          // Another process has put something into it.
        }
      }
      known.clear();
    },
    settle: () => void (made = undefined),
  };
}

/** The umask takes part in what mkdir does, and only the owner of a folder may change it. */
export function giveFolderRights(folder: string, { uid, gid, folder: mode }: Rights): void {
  let found = statSync(folder);
  if (found.uid !== uid || found.gid !== gid) {
    chownSync(folder, uid, gid);
    // That may take the set-group bit away.
    found = statSync(folder);
  }
  if ((found.mode & 0o7777) !== mode) chmodSync(folder, mode);
}

/** Gives an open file what it should have. @returns its inode */
export function giveFileRights(descriptor: number, rights: Rights): number {
  const { uid, gid, mode, ino } = fstatSync(descriptor);
  if (uid !== rights.uid || gid !== rights.gid) fchownSync(descriptor, rights.uid, rights.gid);
  if ((mode & 0o7777) !== rights.file) fchmodSync(descriptor, rights.file);
  return ino;
}
