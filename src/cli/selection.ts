import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { RegtarError, systemErrorCode } from '../errors.ts';
import { parsePlatform, type Platform } from '../oci/platform.ts';
import { createFilter, parseImagesList, type ImageFilter } from '../select/filter.ts';
import type { BackupOptions } from './open-backup.ts';

export interface SelectionOptions extends BackupOptions {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly images?: string;
  readonly platform?: readonly string[];
}

export interface Selection {
  readonly filter: ImageFilter;
  readonly wanted: ReadonlySet<string> | undefined;
  readonly platforms: readonly Platform[];
}

/** @throws RegtarError FILTER_INVALID, REFERENCE_INVALID, USAGE */
export async function readSelection(options: SelectionOptions): Promise<Selection> {
  const wanted = options.images === undefined ? undefined : parseImagesList(await readTextFile(options.images));
  return {
    filter: createFilter({ include: options.include, exclude: options.exclude, images: wanted }),
    wanted,
    platforms: (options.platform ?? []).map(parsePlatform),
  };
}

/** A small file that the person named; `-` is standard input. @throws RegtarError USAGE */
export async function readTextFile(path: string): Promise<string> {
  if (path === '-') return text(process.stdin);
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new RegtarError('USAGE', `${path} cannot be read: ${systemErrorCode(cause) ?? String(cause)}`, {
      where: { path },
      cause,
    });
  }
}
