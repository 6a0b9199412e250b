import { lchownSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { RegtarError, systemErrorCode, systemReason } from '../errors.ts';
import { onOutput, outputError } from './output-error.ts';
import { lockOutput } from './output-lock.ts';
import { watchFolder } from './watched-folder.ts';
import { writeFileAtomically } from './write-file.ts';

/** A user and a group of the file system, as numbers. */
export interface OwnerIds {
  readonly uid: number;
  readonly gid: number;
}

/** How an output folder is taken. */
export interface OutputFolderOptions {
  /** Kept in the marker: one folder holds one format. */
  readonly format: string;
  /** Empties a folder that regtar made before; never one that it did not make. @defaultValue false */
  readonly force?: boolean;
  /** Whether a non-empty folder without regtar's marker may be added to all the same. @defaultValue none may */
  readonly adopt?: (path: string) => boolean;
  /** Gives every folder that is made to this owner. */
  readonly owner?: OwnerIds | undefined;
}

/** A folder that this process alone writes, with a place for what is unfinished. */
export interface OutputFolder {
  /** Absolute. */
  readonly path: string;
  /** Whether nothing was in it: what it does not hold need not be looked for. */
  readonly isFresh: boolean;
  /** A path for something unfinished, on the same file system; the next run removes what this one leaves there. */
  temporaryPath(): string;
  /** Makes a folder and those above it once, and remembers it. */
  ensureFolder(path: string): void;
  /** Makes a folder that is asked for only once, without remembering it. */
  makeFolder(path: string): void;
  /** Removes what is unfinished and lets others in. May be called twice. */
  close(): void;
}

/** The only names that regtar adds to an output: who made it, who writes it, what is unfinished. */
const markerName = '.regtar.json';
const lockName = '.regtar-lock';
const temporaryName = '.regtar-tmp';

/**
 * Opens OUT as a folder: makes it, refuses what others put there, removes what an interrupted run left.
 * @throws RegtarError OUTPUT_FOREIGN, OUTPUT_BUSY, OUTPUT_FULL, OUTPUT_UNWRITABLE
 */
export function openOutputFolder(out: string, options: OutputFolderOptions): OutputFolder {
  const path = resolve(out);
  const found = onOutput(path, () => statSync(path, { throwIfNoEntry: false }));
  if (found !== undefined && !found.isDirectory())
    throw new RegtarError('OUTPUT_FOREIGN', `${path} is a file, and this format makes a folder`, {
      where: { path },
      hint: 'choose a new or empty folder',
    });
  onOutput(path, () => mkdirSync(path, { recursive: true }));
  const names = onOutput(path, () => readdirSync(path));
  const kept = names.filter((name) => name !== lockName && name !== temporaryName && !name.startsWith(`${lockName}.`));
  const isOurs = kept.includes(markerName);
  if (kept.length > 0 && !isOurs && (options.force === true || options.adopt?.(path) !== true))
    throw foreign(path, options.force === true);
  if (isOurs) refuseOtherFormat(path, options);
  const lock = lockOutput(join(path, lockName), path);
  try {
    rmSync(join(path, temporaryName), { recursive: true, force: true });
    // Emptied with the marker last, so that an interrupted emptying is not mistaken for a foreign folder.
    if (options.force === true)
      for (const name of [...kept.filter((each) => each !== markerName), ...kept.filter((each) => each === markerName)])
        rmSync(join(path, name), { recursive: true, force: true });
    onOutput(path, () => mkdirSync(join(path, temporaryName)));
    if (kept.length === 0 || options.force === true)
      writeFileAtomically(join(path, markerName), markerOf(options.format), {
        temporary: join(path, temporaryName, 'marker'),
      });
    if (options.owner !== undefined && found === undefined) giveTo(path, options.owner);
  } catch (error) {
    rmSync(join(path, temporaryName), { recursive: true, force: true });
    lock.release();
    throw outputError(error, path);
  }

  const made = new Set<string>([path]);
  const watched = onOutput(path, () => watchFolder(path));
  let turn = 0;
  const makeFolder = (folder: string): void => {
    if (dirname(folder) === path) watched.requireSame();
    try {
      mkdirSync(folder);
      if (options.owner !== undefined) giveTo(folder, options.owner);
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST' && lstatSync(folder).isDirectory()) return;
      throw outputError(error, folder);
    }
  };
  const ensureFolder = (folder: string): void => {
    if (made.has(folder)) return;
    ensureFolder(dirname(folder));
    makeFolder(folder);
    made.add(folder);
  };
  return {
    path,
    isFresh: kept.length === 0 || options.force === true,
    temporaryPath: () => join(path, temporaryName, `${turn++}`),
    ensureFolder,
    makeFolder,
    close() {
      try {
        rmSync(join(path, temporaryName), { recursive: true, force: true });
      } catch {
        // A medium that is gone was named by what failed first; the next run removes what this one leaves.
      }
      lock.release();
    },
  };
}

/** Changes the owner of a file or folder. @throws RegtarError OUTPUT_UNWRITABLE */
export function giveTo(path: string, owner: OwnerIds): void {
  try {
    lchownSync(path, owner.uid, owner.gid);
  } catch (cause) {
    throw new RegtarError(
      'OUTPUT_UNWRITABLE',
      `${path} cannot be given to ${owner.uid}:${owner.gid}: ${systemReason(cause)}`,
      { where: { path }, cause, hint: 'run it as root, or write a .tar: its members carry the owner' },
    );
  }
}

function markerOf(format: string): Buffer {
  return Buffer.from(`${JSON.stringify({ madeBy: 'regtar', format })}\n`);
}

function refuseOtherFormat(path: string, options: OutputFolderOptions): void {
  let found = '';
  try {
    const json: unknown = JSON.parse(readFileSync(join(path, markerName), 'utf8'));
    if (typeof json === 'object' && json !== null && 'format' in json && typeof json.format === 'string')
      found = json.format;
  } catch {
    // A marker that a full disk or a power cut emptied: what it stood for is not known, so it belongs to no format.
  }
  if (found === options.format || (found !== '' && options.force === true)) return;
  throw new RegtarError(
    'OUTPUT_FOREIGN',
    found === '' ? `${path} has a damaged ${markerName}` : `${path} holds an export of the format ${found}`,
    {
      where: { path },
      hint: 'choose another OUT, or --force to replace what regtar made there',
    },
  );
}

function foreign(path: string, force: boolean): RegtarError {
  return new RegtarError('OUTPUT_FOREIGN', `${path} is not empty, and what is in it is not an export of this kind`, {
    where: { path },
    hint: force ? '--force replaces only what regtar made: choose an empty folder' : 'choose an empty or new folder',
  });
}
