import { RegtarError } from '../../errors.ts';
import { isJsonObject, tryJson } from '../../io/try-json.ts';
import { digestHex, digestOf, isDigest, type Digest } from '../../oci/digest.ts';
import { isRepository, isTag } from '../../oci/reference.ts';
import { parseVolumeName } from './volume-names.ts';

/** The first member of every volume. */
export const setFileName = 'set.json';

/** One volume of a set. Numbers are as they were planned: an image that failed takes no room. */
export interface SetVolume {
  readonly name: string;
  /** Of the archive, in bytes. */
  readonly size: number;
  /** Files it is cut into; absent for one. */
  readonly parts?: number | undefined;
  /** Images whose names are on it. */
  readonly images: number;
  /** Configs and layers that lie on it, and their bytes. */
  readonly blobs: number;
  readonly bytes: number;
}

/** One image of a set. */
export interface SetImage {
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest: Digest;
  /** Configs, layers and manifests, in bytes; what is shared counts in each image. */
  readonly bytes: number;
  /** Numbers of the volumes where it lies, counted from 1. Its name and its manifests are on the last. */
  readonly volumes: readonly number[];
}

/** A config or layer that images with names on other volumes need, too. */
export interface SharedBlob {
  readonly digest: Digest;
  readonly size: number;
  /** Where it lies, counted from 1. */
  readonly volume: number;
  /** A repository of an image of that volume which needs it: a registry has it there when the volume was pushed. */
  readonly repository?: string | undefined;
}

/** What is on which volume: the same in every volume of a set. */
export interface VolumeSet {
  /** `registry`, `oci-archive` */
  readonly format: string;
  readonly volumes: readonly SetVolume[];
  readonly images: readonly SetImage[];
  readonly shared: readonly SharedBlob[];
}

/** `set.json` as one volume has it. */
export interface SetFile extends VolumeSet {
  /** Which set it is: a digest of all that is above, so the same images on the same media make the same set. */
  readonly id: string;
  /** Which volume this is, counted from 1. */
  readonly volume: number;
  /** What the archive has become, in bytes; absent where that is what was planned. */
  readonly size?: number | undefined;
  /**
   * Places in `images` of those that failed and should have had bytes on this volume; `'some'` where they are too many.
   */
  readonly failed: readonly number[] | 'some';
}

/** The name of a set: the first half of a SHA-256 over what it says. */
export function setId(set: VolumeSet): string {
  return digestHex(digestOf(Buffer.from(JSON.stringify(bodyOf(set))))).slice(0, 32);
}

/**
 * The bytes of `set.json`, a line for each volume, image and blob. Spaces fill it, so that what failed can be added
 * when the rest of the archive is written.
 * @param length in bytes
 * @returns undefined where it does not fit
 */
export function formatSetFile(file: SetFile, length: number): Buffer | undefined {
  const bytes = Buffer.from(textOf(file));
  return bytes.length > length ? undefined : Buffer.concat([bytes, Buffer.alloc(length - bytes.length, ' ')]);
}

/** How many bytes `set.json` takes where nothing fails, at most. */
export function setFileBytes(set: VolumeSet): number {
  const longest = { id: '0'.repeat(32), volume: set.volumes.length, size: Number.MAX_SAFE_INTEGER };
  return Buffer.byteLength(textOf({ ...set, ...longest, failed: 'some' }));
}

function textOf(file: SetFile): string {
  const { id, volume, size, failed } = file;
  const { format, volumes, images, shared } = bodyOf(file);
  const lines = (items: readonly unknown[]): string =>
    items.length === 0 ? '[]' : `[\n${items.map((item) => JSON.stringify(item)).join(',\n')}\n]`;
  return [
    `{"regtarSet":1,`,
    `"id":"${id}",`,
    `"volume":${volume},`,
    ...(size === undefined ? [] : [`"size":${size},`]),
    ...(failed.length === 0 ? [] : [`"failed":${JSON.stringify(failed)},`]),
    `"format":"${format}",`,
    `"volumes":${lines(volumes)},`,
    `"images":${lines(images)},`,
    `"shared":${lines(shared)}}`,
    '',
  ].join('\n');
}

