import { dirname, resolve } from 'node:path';
import { RegtarError } from '../errors.ts';
import { freeBytes } from './free-bytes.ts';
import { formatBytes } from './sizes.ts';

/**
 * Refuses to begin a file that the disk cannot hold.
 * @param out where it will be
 * @param bytes how many it will have at least
 * @param options hint: what else can be done
 * @throws RegtarError OUTPUT_FULL
 */
export function requireRoom(
  out: string,
  bytes: number,
  { hint = 'choose another disk, or a folder as OUT: there, zeros take no room' }: { readonly hint?: string } = {},
): void {
  const free = freeBytes(dirname(resolve(out)));
  if (free === undefined || bytes <= free) return;
  throw new RegtarError(
    'OUTPUT_FULL',
    `${out} needs ${formatBytes(bytes)}, and its file system has ${formatBytes(free)} free`,
    {
      where: { path: out },
      hint,
    },
  );
}
