// @ts-check
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeTag } from './describe-images.js';
import { layerDigest } from './layer-bytes.js';
import { planImages } from './plan-images.js';
import { createPool } from './random.js';
import { createTarFile } from './tar-file.js';
import { writeStorage } from './write-storage.js';

/**
 * @typedef {import('./parameters.js').BackupParameters} BackupParameters
 * @typedef {object} GeneratedBackup
 * @property {string} file
 * @property {number} bytes of the file, holes included
 * @property {number} members as `tar -tf` counts them
 * @property {number} files members that are blobs or links
 * @property {number} images
 * @property {number} multiArch images that are an index
 * @property {number} repositories
 * @property {number} blobs
 * @property {number} layers
 * @property {number} seconds that making it took
 * @property {BackupParameters} parameters
 */

// Raise it when the same parameters give other bytes: cached files are then made again.
const generatorVersion = 2;

/** Where generated backups and the bench's other files lie: `REGTAR_BENCH_DIR`, or a folder of the system's temporary one. */
export function benchFolder() {
  return process.env['REGTAR_BENCH_DIR'] ?? join(tmpdir(), 'regtar-bench');
}

/**
 * Makes a backup, or finds the one that was made from the same parameters. Same parameters, same bytes.
 * @param {BackupParameters} parameters
 * @param {string} [folder]
 * @returns {GeneratedBackup}
 */
export function generateBackup(parameters, folder = benchFolder()) {
  const key = createHash('sha256')
    .update(JSON.stringify([generatorVersion, Object.entries(parameters).sort()]))
    .digest('hex')
    .slice(0, 12);
  const file = join(folder, `${parameters.name}-${key}.tar`);
  const record = `${file}.json`;
  if (existsSync(file) && existsSync(record)) return JSON.parse(readFileSync(record, 'utf8'));
  mkdirSync(folder, { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const made = { file, ...writeBackup(parameters, temporary), parameters };
    renameSync(temporary, file);
    writeFileSync(record, `${JSON.stringify(made, undefined, 2)}\n`);
    return made;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** @param {BackupParameters} parameters @param {string} path */
function writeBackup(parameters, path) {
  const started = performance.now();
  const plan = planImages(parameters);
  const pool = createPool(parameters.seed);
  // A path holds its blob's digest, so everything is hashed before the first header is written.
  const digests = plan.layers.map((layer) => layerDigest(layer, pool));
  const layers = new Map(plan.layers.map((layer) => [/** @type {string} */ (digests[layer.number]), layer]));
  const repositories = plan.repositories.map(({ name, tags }) => ({
    name,
    tags: tags.map((tag) => ({ tag: tag.tag, described: describeTag(name, tag, digests) })),
  }));
  const tar = createTarFile(path);
  const { blobs } = writeStorage(tar, { repositories, layers, pool, seed: parameters.seed });
  const { members, files, bytes } = tar.end();
  const tags = plan.repositories.flatMap((repository) => repository.tags);
  return {
    bytes,
    members,
    files,
    images: tags.length,
    multiArch: tags.filter((tag) => tag.platforms.length > 1).length,
    repositories: repositories.length,
    blobs,
    layers: layers.size,
    seconds: Math.round(performance.now() - started) / 1000,
  };
}
