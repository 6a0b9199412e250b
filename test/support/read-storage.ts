import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../../src/oci/digest.ts';
import { readGraph, type ReadImage } from './read-graph.ts';
import { storagePaths } from './storage-paths.ts';

const root = 'docker/registry/v2';

/**
 * Reads a registry's storage as a registry would serve it: a manifest needs its revision link, a blob its layer link, in the same
 * repository. Images by `repository:tag`, and by `repository@digest` what no tag ever meant and no tag reaches.
 * @throws Error when a tag leads to anything absent or changed
 */
export async function readStorage(folder: string): Promise<Record<string, ReadImage>> {
  const repositories = join(folder, root, 'repositories');
  const found: Record<string, ReadImage> = {};
  const paths = existsSync(repositories) ? readdirSync(repositories, { recursive: true, encoding: 'utf8' }) : [];
  const names = paths
    .filter((path) => path.endsWith('/_manifests'))
    .map((path) => path.slice(0, -'/_manifests'.length));
  for (const repository of names) Object.assign(found, await readRepository(folder, repository));
  return found;
}

async function readRepository(folder: string, repository: string): Promise<Record<string, ReadImage>> {
  const found: Record<string, ReadImage> = {};
  const read = (path: string): Buffer => readFileSync(join(folder, root, path));
  const isThere = (path: string): boolean => existsSync(join(folder, root, path));
  const list = (path: string): string[] => (isThere(path) ? readdirSync(join(folder, root, path)) : []);
  const fetch = async (digest: string, kind: 'manifest' | 'blob'): Promise<Buffer | undefined> => {
    const link =
      kind === 'manifest'
        ? storagePaths.revisionLink(repository, digest as Digest)
        : storagePaths.layerLink(repository, digest as Digest);
    const blob = storagePaths.blob(digest as Digest);
    return isThere(link) && isThere(blob) && read(link).toString() === digest ? read(blob) : undefined;
  };
  const manifests = `repositories/${repository}/_manifests`;
  const reached = new Set<string>();
  for (const tag of list(`${manifests}/tags`)) {
    // A tag without `current` is one that a registry lists and does not serve.
    if (!isThere(storagePaths.currentLink(repository, tag))) continue;
    const digest = read(storagePaths.currentLink(repository, tag)).toString();
    if (read(storagePaths.historyLink(repository, tag, digest as Digest)).toString() !== digest)
      throw new Error(`${repository}:${tag} has another digest in its history`);
    for (const old of list(`${manifests}/tags/${tag}/index/sha256`)) reached.add(`sha256:${old}`);
    const image = await readGraph(digest, fetch);
    for (const manifest of image.manifests.keys()) reached.add(manifest);
    found[`${repository}:${tag}`] = image;
  }
  for (const hex of list(`${manifests}/revisions/sha256`)) {
    if (!reached.has(`sha256:${hex}`)) found[`${repository}@sha256:${hex}`] = await readGraph(`sha256:${hex}`, fetch);
  }
  return found;
}
