import { targetName } from '../../content/target-name.ts';
import { childrenFirst, type ManifestNode } from '../../content/image-graph.ts';
import type { ImageTarget } from '../../content/contracts.ts';
import { groupBy } from '../../io/group-by.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { compareCodePoints } from '../../oci/reference.ts';
import type { Cargo, VolumeSpace } from './volume-space.ts';

/** An image of a plan, as far as volumes go. */
export interface VolumeImage {
  readonly source: { readonly repository: string; readonly tag: string | undefined; readonly digest: Digest };
  readonly target: ImageTarget;
  readonly node: ManifestNode;
  /** Configs and layers that are written. */
  readonly travelling: readonly Descriptor[];
}

/** One volume under way. */
export interface PackedVolume {
  readonly space: VolumeSpace;
  /** Files it is cut into. */
  parts: number;
  /** Images whose names and manifests are on it. */
  readonly images: VolumeImage[];
  /** Configs and layers that lie on it. */
  readonly blobs: Descriptor[];
}

/** What lies where: each config and layer once. */
export interface Packing {
  readonly volumes: readonly PackedVolume[];
  /** Places in `volumes`. */
  readonly volumeOf: ReadonlyMap<Digest, number>;
}

/** How volumes are filled. */
export interface PackOptions {
  /** An empty volume. */
  readonly open: () => VolumeSpace;
  /** Bytes of a volume that is one file. */
  readonly size: number;
}

/**
 * Fills volumes, the largest first, each where it first fits (first-fit decreasing). Whole repositories are tried
 * first, and images alone; what needs fewer volumes is taken, then what leaves more images whole. An image's name comes
 * after everything that it needs, on the last of its volumes, so that pushing one volume after the other finds what an
 * earlier one brought.
 * Something that is larger than a volume gets one that is cut into parts.
 */
export function packVolumes(images: readonly VolumeImage[], options: PackOptions): Packing {
  const units = unitsOf(images);
  const [byRepository, byImage] = [groupUnits(units), units.map((unit) => [unit])].map((groups) =>
    fill(groups, options),
  ) as [Packing, Packing];
  const fewer = filesOf(byImage) - filesOf(byRepository);
  return fewer < 0 || (fewer === 0 && apart(byImage) < apart(byRepository)) ? byImage : byRepository;
}

function filesOf({ volumes }: Packing): number {
  return volumes.reduce((sum, { parts }) => sum + parts, 0);
}

/** How many images need more than one volume. */
function apart({ volumes, volumeOf }: Packing): number {
  return volumes.reduce(
    (sum, { images }, home) =>
      sum + images.filter(({ travelling }) => travelling.some(({ digest }) => volumeOf.get(digest) !== home)).length,
    0,
  );
}

/** Images of one digest, which differ in their names alone. */
interface Unit {
  readonly repository: string;
  readonly name: string;
  readonly images: readonly VolumeImage[];
  readonly blobs: readonly Descriptor[];
  readonly bytes: number;
}

function unitsOf(images: readonly VolumeImage[]): readonly Unit[] {
  // The same image in two repositories is two: each repository stays together.
  const byRoot = groupBy(images, ({ target }) => `${target.repository}\n${target.root.digest}`);
  return largestFirst(byRoot.map(([, same]) => unitOf(same)));
}

function unitOf(images: readonly VolumeImage[]): Unit {
  const blobs = uniqueBlobs(images);
  const [first] = images;
  return {
    repository: first?.target.repository ?? '',
    name: first === undefined ? '' : targetName(first.target),
    images,
    blobs,
    bytes: sizeOf(blobs),
  };
}

function groupUnits(units: readonly Unit[]): readonly (readonly Unit[])[] {
  const weighed = groupBy(units, ({ repository }) => repository).map(([name, own]) => ({
    name,
    own,
    bytes: sizeOf(uniqueBlobs(own.flatMap(({ images }) => images))),
  }));
  return largestFirst(weighed).map(({ own }) => own);
}

function largestFirst<Item extends { readonly bytes: number; readonly name: string }>(items: readonly Item[]): Item[] {
  return [...items].sort((left, right) => right.bytes - left.bytes || compareCodePoints(left.name, right.name));
}

