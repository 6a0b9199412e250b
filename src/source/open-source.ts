import { statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { RegtarError, systemErrorCode } from '../errors.ts';
import { openRandomAccess } from '../io/random-access.ts';
import type { Backup } from './backup.ts';
import { openDirectory } from './directory.ts';
import { recogniseAccess } from './recognise.ts';
import { openTarFile } from './tar-file.ts';

export interface OpenSourceOptions {
  /** What `-` reads. */
  readonly stdin?: Readable | undefined;
  /** Where the spool of a stream is made: a folder on the output's file system, so that blobs are linked instead of copied. */
  readonly spoolFolder?: string | undefined;
  /** The saved index of a tar on read-only media; `<tar>.regtar-index` beside it unless told. */
  readonly indexFile?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told what a person should know before and while a source is opened: where a spool lies, that an index is stale. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/**
 * Opens SOURCE, whatever it is; content decides, never the name. Several operands become one store.
 * @throws RegtarError SOURCE_NOT_FOUND, SOURCE_UNREADABLE, SOURCE_EMPTY, SOURCE_COMPRESSED, SOURCE_NOT_TAR, SOURCE_PART_MISSING
 */
export async function openSource(operands: readonly string[], options: OpenSourceOptions = {}): Promise<Backup> {
  const [first] = operands;
  if (first === undefined) throw new RegtarError('USAGE', 'no source is given', { side: 'usage', hint: 'name the backup: `regtar inspect path/to/docker.tar`' });
  return openPath(first, options);
}

async function openPath(path: string, _options: OpenSourceOptions): Promise<Backup> {
  if (isDirectory(path)) return openDirectory(path);
  const access = openRandomAccess(path);
  try {
    recogniseAccess(access, path);
    return openTarFile(access, path);
  } catch (error) {
    access.close();
    throw error;
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT' || systemErrorCode(cause) === 'ENOTDIR') return false;
    throw new RegtarError('SOURCE_UNREADABLE', `${path} cannot be opened: ${systemErrorCode(cause) ?? String(cause)}`, { side: 'source', where: { path }, cause });
  }
}
