import { existsSync, statSync } from 'node:fs';
import { basename, normalize } from 'node:path';
import { RegtarError, systemErrorCode, systemReason } from '../errors.ts';
import { concatRandomAccess, openRandomAccess, type RandomAccess } from '../io/random-access.ts';
import { refuseOverlap } from '../io/overlap.ts';
import { readRange } from '../io/read-range.ts';
import { isFarOperand } from './far/operand.ts';
import { openDirectory } from './directory.ts';
import { isPlainFile } from './part-bytes.ts';
import { findParts, refuseMissingFirst } from './parts.ts';
import { openCompressed, openNamedPipe, openStandardInput } from './open-stream.ts';
import { indexSuffix } from './index-suffix.ts';
import { recogniseAccess } from './source-form.ts';
import { openSeveral } from './several.ts';
import type { GivenSource, OpenedSource, SingleSource } from './opened-source.ts';
import type { OpenSourceOptions } from './options.ts';
import { volumesIn } from './volume-folder.ts';
import { openTarFile } from './tar-file.ts';

/**
 * Opens SOURCE in any form; content decides, never the name. Several operands become one store, oldest first.
 * @param operands paths, globs, the first of several parts, or `-`
 * @throws RegtarError SOURCE_NOT_FOUND, SOURCE_UNREADABLE, SOURCE_EMPTY, SOURCE_COMPRESSED, SOURCE_NOT_TAR,
 * SOURCE_PART_MISSING
 */
export async function openSource(operands: readonly string[], options: OpenSourceOptions = {}): Promise<OpenedSource> {
  const groups = await groupParts(await expandGlobs(operands), options);
  if (groups.length > 1 && (options.indexFile !== undefined || options.recordIndex === true)) {
    throw new RegtarError('USAGE', `an index belongs to one tar; ${groups.length} sources are given`, {
      hint: 'run `regtar index` for each of them: each is found beside its own tar',
    });
  }
  const backups: SingleSource[] = [];
  try {
    for (const parts of groups) backups.push(await openParts(parts, options));
  } catch (error) {
    await Promise.all(backups.map((backup) => backup.close()));
    throw error;
  }
  const [first, second] = backups;
  if (first === undefined)
    throw new RegtarError('USAGE', 'no source is given', {
      hint: 'name the backup: `regtar inspect path/to/docker.tar`',
    });
  const given = backups.map(({ describe, format, bytes, version }, index): GivenSource => ({
    name: describe,
    format,
    bytes,
    files: (groups[index] ?? []).filter((path) => path !== '-' && !isFarOperand(path) && isPlainFile(path)),
    paths: (groups[index] ?? []).filter((path) => path !== '-' && !isFarOperand(path)),
    ...(version !== undefined && { version }),
  }));
  return { ...(second === undefined ? first : openSeveral(backups)), given };
}

