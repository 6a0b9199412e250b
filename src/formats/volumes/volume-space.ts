import type { ImageTarget } from '../../content/contracts.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { encodeMemberHeader, endOfArchive, memberBytes, memberPadding } from '../../tar/write-header.ts';
import type { ArchivedImage, ArchiveFormat, ClosingFile } from '../archive/archive-format.ts';

/** What is put on a volume together. */
export interface Cargo {
  readonly images: readonly { readonly target: ImageTarget; readonly manifests: readonly Descriptor[] }[];
  /** Configs and layers. */
  readonly blobs: readonly Descriptor[];
}

/** How full a volume is, to the byte: headers, padding, directories and documents count as they will be written. */
export interface VolumeSpace {
  /** What it has now, in bytes, if it ended here; at most. */
  readonly bytes: number;
  /** The same with more on it. */
  bytesWith(cargo: Cargo): number;
  add(cargo: Cargo): void;
  /** What it has in the end, exactly. */
  finalBytes(): number;
}

/**
 * @param format the volume's archive, its opening included
 * @see ArchiveWriter, which writes the same
 */
export function createVolumeSpace(format: ArchiveFormat): VolumeSpace {
  const documents = format.createDocuments();
  const claimed = new Set<number>();
  const emptyClosing = closingBytes(documents.closing());
  let position = 0;
  let measured = 0;

  const weigh = ({ images, blobs }: Cargo, claim: (key: number) => boolean): { members: number; closing: number } => {
    let members = 0;
    let closing = 0;
    const put = (path: string, size: number): void => {
      members += memberCost(path, size, format.directories, claim);
    };
    for (const { digest, size } of blobs) put(format.blobPath(digest), size);
    for (const { target, manifests } of images) {
      for (const { digest, size } of manifests) put(format.blobPath(digest), size);
      const image = archivedImage(target, manifests);
      for (const { path, bytes } of documents.following(image)) put(path, bytes.length);
      closing += documents.measure(image);
    }
    return { members, closing };
  };
  const total = (members: number, closing: number): number =>
    members + emptyClosing + (closing === 0 ? 0 : memberPaddedBytes(closing)) + endOfArchive.length;
  const claimHere = (key: number): boolean => {
    if (claimed.has(key)) return false;
    claimed.add(key);
    return true;
  };
  for (const { path, bytes } of format.opening)
    position += memberCost(path, bytes.length, format.directories, claimHere);

  return {
    get bytes() {
      return total(position, measured);
    },
    bytesWith(cargo) {
      const fresh = new Set<number>();
      const { members, closing } = weigh(cargo, (key) => {
        if (claimed.has(key) || fresh.has(key)) return false;
        fresh.add(key);
        return true;
      });
      return total(position + members, measured + closing);
    },
    add(cargo) {
      const { members, closing } = weigh(cargo, claimHere);
      position += members;
      measured += closing;
      for (const { target, manifests } of cargo.images) documents.add(archivedImage(target, manifests));
    },
    finalBytes: () => position + closingBytes(documents.closing()) + endOfArchive.length,
  };
}

/** Documents look at descriptors alone where no manifest is read. */
function archivedImage(target: ImageTarget, manifests: readonly Descriptor[]): ArchivedImage {
  return { target, manifests: manifests.map((descriptor) => ({ descriptor, bytes: none })) };
}

const none = new Uint8Array();

function closingBytes(files: readonly ClosingFile[]): number {
  return files.reduce((sum, { bytes }) => sum + memberBytes(bytes.length), 0);
}

/** What a document grows by, with the last block that this may begin. */
function memberPaddedBytes(size: number): number {
  return size + memberPadding(size).length + memberBytes(0);
}

const slash = 47;
const shortName = 100;

/** What a member adds, with the directories above it that are not there yet; 0 where it is there itself. */
function memberCost(path: string, size: number, directories: boolean, claim: (key: number) => boolean): number {
  let cost = 0;
  let low = 0x811c9dc5;
  let high = 0x1234567;
  for (let index = 0; index < path.length; index++) {
    const code = path.charCodeAt(index);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b) ^ (high >>> 13);
    if (directories && code === slash && index < path.length - 1 && claim(keyOf(low, high)))
      cost += headerBytes(path, index + 1);
  }
  if (!claim(keyOf(low, high))) return cost;
  return cost + headerBytes(path, path.length) + size + memberPadding(size).length;
}

/**
 * Paths by number: a hundred thousand images have millions of them. Two that share one would count a header too little;
 * with 53 bits that is one run in thousands at that size, and the writer refuses a volume that has become too large.
 */
function keyOf(low: number, high: number): number {
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}

function headerBytes(path: string, length: number): number {
  if (length <= shortName) return memberBytes(0);
  return encodeMemberHeader({ path: path.slice(0, length), kind: 'file', size: 0 }).length;
}
