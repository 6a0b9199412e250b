import { digestAlgorithm, digestHex, makeDigest, type Digest } from '../../oci/digest.ts';
import { isRepository, isTag } from '../../oci/reference.ts';

/**
 * The storage of a Distribution registry: what a path means and which path a thing has. Paths are built and parsed here
 * only.
 * @see distribution, registry/storage/paths.go
 */
export const storageRoot = 'docker/registry/v2';

/** `blobs/<algorithm>/<first two digits>/<hex>/data` */
export function blobPath(digest: Digest): string {
  const hex = digestHex(digest);
  return `${storageRoot}/blobs/${digestAlgorithm(digest)}/${hex.slice(0, 2)}/${hex}/data`;
}

/** The link by which a repository has a config or layer. */
export function layerLinkPath(repository: string, digest: Digest): string {
  return `${storageRoot}/repositories/${repository}/_layers/${digestAlgorithm(digest)}/${digestHex(digest)}/link`;
}

/** The link by which a repository has a manifest. */
export function revisionLinkPath(repository: string, digest: Digest): string {
  return (
    `${storageRoot}/repositories/${repository}/_manifests/revisions/${digestAlgorithm(digest)}/` +
    `${digestHex(digest)}/link`
  );
}

/** The link that says what a tag means now. */
export function tagCurrentPath(repository: string, tag: string): string {
  return `${storageRoot}/repositories/${repository}/_manifests/tags/${tag}/current/link`;
}

/** The link that says that a tag meant a digest once. */
export function tagIndexPath(repository: string, tag: string, digest: Digest): string {
  return (
    `${storageRoot}/repositories/${repository}/_manifests/tags/${tag}/index/${digestAlgorithm(digest)}/` +
    `${digestHex(digest)}/link`
  );
}

/** What a path inside a backup means. `root` is what stands before `blobs/` and `repositories/`. */
export type StoragePath =
  | { readonly kind: 'blob'; readonly root: string; readonly digest: Digest }
  | {
      readonly kind: 'layer-link' | 'revision-link';
      readonly root: string;
      readonly repository: string;
      readonly digest: Digest;
    }
  | {
      readonly kind: 'tag-current' | 'tag-folder';
      readonly root: string;
      readonly repository: string;
      readonly tag: string;
    }
  | {
      readonly kind: 'tag-index';
      readonly root: string;
      readonly repository: string;
      readonly tag: string;
      readonly digest: Digest;
    }
  /** Part of the tree that no image needs: folders, unfinished uploads, signatures of schema1, temporaries. */
  | { readonly kind: 'ignored'; readonly root: string }
  /** `_layers/tarsum/…`, before Distribution 2.1. */
  | { readonly kind: 'tarsum'; readonly root: string }
  /** `images/<id>/{json,layer,ancestry}`: the registry before Distribution 2. */
  | { readonly kind: 'v1'; readonly root: string }
  /** Of the tree's shape, with a name that the specification does not allow. */
  | {
      readonly kind: 'invalid';
      readonly root: string;
      readonly part: 'repository' | 'tag' | 'digest';
      readonly text: string;
    }
  /** Of the tree's shape, but it climbs out of its folders by `..`. */
  | { readonly kind: 'climbing'; readonly root: string };

const treePattern = /(?:^|\/)(?:repositories\/.*\/link|blobs\/.*\/data)$/s;
const repositoriesFolder = 'repositories/';
const wholeFolder = `${storageRoot}/${repositoriesFolder}`;

/**
 * @param path with `/` between components; leading `./` and `/` do not count, a trailing `/` marks a folder
 * @returns undefined for what is not part of a registry's storage
 */
export function parseStoragePath(path: string): StoragePath | undefined {
  const clean = cleanPath(path);
  if (clean === undefined) return treePattern.test(path) ? { kind: 'climbing', root: '' } : undefined;
  return parseBlob(clean) ?? parseRepositoryPath(clean) ?? parseV1(clean);
}

/** Without leading `./` and `/`; undefined when a component is `..`, which no registry writes. */
export function cleanPath(path: string): string | undefined {
  let start = 0;
  for (;;) {
    if (path.startsWith('./', start)) start += 2;
    else if (path.charCodeAt(start) === 47 /* / */) start += 1;
    else break;
  }
  const clean = start === 0 ? path : path.slice(start);
  if (clean.includes('..') && clean.split('/').includes('..')) return undefined;
  return clean;
}

/**
 * Where a link of an archive leads: a hard link's target counts from the archive's root, a symbolic link's from its own
 * folder.
 * @returns a path from the archive's root, undefined when it leaves the archive
 */
