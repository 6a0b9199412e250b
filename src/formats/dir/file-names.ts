import { join } from 'node:path';
import { digestAlgorithm, digestHex, isDigest, type Digest } from '../../oci/digest.ts';
import { isRepository, isTag } from '../../oci/reference.ts';

/** How folders of images are called: as `skopeo sync` reads them, or so that exFAT and NTFS take them. */
export type PathStyle = 'skopeo' | 'safe';

interface Named {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly root: { readonly digest: Digest };
}

/**
 * The folder of an image beneath OUT: `repository:tag` or `repository@sha256:hex`. In the style `safe` the colon is
 * `=`, and capital letters of a tag are `!` and the small letter, since `Latest` and `latest` are one name there; a dot
 * at the end is `.!`. No two images share a folder.
 */
export function imageFolderName({ repository, tag, root }: Named, style: PathStyle): string {
  if (style === 'skopeo') return tag === undefined ? `${repository}@${root.digest}` : `${repository}:${tag}`;
  if (tag === undefined) return `${safeRepository(repository)}@${root.digest.replace(':', '=')}`;
  return (
    `${safeRepository(repository)}=` +
    `${tag.replaceAll(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`).replace(/\.$/, '.!')}`
  );
}

/**
 * The name of a blob in skopeo's `dir`: bare hex for sha256.
 * @see containers/image, directory/directory_transport.go
 */
export function blobFileName(digest: Digest): string {
  return digestAlgorithm(digest) === 'sha256' ? digestHex(digest) : `${digestAlgorithm(digest)}-${digestHex(digest)}`;
}

/** The name of an index's child in skopeo's `dir`. */
export function childFileName(digest: Digest): string {
  return `${blobFileName(digest)}.manifest.json`;
}

/**
 * The command that takes a tree of images to a registry as it is. Without `--scoped` skopeo keeps only the last
 * component of a name, without `--all` it skips multi-arch images, without `--preserve-digests` it compresses what was
 * stored uncompressed, without `--keep-going` one image that it cannot copy ends the run. It cuts OUT off the
 * names only where OUT is written as it writes it itself: `./out` would become a part of them.
 */
export function skopeoSyncCommand(out: string, target = 'registry.example.com'): string {
  const folder = join(out, '.');
  const quoted = /^[\w@%+=:,./-]+$/.test(folder) ? folder : `'${folder.replaceAll("'", "'\\''")}'`;
  return `skopeo sync --src dir --dest docker --scoped --all --preserve-digests --keep-going ${quoted} ${target}`;
}

/** Windows takes some names for devices, with anything after their first dot. */
function safeRepository(repository: string): string {
  return repository
    .split('/')
    .map((component) => component.replace(/^(con|prn|aux|nul|com[1-9]|lpt[1-9])(?=$|\.)/, '!$1'))
    .join('/');
}

/**
 * Reads the path of an image's folder, in either style: the opposite of `imageFolderName`.
 * @returns undefined where the path is not a name of an image
 */
export function parseImageFolder(
  path: string,
): { readonly repository: string; readonly tag: string | undefined } | undefined {
  const at = path.lastIndexOf('@');
  if (at > 0) {
    const repository = plainRepository(path.slice(0, at));
    return isRepository(repository) && isDigest(path.slice(at + 1).replace('=', ':'))
      ? { repository, tag: undefined }
      : undefined;
  }
  const slash = path.lastIndexOf('/');
  const colon = path.indexOf(':', slash + 1);
  const mark = colon > 0 ? colon : path.indexOf('=', slash + 1);
  if (mark < 0) return undefined;
  const repository = colon > 0 ? path.slice(0, mark) : plainRepository(path.slice(0, mark));
  const tag = colon > 0 ? path.slice(mark + 1) : plainTag(path.slice(mark + 1));
  return isRepository(repository) && isTag(tag) ? { repository, tag } : undefined;
}

function plainTag(tag: string): string {
  return tag.replace(/\.!$/, '.').replaceAll(/!([a-z])/g, (_mark, letter: string) => letter.toUpperCase());
}

function plainRepository(repository: string): string {
  return repository.replaceAll('!', '');
}
