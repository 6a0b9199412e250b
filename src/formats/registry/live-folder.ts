import {
  accessSync,
  constants,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { RegtarError, systemReason } from '../../errors.ts';
import type { OwnerIds } from '../../io/output-folder.ts';
import { isProcessAlive } from '../../io/process-alive.ts';
import { isJsonObject } from '../../io/try-json.ts';
import { openFolderPlace } from './folder-place.ts';
import { storageRoot } from './layout.ts';
import type { Place } from './place.ts';

/** How the storage of a registry that runs is opened. */
export interface LiveFolderOptions {
  /** Whom everything new belongs to. @defaultValue the owner of what is there */
  readonly owner?: OwnerIds | undefined;
  /** Whether nothing will be written: `--dry-run`. @defaultValue false */
  readonly isReadOnly?: boolean | undefined;
}

/**
 * Beside `docker/`, where no registry looks. A process that was killed leaves its own behind; the next one removes it,
 * after a day where it cannot see whether it was killed.
 */
const temporaryPrefix = '.regtar-tmp-';
const dayMilliseconds = 24 * 3600 * 1000;

/**
 * Opens the folder that a registry serves, to write into it.
 * @param folder the registry's `rootdirectory`: what holds `docker/registry/v2`, or is empty as long as nothing was
 * pushed
 * @throws RegtarError STORAGE_FOREIGN for anything else, OUTPUT_UNWRITABLE where files could not be made as the
 * registry needs them
 */
export async function openLiveFolder(folder: string, options: LiveFolderOptions = {}): Promise<Place> {
  const root = resolve(folder);
  requireFolder(root);
  const temporary = join(root, `${temporaryPrefix}${randomBytes(6).toString('hex')}`);
  let turn = 0;
  const place = openFolderPlace(root, {
    live: true,
    owner: options.owner,
    temporaryPath: () => join(temporary, String(turn++)),
    onClose: () => rmSync(temporary, { recursive: true, force: true }),
  });
  await requireStorage(place, root);
  if (options.isReadOnly === true) return place;
  try {
    removeLeftovers(root, (path) => holderOf(path) === 'dead');
    mkdirSync(temporary, { mode: 0o700 });
    writeFileSync(join(temporary, 'holder'), JSON.stringify(self()));
    // The clock of the file system, which may be another machine's: ours may have jumped.
    const now = statSync(temporary).mtimeMs;
    removeLeftovers(root, (path, modified) => now - modified > dayMilliseconds && holderOf(path) === 'unknown');
    await tryRights(place, root);
  } catch (error) {
    await place.close();
    throw cannotWrite(error, root);
  }
  return place;
}

function requireFolder(root: string): void {
  const found = statSync(root, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return;
  throw new RegtarError('STORAGE_FOREIGN', `${root} ${found === undefined ? 'does not exist' : 'is not a folder'}`, {
    where: { path: root },
    hint: "name the folder that holds `docker/registry/v2`, as it is mounted here; Harbor's is /data/registry",
  });
}

/** A registry without a single push has an empty folder. */
async function requireStorage(place: Place, root: string): Promise<void> {
  for await (const _file of place.list(storageRoot)) return;
  for await (const { path } of place.list('')) {
    if (path.startsWith(temporaryPrefix) || path.startsWith('lost+found/')) continue;
    const isBelow = /^(?:blobs|repositories)\//.test(path) || /^(?:registry\/v2|v2)\//.test(path);
    const isLayout = /(?:^|\/)(?:oci-layout|index\.json)$/.test(path);
    throw new RegtarError(
      'STORAGE_FOREIGN',
      `${root} is not the storage of a docker-registry or Harbor: it holds ${path}`,
      {
        where: { path: root },
        hint: isBelow
          ? 'name the folder above `docker/registry/v2`'
          : `it holds no docker/registry/v2${isLayout ? ", and looks like zot's or an OCI layout" : ''}; other ` +
            'registries take images through the API: leave --storage out',
      },
    );
  }
}

/** Does once what every blob needs, so that it fails before the first. */
async function tryRights(place: Place, root: string): Promise<void> {
  // The nearest folder that is there decides about owner and mode.
  let existing = join(root, storageRoot, 'blobs/sha256');
  while (statSync(existing, { throwIfNoEntry: false }) === undefined) existing = dirname(existing);
  accessSync(existing, constants.W_OK | constants.X_OK);
  const repositories = join(root, storageRoot, 'repositories');
  if (statSync(repositories, { throwIfNoEntry: false }) !== undefined)
    accessSync(repositories, constants.W_OK | constants.X_OK);
  const probe = `${existing.slice(root.length + 1)}/.regtar-probe-${randomBytes(6).toString('hex')}/file`.replace(
    /^\//,
    '',
  );
  try {
    await place.put(probe, () => emptyBody());
  } finally {
    await place.takeBack();
  }
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(0);
}

function cannotWrite(error: unknown, root: string): RegtarError {
  const cause = error instanceof RegtarError ? error.cause : error;
  const system = systemReason(cause);
  const reason =
    system === 'EROFS'
      ? 'the file system is read-only'
      : system === 'EACCES' || system === 'EPERM'
        ? "permission denied, or this account may not give files to the registry's owner"
        : system;
  if (system === 'ENOSPC' || system === 'EDQUOT')
    return new RegtarError('OUTPUT_FULL', `${root} cannot be written: the disk is full`, {
      where: { path: root },
      cause,
      hint: 'make room there, then run the same command again',
    });
  return new RegtarError('OUTPUT_UNWRITABLE', `${root} cannot be written: ${reason}`, {
    where: { path: root },
    cause,
    hint:
      'run it as root, or as the user that the registry runs as (Harbor: 10000), where the storage is ' +
      'mounted for writing',
  });
}

function removeLeftovers(root: string, isLeft: (path: string, modifiedMilliseconds: number) => boolean): void {
  for (const name of readdirSync(root)) {
    if (!name.startsWith(temporaryPrefix)) continue;
    const path = join(root, name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found !== undefined && isLeft(path, found.mtimeMs)) rmSync(path, { recursive: true, force: true });
  }
}

/** Whether who made a folder of unfinished files runs; unknown where its processes cannot be seen from here. */
function holderOf(path: string): 'alive' | 'dead' | 'unknown' {
  try {
    const holder: unknown = JSON.parse(readFileSync(join(path, 'holder'), 'utf8'));
    if (!isJsonObject(holder) || typeof holder.pid !== 'number') return 'unknown';
    const here = self();
    if (holder.host !== here.host || holder.space !== here.space) return 'unknown';
    return isProcessAlive(holder.pid) ? 'alive' : 'dead';
  } catch {
    return 'unknown';
  }
}

function self(): { readonly host: string; readonly pid: number; readonly space: string } {
  return { host: hostname(), pid: process.pid, space: processSpace() };
}

/**
 * Where a number means the same process: one boot of one machine, and there one container. Containers often have the
 * name of their machine, and machines the name of others.
 * @see pid_namespaces(7)
 */
function processSpace(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}
