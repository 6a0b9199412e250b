// @ts-check
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';

/**
 * @typedef {{ path: string, mode?: number } & ({ source: string } | { text: string } | { folder: true })} LayerFile
 * `path` is absolute; folders above it come by themselves
 */

/**
 * Writes a gzipped layer that is the same whenever its files are: sorted, owned by root, of one time.
 * @param {readonly LayerFile[]} files
 * @param {string} out
 * @param {Date} time
 * @returns {Promise<{ diffId: string, digest: string, size: number }>} `diffId` of the tar, digest and size as written
 */
export async function writeLayer(files, out, time) {
  const archive = pack();
  const tar = createHash('sha256');
  const gzip = createHash('sha256');
  const writing = pipeline(archive, observe(tar), createGzip({ level: 6 }), observe(gzip), createWriteStream(out));
  const adding = addAll(archive, withFolders(files), time);
  await Promise.all([writing, adding]);
  return { diffId: `sha256:${tar.digest('hex')}`, digest: `sha256:${gzip.digest('hex')}`, size: statSync(out).size };
}

/** @param {import('tar-stream').Pack} archive @param {readonly LayerFile[]} files @param {Date} mtime */
async function addAll(archive, files, mtime) {
  for (const file of files) {
    const header = { name: file.path.slice(1), mtime, uid: 0, gid: 0, uname: '', gname: '' };
    if ('source' in file) {
      const entry = archive.entry({ ...header, mode: file.mode ?? 0o644, size: statSync(file.source).size });
      await pipeline(createReadStream(file.source), entry);
    } else if ('text' in file) archive.entry({ ...header, mode: file.mode ?? 0o644 }, file.text);
    else archive.entry({ ...header, mode: file.mode ?? 0o755, type: 'directory' });
  }
  archive.finalize();
}

/** @param {readonly LayerFile[]} files @returns {LayerFile[]} sorted, folders before what is in them */
function withFolders(files) {
  const byPath = new Map(files.map((file) => [file.path, file]));
  for (const { path } of files) {
    for (let folder = dirname(path); folder !== '/'; folder = dirname(folder))
      if (!byPath.has(folder)) byPath.set(folder, { path: folder, folder: true });
  }
  return [...byPath.values()].sort((left, right) => (left.path < right.path ? -1 : 1));
}

/** @param {import('node:crypto').Hash} hash */
function observe(hash) {
  return new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk);
      done(undefined, chunk);
    },
  });
}