/** Fields in the order in which they are written: the name of the set depends on it. */
function bodyOf({ format, volumes, images, shared }: VolumeSet): VolumeSet {
  return {
    format,
    volumes: volumes.map(({ name, size, parts, images: count, blobs, bytes }) => ({
      name,
      size,
      ...(parts !== undefined && { parts }),
      images: count,
      blobs,
      bytes,
    })),
    images: images.map(({ repository, tag, digest, bytes, volumes: where }) => ({
      repository,
      ...(tag !== undefined && { tag }),
      digest,
      bytes,
      volumes: where,
    })),
    shared: shared.map(({ digest, size, volume, repository }) => ({
      digest,
      size,
      volume,
      ...(repository !== undefined && { repository }),
    })),
  };
}

/** So many volumes and images are read; a list that says more was made to be too long. */
const mostVolumes = 99_999;
const mostImages = 500_000;

/**
 * Reads a `set.json` that anybody may have written.
 * @returns undefined where it is not regtar's: other programs have files of this name
 * @throws RegtarError SOURCE_UNREADABLE where it is, and was changed or is damaged
 */
export function parseSetFile(bytes: Uint8Array): SetFile | undefined {
  const json = tryJson(bytes);
  if (!isJsonObject(json) || json['regtarSet'] !== 1) return undefined;
  const file = readFile(json);
  if (file === undefined || setId(file) !== file.id)
    throw new RegtarError('SOURCE_UNREADABLE', `${setFileName} was changed after regtar wrote it`, {
      hint: 'it only lists what lies on which volume: the images themselves are verified by their digests',
    });
  return file;
}

function readFile(json: Readonly<Record<string, unknown>>): SetFile | undefined {
  const { id, format, volume, size, failed = [] } = json;
  const volumes = readList(json['volumes'], mostVolumes, readVolume);
  const count = volumes?.length ?? 0;
  const images = readList(json['images'], mostImages, (item) => readImage(item, count));
  const shared = readList(json['shared'], mostImages, (item) => readShared(item, count));
  if (typeof id !== 'string' || typeof format !== 'string' || !isPlace(volume, count)) return undefined;
  if (size !== undefined && !isCount(size)) return undefined;
  if (volumes === undefined || images === undefined || shared === undefined) return undefined;
  if (failed !== 'some' && !(Array.isArray(failed) && failed.every((place) => isCount(place)))) return undefined;
  return {
    id,
    format,
    volume,
    size,
    failed: failed === 'some' ? failed : (failed as number[]),
    volumes,
    images,
    shared,
  };
}

function readVolume(json: Readonly<Record<string, unknown>>): SetVolume | undefined {
  const { name, size, parts, images, blobs, bytes } = json;
  if (typeof name !== 'string' || parseVolumeName(name) === undefined) return undefined;
  if (!isCount(size) || !isCount(images) || !isCount(blobs) || !isCount(bytes)) return undefined;
  if (parts !== undefined && !isCount(parts)) return undefined;
  return { name, size, parts, images, blobs, bytes };
}

function readImage(json: Readonly<Record<string, unknown>>, count: number): SetImage | undefined {
  const { repository, tag, digest, bytes, volumes } = json;
  if (typeof repository !== 'string' || !isRepository(repository)) return undefined;
  if (tag !== undefined && (typeof tag !== 'string' || !isTag(tag))) return undefined;
  if (typeof digest !== 'string' || !isDigest(digest) || !isCount(bytes)) return undefined;
  if (!Array.isArray(volumes) || volumes.length === 0 || volumes.length > count) return undefined;
  if (!volumes.every((place) => isPlace(place, count))) return undefined;
  return { repository, tag, digest, bytes, volumes: volumes as number[] };
}

function readShared(json: Readonly<Record<string, unknown>>, count: number): SharedBlob | undefined {
  const { digest, size, volume, repository } = json;
  if (typeof digest !== 'string' || !isDigest(digest) || !isCount(size) || !isPlace(volume, count)) return undefined;
  if (repository !== undefined && (typeof repository !== 'string' || !isRepository(repository))) return undefined;
  return { digest, size, volume, repository };
}

/** @returns undefined where one of the items is not what it should be */
function readList<Item>(
  json: unknown,
  most: number,
  read: (item: Readonly<Record<string, unknown>>) => Item | undefined,
): readonly Item[] | undefined {
  if (!Array.isArray(json) || json.length > most) return undefined;
  const items: Item[] = [];
  for (const each of json as readonly unknown[]) {
    const item = isJsonObject(each) ? read(each) : undefined;
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isPlace(value: unknown, count: number): value is number {
  return isCount(value) && value >= 1 && value <= count;
}
