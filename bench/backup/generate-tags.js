// @ts-check
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { benchFolder } from './generate-backup.js';
import { createTarFile } from './tar-file.js';

/** @typedef {ReturnType<typeof createTarFile>} TarFile */
/** @typedef {{ digest: string, size: number }} Blob */

// Raise it when the same number gives other bytes: cached files are then made again.
const generatorVersion = 1;
const root = 'docker/registry/v2/';
const repositories = 200;
const tagsOfImage = 50;

/**
 * Makes a backup of few images and many tags, as builds leave them that are tagged each time, or finds the one that was made.
 * @param {number} tags
 * @returns {{ file: string, tags: number }}
 */
export function generateTags(tags) {
  const file = join(benchFolder(), `tags-${tags}-${generatorVersion}.tar`);
  if (existsSync(file)) return { file, tags };
  mkdirSync(benchFolder(), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const tar = createTarFile(temporary);
    for (const folder of ['docker/', 'docker/registry/', root, `${root}blobs/`, `${root}blobs/sha256/`])
      tar.directory(folder);
    const images = Math.ceil(tags / tagsOfImage / repositories);
    const manifests = Array.from({ length: repositories }, (_, repository) =>
      Array.from({ length: images }, (_image, image) => writeImage(tar, `${repository}-${image}`)),
    );
    tar.directory(`${root}repositories/`);
    for (const [number, own] of manifests.entries()) writeRepository(tar, number, own, tags / repositories);
    tar.end();
    renameSync(temporary, file);
  } finally {
    rmSync(temporary, { force: true });
  }
  return { file, tags };
}

/** @param {TarFile} tar @param {string} name */
function writeImage(tar, name) {
  const config = writeBlob(tar, { architecture: 'amd64', os: 'linux', config: { Labels: { name } } });
  const layer = writeBlob(tar, `layer of ${name}`);
  const type = 'application/vnd.oci.image';
  const manifest = writeBlob(tar, {
    schemaVersion: 2,
    mediaType: `${type}.manifest.v1+json`,
    config: { mediaType: `${type}.config.v1+json`, ...config },
    layers: [{ mediaType: `${type}.layer.v1.tar`, ...layer }],
  });
  return { manifest, blobs: [config, layer] };
}

/** @param {TarFile} tar @param {unknown} json @returns {Blob} */
function writeBlob(tar, json) {
  const bytes = Buffer.from(JSON.stringify(json));
  const hex = sha256(bytes);
  const folder = `${root}blobs/sha256/${hex.slice(0, 2)}/${hex}/`;
  tar.directory(folder);
  tar.file(`${folder}data`, bytes.length, [bytes]);
  return { digest: `sha256:${hex}`, size: bytes.length };
}

/** @param {TarFile} tar @param {number} number @param {readonly { manifest: Blob, blobs: readonly Blob[] }[]} images @param {number} tags */
function writeRepository(tar, number, images, tags) {
  const base = `${root}repositories/team-${number % 20}/service-${String(number).padStart(5, '0')}/`;
  for (const folder of ['', '_layers/', '_layers/sha256/']) tar.directory(base + folder);
  for (const { blobs } of images) for (const { digest } of blobs) writeLink(tar, `${base}_layers/`, digest);
  for (const folder of ['_manifests/', '_manifests/revisions/', '_manifests/revisions/sha256/', '_manifests/tags/'])
    tar.directory(base + folder);
  for (const { manifest } of images) writeLink(tar, `${base}_manifests/revisions/`, manifest.digest);
  for (let tag = 0; tag < tags; tag++) {
    const { digest } = /** @type {{ manifest: Blob }} */ (images[tag % images.length]).manifest;
    const folder = `${base}_manifests/tags/1.${tag}.0-build.${sha256(`${number} ${tag}`).slice(0, 8)}/`;
    for (const name of ['', 'current/', 'index/', 'index/sha256/']) tar.directory(folder + name);
    tar.file(`${folder}current/link`, digest.length, [Buffer.from(digest)]);
    writeLink(tar, `${folder}index/`, digest);
  }
}

/** @param {TarFile} tar @param {string} base @param {string} digest */
function writeLink(tar, base, digest) {
  const folder = `${base}sha256/${digest.slice(7)}/`;
  tar.directory(folder);
  tar.file(`${folder}link`, digest.length, [Buffer.from(digest)]);
}

/** @param {Buffer | string} bytes */
function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}
