import { isSha256HexAt, sha256FromHexAt, type Digest } from '../../oci/digest.ts';
import { isTag } from '../../oci/reference.ts';
import type { Entry } from '../../source/backup.ts';
import { parseStoragePath, type StoragePath } from './layout.ts';

/** Reads the paths of a backup's members one after the other. */
export interface PathReader {
  /** @returns what `parseStoragePath` says of the entry's path */
  read(entry: Pick<Entry, 'path' | 'pathBytes'>): StoragePath | undefined;
}

/** What stood before the last blob or link that was read in full: most paths behind it begin with the same bytes. */
interface Known {
  prefix: Buffer;
  root: string;
  /** Of links. */
  repository: string;
}

/**
 * Makes the sha256 digest of the 64 hexadecimal digits at `at`, or finds the one that is known.
 * @returns undefined where there are none
 */
export type DigestReader = (bytes: Uint8Array, at: number) => Digest | undefined;

/** Answers for what is not said by a `StoragePath`. `elsewhere`: not of the usual form, ask `parseStoragePath`. */
type Tail = StoragePath | 'nothing' | 'elsewhere';

const longestPath = 4096;
const slash = 47;
const hexBytes = 64;
const layers = Buffer.from('_layers/sha256/');
const revisions = Buffer.from('_manifests/revisions/sha256/');
const tags = Buffer.from('_manifests/tags/');
const current = Buffer.from('/current/link');
const currentFolder = Buffer.from('/current/');
const index = Buffer.from('/index/sha256/');
const indexFolder = Buffer.from('/index/');
const link = Buffer.from('/link');
const sha256 = Buffer.from('sha256/');
const data = Buffer.from('/data');

/**
 * Members come folder by folder, so thousands of paths differ in their tails only, and these have few forms. They are
 * recognised by their bytes, without a string for anything that is not kept; what looks different in any way is
 * left to `parseStoragePath`, which alone knows the rules.
 * @param digestAt gives the digests, so that one that is known needs no second string
 */
export function createPathReader(digestAt: DigestReader = sha256FromHexAt): PathReader {
  const blobs: Known = { prefix: Buffer.alloc(0), root: '', repository: '' };
  const links: Known = { prefix: Buffer.alloc(0), root: '', repository: '' };
  const scratch = Buffer.alloc(longestPath);

  const readWhole = (path: string, buffer: Buffer, start: number, end: number): StoragePath | undefined => {
    const meaning = parseStoragePath(path);
    const tailBytes = meaning === undefined ? 0 : tailLength(meaning);
    if (meaning === undefined || tailBytes === 0) return meaning;
    const known = meaning.kind === 'blob' ? blobs : links;
    // A copy, and not out of Buffer's shared pool: it must outlive the member.
    known.prefix = Buffer.alloc(end - tailBytes - start);
    buffer.copy(known.prefix, 0, start, end - tailBytes);
    known.root = meaning.root;
    known.repository = 'repository' in meaning ? meaning.repository : '';
    // Folders of blobs under a folder of that name mean something else: these are never taken by their tails.
    if (meaning.kind === 'blob' && known.prefix.includes('repositories/')) known.prefix = Buffer.alloc(0);
    return meaning;
  };

  return {
    read(entry) {
      const bytes = entry.pathBytes;
      let buffer: Buffer = scratch;
      let start = 0;
      let end = 0;
      if (bytes !== undefined) ({ pathBuffer: buffer, pathStart: start, pathEnd: end } = bytes);
      // One unit of a string becomes three bytes at most.
      else if (entry.path.length * 3 <= longestPath) end = scratch.write(entry.path);
      else return parseStoragePath(entry.path);
      const tail = begins(buffer, start, end, blobs.prefix)
        ? readBlobTail(buffer, start + blobs.prefix.length, end, blobs, digestAt)
        : begins(buffer, start, end, links.prefix)
          ? readLinkTail(buffer, start + links.prefix.length, end, links, digestAt)
          : 'elsewhere';
      if (tail === 'elsewhere') return readWhole(entry.path, buffer, start, end);
      return tail === 'nothing' ? undefined : tail;
    },
  };
}

/** Bytes behind `blobs/` or behind the repository's own folder; 0 where a meaning tells nothing of its neighbours. */
function tailLength(meaning: StoragePath): number {
  switch (meaning.kind) {
    case 'blob':
      return `sha256/00//data`.length + meaning.digest.length - 'sha256:'.length;
    case 'layer-link':
      return layers.length + meaning.digest.length - 'sha256:'.length + link.length;
    case 'revision-link':
      return revisions.length + meaning.digest.length - 'sha256:'.length + link.length;
    case 'tag-current':
      return tags.length + meaning.tag.length + current.length;
    case 'tag-index':
      return tags.length + meaning.tag.length + index.length + meaning.digest.length - 'sha256:'.length + link.length;
    case 'tag-folder':
    case 'ignored':
    case 'tarsum':
    case 'v1':
    case 'invalid':
    case 'climbing':
      return 0;
  }
}

