import { existsSync, openSync, readdirSync, readFileSync, readSync, closeSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeDigest, type Digest } from '../oci/digest.ts';
import { isDigestList, parseDigestList } from '../select/digest-list.ts';
import type { Context } from './context.ts';
import { withBackup } from './open-backup.ts';

/** What `--base` has: a backup, an OCI layout, or a file that `--save-digests` wrote. */
export async function readBase(path: string, context: Context): Promise<ReadonlySet<Digest>> {
  if (existsSync(path) && statSync(path).isDirectory() && existsSync(join(path, 'oci-layout')))
    return layoutDigests(path);
  if (existsSync(path) && statSync(path).isFile() && isDigestList(firstBytes(path)))
    return parseDigestList(readFileSync(path, 'utf8'));
  return withBackup(
    [path],
    {},
    context,
    async ({ catalog }) => new Set([...catalog.blobs(), ...(catalog.aliases?.keys() ?? [])]),
  );
}

function layoutDigests(folder: string): ReadonlySet<Digest> {
  const digests = new Set<Digest>();
  for (const algorithm of ['sha256', 'sha512']) {
    const blobs = join(folder, 'blobs', algorithm);
    for (const hex of existsSync(blobs) ? readdirSync(blobs) : []) {
      const digest = makeDigest(algorithm, hex);
      if (digest !== undefined) digests.add(digest);
    }
  }
  return digests;
}

function firstBytes(path: string): string {
  const descriptor = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(64);
    return buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, 64, 0));
  } finally {
    closeSync(descriptor);
  }
}
