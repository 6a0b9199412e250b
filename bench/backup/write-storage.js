// @ts-check
import { createRandom } from './random.js';
import { layerHead, layerRest } from './layer-bytes.js';

/**
 * @typedef {import('./plan-images.js').Layer} Layer
 * @typedef {import('./describe-images.js').DescribedTag} DescribedTag
 * @typedef {ReturnType<typeof import('./tar-file.js').createTarFile>} TarFile
 * @typedef {{ name: string, tags: { tag: string, described: DescribedTag }[] }} DescribedRepository
 */

const root = 'docker/registry/v2/';

/**
 * Writes `docker/` in the order in which tar meets it: folder by folder, and inside a folder in no order at all.
 * @param {TarFile} tar
 * @param {{ repositories: DescribedRepository[], layers: ReadonlyMap<string, Layer>, pool: Buffer, seed: number }} storage layers by digest
 */
export function writeStorage(tar, { repositories, layers, pool, seed }) {
  const random = createRandom(seed);
  for (const folder of ['docker/', 'docker/registry/', root]) tar.directory(folder);
  const small = new Map(
    repositories.flatMap(({ tags }) =>
      tags.flatMap(({ described }) =>
        [...described.manifests, ...described.configs].map(
          ({ digest, bytes }) => /** @type {const} */ ([digest, bytes]),
        ),
      ),
    ),
  );
  for (const half of random.shuffled(['blobs', 'repositories'])) {
    if (half === 'blobs') writeBlobs(tar, layers, small, pool, random);
    else writeRepositories(tar, repositories, random);
  }
  return { blobs: small.size + layers.size };
}

/** @param {TarFile} tar @param {ReadonlyMap<string, Layer>} layers @param {ReadonlyMap<string, Buffer>} small @param {Buffer} pool @param {import('./random.js').Random} random */
function writeBlobs(tar, layers, small, pool, random) {
  for (const folder of ['blobs/', 'blobs/sha256/']) tar.directory(root + folder);
  /** @type {Map<string, string[]>} */
  const byPrefix = new Map();
  for (const digest of [...layers.keys(), ...small.keys()]) addTo(byPrefix, digest.slice(7, 9), digest);
  for (const [prefix, digests] of random.shuffled([...byPrefix])) {
    tar.directory(`${root}blobs/sha256/${prefix}/`);
    for (const digest of random.shuffled(digests)) {
      const folder = `${root}blobs/sha256/${prefix}/${digest.slice(7)}/`;
      tar.directory(folder);
      writeBlob(tar, `${folder}data`, layers.get(digest), small.get(digest), pool);
    }
  }
}

/** @param {TarFile} tar @param {string} path @param {Layer | undefined} layer @param {Buffer | undefined} bytes @param {Buffer} pool */
function writeBlob(tar, path, layer, bytes, pool) {
  if (bytes) tar.file(path, bytes.length, [bytes]);
  else if (layer?.hole) tar.fileWithHole(path, layer.size, layerHead(layer));
  else if (layer) tar.file(path, layer.size, [layerHead(layer), ...layerRest(layer, pool)]);
}

/** @param {TarFile} tar @param {DescribedRepository[]} repositories @param {import('./random.js').Random} random */
function writeRepositories(tar, repositories, random) {
  const seen = new Set();
  tar.directory(`${root}repositories/`);
  for (const repository of [...repositories].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const parts = repository.name.split('/');
    for (let depth = 1; depth <= parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/');
      if (!seen.has(folder)) tar.directory(`${root}repositories/${folder}/`);
      seen.add(folder);
    }
    const base = `${root}repositories/${repository.name}/`;
    for (const folder of random.shuffled(['_layers', '_manifests', '_uploads'])) {
      tar.directory(`${base}${folder}/`);
      if (folder === '_layers')
        writeLinks(
          tar,
          `${base}_layers/`,
          repository.tags.flatMap(({ described }) => [
            ...described.layers,
            ...described.configs.map((config) => config.digest),
          ]),
          random,
        );
      if (folder === '_manifests') writeManifests(tar, `${base}_manifests/`, repository, random);
    }
  }
}

/** @param {TarFile} tar @param {string} base @param {DescribedRepository} repository @param {import('./random.js').Random} random */
function writeManifests(tar, base, repository, random) {
  tar.directory(`${base}revisions/`);
  writeLinks(
    tar,
    `${base}revisions/`,
    repository.tags.flatMap(({ described }) => described.manifests.map((manifest) => manifest.digest)),
    random,
  );
  tar.directory(`${base}tags/`);
  for (const { tag, described } of random.shuffled(repository.tags)) {
    const folder = `${base}tags/${tag}/`;
    const link = Buffer.from(described.root.digest);
    tar.directory(folder);
    tar.directory(`${folder}current/`);
    tar.file(`${folder}current/link`, link.length, [link]);
    tar.directory(`${folder}index/`);
    writeLinks(tar, `${folder}index/`, [described.root.digest], random);
  }
}

/** @param {TarFile} tar @param {string} base @param {string[]} digests @param {import('./random.js').Random} random */
function writeLinks(tar, base, digests, random) {
  tar.directory(`${base}sha256/`);
  for (const digest of random.shuffled([...new Set(digests)])) {
    const link = Buffer.from(digest);
    tar.directory(`${base}sha256/${digest.slice(7)}/`);
    tar.file(`${base}sha256/${digest.slice(7)}/link`, link.length, [link]);
  }
}

/** @template K, V @param {Map<K, V[]>} map @param {K} key @param {V} value */
function addTo(map, key, value) {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
