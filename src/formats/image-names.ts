import { isDigest, type Digest } from '../oci/digest.ts';
import { isRepository, isTag } from '../oci/reference.ts';

/** A name of an image as another tool wrote it, without its registry. */
export interface ForeignName {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

/** What stands for a tag where a name has none. @see distribution/reference, TagNameOnly */
export const defaultTag = 'latest';

/**
 * Reads `docker.io/library/app:1`: a leading registry is left out, the path stays. A name with neither tag nor digest
 * is `latest`.
 * @returns undefined where it is not a name of an image
 */
export function parseForeignName(text: string): ForeignName | undefined {
  return parseName(dropRegistry(text));
}

/** The same for a name that is regtar's own: nothing is left out. */
export function parseName(text: string): ForeignName | undefined {
  const at = text.indexOf('@');
  const name = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  const repository = colon < 0 ? name : name.slice(0, colon);
  const tag = colon < 0 ? (digest === undefined ? defaultTag : undefined) : name.slice(colon + 1);
  if (!isRepository(repository) || (tag !== undefined && !isTag(tag))) return undefined;
  if (digest === undefined) return { repository, tag, digest };
  return isDigest(digest) ? { repository, tag, digest } : undefined;
}

/**
 * Leaves out a registry's host in front of a path: a first component with a dot or a port, or `localhost`.
 * @see distribution/reference, splitDockerDomain
 */
export function dropRegistry(name: string): string {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  return isRegistryHost(first) ? name.slice(slash + 1) : name;
}

/** Whether a reader would take the first component of a repository for a registry. */
export function looksLikeRegistry(repository: string): boolean {
  return dropRegistry(repository) !== repository;
}

/**
 * The whole name by which containerd keeps an image, and without which neither docker nor Kubernetes finds it there:
 * `app:1` is `docker.io/library/app:1`.
 * @see distribution/reference, ParseNormalizedNamed
 */
export function wholeName(name: string): string {
  const path = dropRegistry(name);
  const registry = path === name ? 'docker.io' : name.slice(0, -path.length - 1);
  if (registry !== 'docker.io') return name;
  return `docker.io/${path.includes('/') ? '' : 'library/'}${path}`;
}

function isRegistryHost(text: string): boolean {
  return text !== '' && (text.includes('.') || text.includes(':') || text === 'localhost');
}

/**
 * Makes a repository of the name of a file or folder: `/backups/My App.tar.gz` becomes `my-app`.
 * @returns undefined where nothing is left of it
 */
export function repositoryOfFile(path: string): string | undefined {
  const name = path.replace(/\/+$/, '').split('/').at(-1) ?? '';
  const made = name
    // Split parts are described by the first of them: `app.tar.aa and 2 more parts`.
    .replace(/[._-](?:part[._-]?)?[a-z0-9]+ and \d+ more parts?$/i, '')
    .replace(/\.(?:tar|tgz|oci)(?:\.(?:gz|zst|zstd))?$|\.(?:gz|zst|zstd)$/i, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return isRepository(made) ? made : undefined;
}