export function linkedPath(path: string, target: string, kind: 'hardlink' | 'symlink'): string | undefined {
  if (kind === 'hardlink') return cleanPath(target);
  if (target.startsWith('/')) return undefined;
  const parts = cleanPath(path)?.split('/').slice(0, -1);
  if (parts === undefined) return undefined;
  for (const part of target.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

function parseBlob(path: string): StoragePath | undefined {
  if (!path.endsWith('/data')) return undefined;
  const hexEnd = path.length - '/data'.length;
  const hexStart = path.lastIndexOf('/', hexEnd - 1) + 1;
  const prefixStart = path.lastIndexOf('/', hexStart - 2) + 1;
  const algorithmStart = path.lastIndexOf('/', prefixStart - 2) + 1;
  const blobsStart = algorithmStart - 'blobs/'.length;
  if (
    blobsStart < 0 ||
    !path.startsWith('blobs/', blobsStart) ||
    (blobsStart > 0 && path.charCodeAt(blobsStart - 1) !== 47)
  )
    return undefined;
  const root = rootBefore(path, blobsStart);
  const hex = path.slice(hexStart, hexEnd);
  const digest = makeDigest(path.slice(algorithmStart, prefixStart - 1), hex);
  if (digest === undefined || path.slice(prefixStart, hexStart - 1) !== hex.slice(0, 2)) {
    return { kind: 'invalid', root, part: 'digest', text: path.slice(algorithmStart, hexEnd) };
  }
  return { kind: 'blob', root, digest };
}

function parseRepositoryPath(path: string): StoragePath | undefined {
  const start = repositoriesStart(path);
  if (start < 0) return undefined;
  const nameStart = start + repositoriesFolder.length;
  const root = rootBefore(path, start);
  // A component of a name never begins with an underscore, so the first that does ends the name.
  const nameEnd = path.indexOf('/_', nameStart);
  if (nameEnd < 0) return path.endsWith('/') ? { kind: 'ignored', root } : undefined;
  const repository = path.slice(nameStart, nameEnd);
  const rest = path.slice(nameEnd + 1);
  const isLink = rest.endsWith('/link');
  if (!isLink && !rest.startsWith('_manifests/tags/')) return { kind: 'ignored', root };
  if (rest.startsWith('_uploads/')) return { kind: 'ignored', root };
  if (rest.startsWith('_layers/tarsum')) return { kind: 'tarsum', root };
  if (!isRepository(repository)) return { kind: 'invalid', root, part: 'repository', text: repository };
  if (rest.startsWith('_layers/'))
    return digestLink('layer-link', root, repository, rest.slice('_layers/'.length, -'/link'.length));
  if (rest.startsWith('_manifests/revisions/'))
    return digestLink('revision-link', root, repository, rest.slice('_manifests/revisions/'.length, -'/link'.length));
  if (rest.startsWith('_manifests/tags/')) return parseTagPath(root, repository, rest.slice('_manifests/tags/'.length));
  return { kind: 'ignored', root };
}

function parseTagPath(root: string, repository: string, rest: string): StoragePath {
  const slash = rest.indexOf('/');
  const tag = slash < 0 ? rest : rest.slice(0, slash);
  const after = slash < 0 ? '' : rest.slice(slash + 1);
  if (tag === '') return { kind: 'ignored', root };
  if (!isTag(tag)) return { kind: 'invalid', root, part: 'tag', text: tag };
  if (after === 'current/link') return { kind: 'tag-current', root, repository, tag };
  if (after === '') return { kind: 'tag-folder', root, repository, tag };
  if (!after.startsWith('index/') || !after.endsWith('/link')) return { kind: 'ignored', root };
  const digest = digestOfFolders(after.slice('index/'.length, -'/link'.length));
  if (digest === undefined) return { kind: 'invalid', root, part: 'digest', text: after };
  return { kind: 'tag-index', root, repository, tag, digest };
}

function digestLink(
  kind: 'layer-link' | 'revision-link',
  root: string,
  repository: string,
  folders: string,
): StoragePath {
  const digest = digestOfFolders(folders);
  if (digest !== undefined) return { kind, root, repository, digest };
  // revisions/<alg>/<hex>/signatures/<alg>/<hex>/link: signatures of schema1, not revisions.
  return folders.includes('/signatures/')
    ? { kind: 'ignored', root }
    : { kind: 'invalid', root, part: 'digest', text: folders };
}

function digestOfFolders(folders: string): Digest | undefined {
  const slash = folders.indexOf('/');
  return slash < 0 ? undefined : makeDigest(folders.slice(0, slash), folders.slice(slash + 1));
}

/**
 * A folder above the storage, or a repository, may itself be called `repositories`: the longest form of the tree's own
 * folders decides.
 */
function repositoriesStart(path: string): number {
  const whole = path.indexOf(wholeFolder);
  if (whole === 0 || (whole > 0 && path.charCodeAt(whole - 1) === 47)) return whole + storageRoot.length + 1;
  if (path.startsWith(repositoriesFolder)) return 0;
  if (path.startsWith('v2/repositories/')) return 3;
  const underV2 = path.indexOf('/v2/repositories/');
  if (underV2 >= 0) return underV2 + 4;
  const inside = path.indexOf('/repositories/');
  return inside < 0 ? -1 : inside + 1;
}

function parseV1(path: string): StoragePath | undefined {
  const match = /(?:^|\/)images\/[0-9a-f]{64}\/(?:json|layer|ancestry)$/.exec(path);
  return match ? { kind: 'v1', root: rootBefore(path, match.index === 0 ? 0 : match.index + 1) } : undefined;
}

function rootBefore(path: string, start: number): string {
  return start === 0 ? '' : path.slice(0, start - 1);
}
