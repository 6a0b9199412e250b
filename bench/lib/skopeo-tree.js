// @ts-check
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @param {string} folder that holds `docker/registry/v2`
 * @returns {Map<string, string>} `repository:tag` → digest
 */
export function readTags(folder) {
  const repositories = join(folder, 'docker/registry/v2/repositories');
  const links = readdirSync(repositories, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('/current/link'),
  );
  return new Map(
    links.map((path) => {
      const [, repository, tag] = /^(.+)\/_manifests\/tags\/([^/]+)\/current\/link$/.exec(path) ?? [];
      return [`${repository}:${tag}`, readFileSync(join(repositories, path), 'utf8').trim()];
    }),
  );
}

/**
 * What a row needs to let skopeo push the same images.
 * @param {import('./bench.js').Bench} bench
 * @param {string} file the backup
 */
export function unpackForSkopeo(bench, file) {
  const unpacked = bench.fresh('unpacked');
  const tree = bench.fresh('tree');
  mkdirSync(unpacked);
  execFileSync('tar', ['-xf', file, '-C', unpacked]);
  buildSkopeoTree(unpacked, tree);
  return { unpacked, tree, expected: readTags(unpacked) };
}

/**
 * Links every tag of an unpacked storage into a tree that `skopeo sync --src dir` takes, so that skopeo is measured on the same images
 * whether or not regtar can export them.
 * @param {string} unpacked the folder that holds `docker/registry/v2`
 * @param {string} out
 */
function buildSkopeoTree(unpacked, out) {
  rmSync(out, { recursive: true, force: true });
  const v2 = join(unpacked, 'docker/registry/v2');
  const dataOf = (/** @type {string} */ digest) =>
    join(v2, 'blobs/sha256', digest.slice(7, 9), digest.slice(7), 'data');
  const link = (/** @type {string} */ digest, /** @type {string} */ target) => {
    try {
      linkSync(dataOf(digest), target);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
  };
  for (const [name, root] of readTags(unpacked)) {
    const target = join(out, name);
    mkdirSync(target, { recursive: true });
    linkManifest(root, join(target, 'manifest.json'), target);
    writeFileSync(join(target, 'version'), 'Directory Transport Version: 1.1\n');
  }

  /** @param {string} digest @param {string} name @param {string} target */
  function linkManifest(digest, name, target) {
    link(digest, name);
    const manifest = JSON.parse(readFileSync(dataOf(digest), 'utf8'));
    for (const child of manifest.manifests ?? [])
      linkManifest(child.digest, join(target, `${child.digest.slice(7)}.manifest.json`), target);
    for (const blob of manifest.config ? [manifest.config, ...manifest.layers] : [])
      link(blob.digest, join(target, blob.digest.slice(7)));
  }
}
