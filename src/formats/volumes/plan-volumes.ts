import { targetKey } from '../../content/target-name.ts';
import { childrenFirst } from '../../content/image-graph.ts';
import { RegtarError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { formatImageReference, imageKey } from '../../oci/reference.ts';
import type { ArchiveFormat } from '../archive/archive-format.ts';
import { cargoOf, packVolumes, type Packing, type VolumeImage } from './pack-volumes.ts';
import {
  formatSetFile,
  setFileBytes,
  setFileName,
  setId,
  type SetFile,
  type SetImage,
  type SharedBlob,
  type VolumeSet,
} from './set-file.ts';
import { formatVolumeName } from './volume-names.ts';
import { createVolumeSpace } from './volume-space.ts';

/** How a plan is spread over volumes. */
export interface VolumeOptions {
  /** The archive that each of them is. */
  readonly format: ArchiveFormat;
  /** Bytes that no file may exceed. */
  readonly size: number;
  /** Something larger than that makes its volume larger, and cuts it into parts. @defaultValue false */
  readonly splitBlobs?: boolean | undefined;
}

/** A volume that is going to be written. */
export interface PlannedVolume {
  readonly name: string;
  /** Of the archive, in bytes, to the byte. */
  readonly size: number;
  readonly parts: number;
  readonly images: readonly VolumeImage[];
  readonly blobs: readonly Descriptor[];
}

/** A set that is going to be written. */
export interface VolumePlan {
  readonly id: string;
  readonly set: VolumeSet;
  /** Bytes of `set.json` in each volume. */
  readonly setBytes: number;
  /** Bytes that no file exceeds. */
  readonly size: number;
  /** The archive that each is, behind its `set.json`. */
  readonly format: ArchiveFormat;
  readonly volumes: readonly PlannedVolume[];
  /** Where configs and layers lie: places in `volumes`. */
  readonly volumeOf: ReadonlyMap<Digest, number>;
}

/**
 * Spreads images over volumes. The same images give the same volumes, to the byte.
 * @throws RegtarError VOLUME_TOO_SMALL where something does not fit into a volume
 */
export function planVolumes<Image extends VolumeImage>(images: readonly Image[], options: VolumeOptions): VolumePlan {
  const { format, size } = options;
  // The list takes room on every volume, and how long it is depends on what lies where.
  for (let setBytes = roundUp(listBytes(images)); ;) {
    const archive = withSetFile(format, Buffer.alloc(setBytes, ' '));
    const open = () => createVolumeSpace(archive);
    if (open().bytes > size)
      throw tooSmall(size, `the list of what is on them, which has ${setBytes} bytes`, undefined);
    if (options.splitBlobs !== true) refuseLarge(images, open, size);
    const packing = packVolumes(images, { open, size });
    const set = setOf(packing, images, format.name);
    const needed = setFileBytes(set) + amendBytes;
    if (needed <= setBytes) return planOf(packing, set, { format, setBytes, size });
    setBytes = roundUp(Math.max(needed, setBytes + 1));
  }
}

/** Room for what may fail. */
const amendBytes = 512;

function roundUp(bytes: number): number {
  return Math.ceil(bytes / 512) * 512;
}

/** What `set.json` has at least. */
function listBytes(images: readonly VolumeImage[]): number {
  const volumes = [formatVolumeName({ index: 1, count: 1 })].map((name) => ({
    name,
    size: 0,
    images: 0,
    blobs: 0,
    bytes: 0,
  }));
  const listed = images.map((image) => setImageOf(image, [1]));
  return setFileBytes({ format: 'oci-archive', volumes, images: listed, shared: [] }) + amendBytes;
}

/** The archive with `set.json` before everything else. */
export function withSetFile(format: ArchiveFormat, bytes: Uint8Array): ArchiveFormat {
  return { ...format, opening: [{ path: setFileName, bytes }, ...format.opening] };
}

/** `set.json` of one volume. */
export function setFileOf(
  { id, set, setBytes }: Pick<VolumePlan, 'id' | 'set' | 'setBytes'>,
  own: Pick<SetFile, 'volume' | 'size' | 'failed'>,
): Buffer {
  const bytes =
    formatSetFile({ ...set, id, ...own }, setBytes) ?? formatSetFile({ ...set, id, ...own, failed: 'some' }, setBytes);
  if (bytes === undefined) throw new RegtarError('INTERNAL', `${setFileName} has outgrown its room`);
  return bytes;
}

function setOf({ volumes, volumeOf }: Packing, images: readonly VolumeImage[], format: string): VolumeSet {
  const homes = new Map<VolumeImage, number>();
  volumes.forEach((volume, index) => volume.images.forEach((image) => homes.set(image, index)));
  const shared = new Map<Digest, Descriptor>();
  const owners = new Map<Digest, string>();
  for (const image of images) {
    const home = homes.get(image);
    const { travelling } = image;
    const isWhole = travelling.every(({ digest }) => volumeOf.get(digest) === home);
    for (const blob of travelling) {
      if (volumeOf.get(blob.digest) !== home) shared.set(blob.digest, blob);
      else if (isWhole && !owners.has(blob.digest)) owners.set(blob.digest, image.target.repository);
    }
  }
  return {
    format,
    volumes: volumes.map(({ space, parts, images: own, blobs }, index) => ({
      name: formatVolumeName({ index: index + 1, count: volumes.length }),
      size: space.finalBytes(),
      ...(parts > 1 && { parts }),
      images: own.length,
      blobs: blobs.length,
      bytes: blobs.reduce((sum, { size }) => sum + size, 0),
    })),
    images: images.map((image) => setImageOf(image, volumesOf(image, homes, volumeOf))),
    shared: [...shared].map(([digest, { size }]): SharedBlob => {
      const repository = owners.get(digest);
      return {
        digest,
        size,
        volume: (volumeOf.get(digest) ?? 0) + 1,
        ...(repository !== undefined && { repository }),
      };
    }),
  };
}

function volumesOf(
  image: VolumeImage,
  homes: ReadonlyMap<VolumeImage, number>,
  volumeOf: ReadonlyMap<Digest, number>,
): readonly number[] {
  const home = homes.get(image) ?? 0;
  const all = new Set([...image.travelling.map(({ digest }) => volumeOf.get(digest) ?? home), home]);
  return [...all].sort((left, right) => left - right).map((index) => index + 1);
}

function setImageOf({ target, travelling, node }: VolumeImage, volumes: readonly number[]): SetImage {
  const manifests = childrenFirst(node).reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  return {
    repository: target.repository,
    ...(target.tag !== undefined && { tag: target.tag }),
    digest: target.root.digest,
    bytes: travelling.reduce((sum, { size }) => sum + Math.max(0, size), manifests),
    volumes,
  };
}

function planOf(
  { volumes, volumeOf }: Packing,
  set: VolumeSet,
  rest: Pick<VolumePlan, 'format' | 'setBytes' | 'size'>,
): VolumePlan {
  const order = new Map(set.images.map((image, index) => [imageKey(image), index]));
  const rank = ({ target }: VolumeImage): number => order.get(targetKey(target)) ?? 0;
  return {
    ...rest,
    id: setId(set),
    set,
    volumeOf,
    volumes: volumes.map(({ parts, images, blobs }, index) => ({
      name: set.volumes[index]?.name ?? '',
      size: set.volumes[index]?.size ?? 0,
      parts,
      images: [...images].sort((left, right) => rank(left) - rank(right)),
      blobs,
    })),
  };
}

/** @throws RegtarError VOLUME_TOO_SMALL, naming the largest blob that no volume can hold, and an image that needs it */
function refuseLarge(images: readonly VolumeImage[], open: () => { bytesWith: VolumeSpaceOf }, size: number): void {
  const space = open();
  const tooLarge = new Map<Digest, { readonly size: number; readonly image: VolumeImage }>();
  for (const image of images) {
    for (const blob of image.travelling)
      if (blob.size > size / 2 && !tooLarge.has(blob.digest) && space.bytesWith(cargoOf([], [blob])) > size)
        tooLarge.set(blob.digest, { size: blob.size, image });
    if (space.bytesWith(cargoOf([image], [])) > size)
      throw tooSmall(size, `the manifests and names of ${nameOf(image)}`, undefined);
  }
  const [largest, ...others] = [...tooLarge].sort(([, left], [, right]) => right.size - left.size);
  if (largest === undefined) return;
  const [digest, { size: bytes, image }] = largest;
  const more = others.length === 0 ? '' : `, nor ${others.length} more`;
  throw tooSmall(size, `${digest} of ${bytes} bytes, which ${nameOf(image)} needs${more}`, digest);
}

type VolumeSpaceOf = ReturnType<typeof createVolumeSpace>['bytesWith'];

function nameOf({ source }: VolumeImage): string {
  return formatImageReference(source);
}

function tooSmall(size: number, what: string, digest: Digest | undefined): RegtarError {
  return new RegtarError('VOLUME_TOO_SMALL', `a volume of ${size} bytes cannot hold ${what}`, {
    where: { digest },
    hint:
      digest === undefined
        ? 'give a larger --volume-size'
        : 'give a larger --volume-size, leave the image out with --exclude, or allow parts with --split-blobs',
  });
}