function fill(groups: readonly (readonly Unit[])[], { open, size }: PackOptions): Packing {
  const volumes: PackedVolume[] = [];
  const volumeOf = new Map<Digest, number>();
  const empty = open();

  const fits = (volume: PackedVolume, cargo: Cargo, most: number): boolean => {
    const room = volume.parts * size - volume.space.bytes;
    if (most <= room) return true;
    // Directories that are there already make it smaller. To count them takes long, and they are few.
    return most - room <= countedBytes && volume.space.bytesWith(cargo) <= volume.parts * size;
  };
  const put = (index: number, images: readonly VolumeImage[], cargo: Cargo): void => {
    const volume = volumes[index];
    volume?.space.add(cargo);
    volume?.images.push(...images);
    volume?.blobs.push(...cargo.blobs);
    for (const { digest } of cargo.blobs) volumeOf.set(digest, index);
  };
  const begin = (parts = 1): number => volumes.push({ space: open(), parts, images: [], blobs: [] }) - 1;
  const freshOf = (blobs: readonly Descriptor[]): readonly Descriptor[] =>
    blobs.filter(({ digest }) => !volumeOf.has(digest));
  /** No earlier one holds all that is there already. */
  const firstFor = (blobs: readonly Descriptor[]): number =>
    blobs.reduce((last, { digest }) => Math.max(last, volumeOf.get(digest) ?? 0), 0);
  /** @returns whether it found a place, on a new volume where none has room */
  const place = (images: readonly VolumeImage[], blobs: readonly Descriptor[]): boolean => {
    const cargo = cargoOf(images, freshOf(blobs));
    const bytes = empty.bytesWith(cargo);
    const most = bytes - empty.bytes;
    for (let index = firstFor(blobs); index < volumes.length; index++)
      if (fits(volumes[index] as PackedVolume, cargo, most)) {
        put(index, images, cargo);
        return true;
      }
    if (bytes > size) return false;
    put(begin(), images, cargo);
    return true;
  };
  const placeApart = (image: VolumeImage): void => {
    const fresh = [...freshOf(image.travelling)].sort(
      (left, right) => right.size - left.size || compareCodePoints(left.digest, right.digest),
    );
    if (fresh.some((blob) => empty.bytesWith(cargoOf([], [blob])) > size)) {
      const cargo = cargoOf([image], fresh);
      put(begin(Math.ceil(empty.bytesWith(cargo) / size)), [image], cargo);
      return;
    }
    for (const blob of fresh) {
      const cargo = cargoOf([], [blob]);
      const most = empty.bytesWith(cargo) - empty.bytes;
      const index = volumes.findIndex((volume) => fits(volume, cargo, most));
      put(index < 0 ? begin() : index, [], cargo);
    }
    if (!place([image], image.travelling)) {
      const cargo = cargoOf([image], []);
      put(begin(Math.ceil(empty.bytesWith(cargo) / size)), [image], cargo);
    }
  };
  const placeUnit = (unit: Unit): void => {
    if (place(unit.images, unit.blobs)) return;
    for (const image of unit.images) if (!place([image], image.travelling)) placeApart(image);
  };
  for (const group of groups) {
    const images = group.flatMap((unit) => unit.images);
    if (group.length === 1 || !place(images, uniqueBlobs(images))) for (const unit of group) placeUnit(unit);
  }
  return { volumes, volumeOf };
}

/** Up to here it is worth counting whether something fits that seems to be too large. */
const countedBytes = 64 * 1024;

/** Images with blobs, as a volume takes them. */
export function cargoOf(images: readonly Pick<VolumeImage, 'target' | 'node'>[], blobs: readonly Descriptor[]): Cargo {
  return {
    images: images.map(({ target, node }) => ({
      target,
      manifests: childrenFirst(node).map(({ descriptor }) => descriptor),
    })),
    blobs,
  };
}

function uniqueBlobs(images: readonly VolumeImage[]): readonly Descriptor[] {
  const blobs = new Map<Digest, Descriptor>();
  for (const { travelling } of images) for (const blob of travelling) blobs.set(blob.digest, blob);
  return [...blobs.values()];
}

function sizeOf(blobs: readonly Descriptor[]): number {
  return blobs.reduce((sum, { size }) => sum + Math.max(0, size), 0);
}
