import { createReadStream, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Body } from '../io/body.ts';
import { openRandomAccess, readFullySync } from '../io/random-access.ts';
import { readRange } from '../io/read-range.ts';
import { scanTar } from '../tar/scan.ts';

/** Files by path, of a folder or of an archive. */
export interface Files {
  readonly describe: string;
  /** In bytes; undefined when there is no such file. */
  size(path: string): number | undefined;
  /** A small file whole. */
  read(path: string): Uint8Array | undefined;
  open(path: string): Body;
  close(): void;
}

/** A folder on disk. Links are not followed. */
export function openFolder(folder: string): Files {
  const size = (path: string): number | undefined => {
    const found = lstatSync(join(folder, path), { throwIfNoEntry: false });
    return found?.isFile() === true ? found.size : undefined;
  };
  return {
    describe: folder,
    size,
    read: (path) => (size(path) === undefined ? undefined : readFileSync(join(folder, path))),
    open: (path) => createReadStream(join(folder, path), { highWaterMark: 1024 * 1024 }),
    close: () => undefined,
  };
}

/** A plain tar that can be sought; nothing is unpacked. @throws RegtarError SOURCE_NOT_FOUND, SOURCE_UNREADABLE */
export async function openArchive(path: string, signal: AbortSignal): Promise<Files> {
  const access = openRandomAccess(path);
  const members = new Map<string, { readonly start: number; readonly size: number }>();
  try {
    await scanTar(
      access,
      ({ path: name, kind, start, size, runs }) => {
        if (kind === 'file' && runs === undefined) members.set(name.replace(/^\.\//, ''), { start, size });
      },
      { signal },
    );
  } catch (error) {
    access.close();
    throw error;
  }
  return {
    describe: path,
    size: (name) => members.get(name)?.size,
    read(name) {
      const member = members.get(name);
      if (member === undefined) return undefined;
      const bytes = Buffer.alloc(member.size);
      return bytes.subarray(0, readFullySync(access, bytes, 0, member.size, member.start));
    },
    open(name) {
      const { start, size } = members.get(name) ?? { start: 0, size: 0 };
      return readRange(access, start, size);
    },
    close: () => access.close(),
  };
}
