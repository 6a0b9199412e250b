import { closeSync, fsync, openSync, rmSync, utimesSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Body } from '../../io/body.ts';
import type { FileCopier } from '../../io/file-copier.ts';
import { isWholeFile } from '../../io/link-file.ts';
import { moveUnlessThere } from '../../io/move-into-place.ts';
import { onOutput, outputError } from '../../io/output-error.ts';
import { giveTo, type OwnerIds } from '../../io/output-folder.ts';
import { giveName, writeBody, writeBodyTo, writeFullySync, writeSmallFile } from '../../io/write-file.ts';
import { giveFileRights, type Folders } from './folder-rights.ts';
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
 * surroundings.
 * @param context `note` is told what was made
 */
export function createLivePut({
  folders,
  temporaryPath,
  copier,
  isThere,
  note,
}: PutFileContext & {
  readonly copier: FileCopier;
  readonly isThere: (final: string) => boolean;
  readonly note: (final: string, inode: number) => void;
}): PutFile {
  const write = async (
    temporary: string,
    content: Uint8Array | (() => Body),
    { stored, ...options }: PutOptions,
  ): Promise<number> => {
    const copied = stored === undefined ? undefined : await copier.copy(stored, temporary, options);
    if (copied !== undefined) return copied;
    const descriptor = onOutput(temporary, () => openSync(temporary, 'w'));
    try {
      if (content instanceof Uint8Array) {
        writeFullySync(descriptor, content, 0, temporary);
        options.onBytes?.(content.length);
      } else await writeBodyTo(descriptor, temporary, content(), options);
      return descriptor;
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  };
  return async (final, content, options) => {
    const { replace = false, modified } = options;
    if (!replace && isThere(final)) return 'present';
    const rights = folders.makeFor(final);
    const temporary = temporaryPath();
    try {
      const descriptor = await write(temporary, content, options);
      let inode: number;
      try {
        inode = giveFileRights(descriptor, rights);
        // A link that a power cut emptied is named by its path, and the next run writes it again; a blob is not.
        if (!(content instanceof Uint8Array)) await sync(descriptor);
      } catch (error) {
        throw outputError(error, temporary);
      } finally {
        closeSync(descriptor);
      }
      if (replace) giveName(temporary, final);
      else if (!moveUnlessThere(temporary, final)) return 'present';
      note(final, inode);
      keepTime(final, modified);
      return 'written';
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  };
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