/** What a shell left alone: quoted patterns, and patterns of programs that start no shell. */
async function expandGlobs(operands: readonly string[]): Promise<string[]> {
  const paths: string[] = [];
  for (const operand of operands) {
    if (operand === '-' || isFarOperand(operand) || !/[*?[{]/.test(operand) || existsSync(operand))
      paths.push(...(volumesIn(operand) ?? [operand]));
    else {
      const { default: glob } = await import('fast-glob');
      const found = (await glob(operand, { onlyFiles: false })).filter((path) => !path.endsWith(indexSuffix)).sort();
      if (found.length === 0)
        throw new RegtarError('SOURCE_NOT_FOUND', `nothing matches ${operand}`, {
          where: { path: operand },
          hint: 'name the backup: `regtar inspect path/to/docker.tar`',
        });
      paths.push(...found);
    }
  }
  return paths;
}

/** Parts of one backup become one group, whether one of them is named or all are; a note says what is joined. */
async function groupParts(
  paths: readonly string[],
  { signal, onNotice }: OpenSourceOptions,
): Promise<(readonly string[])[]> {
  const groups: (readonly string[])[] = [];
  const used = new Set<string>();
  for (const path of paths) {
    const isPath = path !== '-' && !isFarOperand(path);
    if (used.has(isPath ? normalize(path) : path)) continue;
    if (isPath && !existsSync(path)) await refuseMissingFirst(path);
    const parts = !isPath || isDirectory(path) ? undefined : await findParts(path, signal);
    const group = parts ?? [path];
    group.forEach((part) => used.add(isPath ? normalize(part) : part));
    groups.push(group);
    if (parts !== undefined)
      onNotice?.(
        `${parts[0] ?? ''} to ${basename(parts.at(-1) ?? '')} are read as one archive of ${parts.length} parts`,
      );
  }
  return groups;
}

async function openParts(paths: readonly string[], options: OpenSourceOptions): Promise<SingleSource> {
  const [path = ''] = paths;
  // Loaded on use: a client costs as much as Node's own start.
  if (isFarOperand(path)) return (await import('./far/open-far.ts')).openFarSource(path, options);
  if (path === '-' || isDirectory(path)) {
    refuseIndex(path === '-' ? 'standard input' : `${path}, a folder,`, options);
    return path === '-' ? openStandardInput(options) : openDirectory(path, { trustLinks: options.trustLinks ?? false });
  }
  if (existsSync(path) && !statSync(path).isFile()) {
    refuseIndex(`${path}, a pipe or a device,`, options);
    return openNamedPipe(path, options);
  }
  const more = paths.length - 1;
  const describe = more === 0 ? path : `${path} and ${more} more ${more === 1 ? 'part' : 'parts'}`;
  const access = openAll(paths);
  try {
    const form = recogniseAccess(access, path);
    if (options.recordIndex === true && options.indexFile !== undefined)
      refuseOverlap([{ name: 'the index', path: options.indexFile }], paths);
    if (form === 'tar') return await openTar(access, describe, path, options);
    refuseIndex(`${path}, which is compressed,`, options);
    return await openCompressed(
      { chunks: readRange(access, 0, access.size), form, describe, bytes: access.size, release: () => access.close() },
      options,
    );
  } catch (error) {
    access.close();
    throw error;
  }
}

/** A tar that can be sought, with the index that was made of it. */
async function openTar(
  access: RandomAccess,
  describe: string,
  path: string,
  options: OpenSourceOptions,
): Promise<SingleSource> {
  const indexPath = options.indexFile ?? `${path}${indexSuffix}`;
  const keepCopies = options.keep === 'small';
  if (options.recordIndex !== true && !existsSync(indexPath)) {
    if (options.indexFile !== undefined)
      options.onNotice?.(`INDEX_STALE: ${indexPath} does not exist; ${describe} is scanned`);
    return openTarFile(access, describe, { keepCopies });
  }
  const { createIndexWriter, indexedFile, openSavedIndex } = await import('./saved-index.ts');
  if (options.recordIndex === true)
    return openTarFile(access, describe, { indexWriter: createIndexWriter(indexPath, indexedFile(access)) });
  const index = openSavedIndex(indexPath, indexedFile(access));
  if (index !== undefined && 'replay' in index) return openTarFile(access, describe, { index });
  options.onNotice?.(
    `INDEX_STALE: the saved index ${indexPath} is ignored: ${index?.stale ?? 'it is not there any more'}; ` +
      `${describe} is scanned, and ` +
      `\`regtar index\` makes a new one`,
  );
  return openTarFile(access, describe, { keepCopies });
}

/** What cannot be sought has no index. */
function refuseIndex(what: string, options: OpenSourceOptions): void {
  if (options.indexFile === undefined && options.recordIndex !== true) return;
  throw new RegtarError('USAGE', `${what} cannot have an index: only a tar in a file can be read at any place`, {
    hint: 'leave the index out, or store the tar uncompressed in a file',
  });
}

function openAll(paths: readonly string[]): RandomAccess {
  const pieces: RandomAccess[] = [];
  try {
    for (const path of paths) pieces.push(openRandomAccess(path));
  } catch (error) {
    pieces.forEach((piece) => piece.close());
    throw error;
  }
  const [only] = pieces;
  return only !== undefined && pieces.length === 1 ? only : concatRandomAccess(pieces);
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT' || systemErrorCode(cause) === 'ENOTDIR') return false;
    throw new RegtarError('SOURCE_UNREADABLE', `${path} cannot be read: ${systemReason(cause)}`, {
      where: { path },
      cause,
    });
  }
}