/** `sha256/<xx>/<hex>/data` and the folders above it. */
function readBlobTail(buffer: Buffer, at: number, end: number, { root }: Known, digestAt: DigestReader): Tail {
  const prefixAt = at + sha256.length;
  const hexAt = prefixAt + 3;
  if (!isAt(buffer, at, end, sha256)) return 'elsewhere';
  if (buffer[end - 1] === slash)
    return end === prefixAt || end === hexAt || (end === hexAt + hexBytes + 1 && isSha256HexAt(buffer, hexAt))
      ? 'nothing'
      : 'elsewhere';
  if (end !== hexAt + hexBytes + data.length || !isAt(buffer, hexAt + hexBytes, end, data)) return 'elsewhere';
  if (
    buffer[prefixAt] !== buffer[hexAt] ||
    buffer[prefixAt + 1] !== buffer[hexAt + 1] ||
    buffer[prefixAt + 2] !== slash
  )
    return 'elsewhere';
  const digest = digestAt(buffer, hexAt);
  return digest === undefined ? 'elsewhere' : { kind: 'blob', root, digest };
}

/** What Distribution keeps in a repository's folder, and the folders above it. */
function readLinkTail(
  buffer: Buffer,
  at: number,
  end: number,
  { root, repository }: Known,
  digestAt: DigestReader,
): Tail {
  if (isAt(buffer, at, end, layers)) {
    const digest = readDigestLink(buffer, at + layers.length, end, digestAt);
    return typeof digest === 'string' ? { kind: 'layer-link', root, repository, digest } : folderOr(digest, root);
  }
  if (isAt(buffer, at, end, revisions)) {
    const digest = readDigestLink(buffer, at + revisions.length, end, digestAt);
    return typeof digest === 'string' ? { kind: 'revision-link', root, repository, digest } : folderOr(digest, root);
  }
  if (!isAt(buffer, at, end, tags)) return 'elsewhere';
  const tagAt = at + tags.length;
  const tagEnd = buffer.indexOf(slash, tagAt);
  const tag = tagEnd < 0 || tagEnd >= end ? '' : buffer.toString('latin1', tagAt, tagEnd);
  if (!isTag(tag)) return 'elsewhere';
  if (tagEnd + 1 === end) return { kind: 'tag-folder', root, repository, tag };
  if (isRest(buffer, tagEnd, end, current)) return { kind: 'tag-current', root, repository, tag };
  if (isRest(buffer, tagEnd, end, currentFolder) || isRest(buffer, tagEnd, end, indexFolder))
    return { kind: 'ignored', root };
  if (!isAt(buffer, tagEnd, end, index)) return 'elsewhere';
  const digest = readDigestLink(buffer, tagEnd + index.length, end, digestAt);
  return typeof digest === 'string' ? { kind: 'tag-index', root, repository, tag, digest } : folderOr(digest, root);
}

function folderOr(isFolder: boolean, root: string): Tail {
  return isFolder ? { kind: 'ignored', root } : 'elsewhere';
}

/** @returns the digest of `<hex>/link`; true for the folder `<hex>/` and the one above it; false for anything else */
function readDigestLink(buffer: Buffer, at: number, end: number, digestAt: DigestReader): Digest | boolean {
  if (end === at + hexBytes + link.length && isAt(buffer, at + hexBytes, end, link))
    return digestAt(buffer, at) ?? false;
  return end === at || (end === at + hexBytes + 1 && buffer[end - 1] === slash && isSha256HexAt(buffer, at));
}

function begins(buffer: Buffer, start: number, end: number, prefix: Buffer): boolean {
  return prefix.length > 0 && isAt(buffer, start, end, prefix);
}

function isRest(buffer: Buffer, at: number, end: number, text: Buffer): boolean {
  return end - at === text.length && isAt(buffer, at, end, text);
}

/** A loop: calls into Buffer cost more than these few bytes. */
function isAt(buffer: Buffer, at: number, end: number, text: Buffer): boolean {
  const { length } = text;
  if (at + length > end) return false;
  // From the end: neighbours differ there.
  for (let offset = length - 1; offset >= 0; offset--) if (buffer[at + offset] !== text[offset]) return false;
  return true;
}
