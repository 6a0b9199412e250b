import { targetName } from '../../content/target-name.ts';
import { RegtarError } from '../../errors.ts';
import type { ImageTarget } from '../../content/contracts.ts';
import { mediaTypes } from '../../oci/media-types.ts';
import { compareCodePoints } from '../../oci/reference.ts';
import type { BytesInPieces } from '../archive/archive-format.ts';
import { dropRegistry, looksLikeRegistry, wholeName } from '../image-names.ts';
import { isJsonObject, tryJson } from '../../io/try-json.ts';

/** `oci-layout`. @see OCI image-spec v1.1 image-layout.md */
export const layoutFile = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

/** The name by which skopeo, podman and oras find an image. */
export const refName = 'org.opencontainers.image.ref.name';
/** The name by which containerd, nerdctl, k3s and docker's containerd store create an image. */
export const containerdName = 'io.containerd.image.name';
/** Which image of which repository a descriptor without a loader's name is; no loader makes an image of it. */
export const regtarName = 'vnd.regtar.image.name';

/** How images are named in an index.json. */
export interface Naming {
  /**
   * `full`: ref.name is `repository:tag`, for one layout of many repositories. `tag`: the tag alone, for one layout a
   * repository.
   */
  readonly refName: 'full' | 'tag';
  readonly prefix?: string | undefined;
}

/** One descriptor of an index.json, as far as regtar knows it; what others wrote into it stays. */
export type IndexEntry = Readonly<Record<string, unknown>>;

/** `prefix/repository:tag` */
export function loaderName(target: ImageTarget, prefix: string | undefined): string {
  const name = targetName(target);
  return prefix === undefined || prefix === '' ? name : `${prefix.replace(/\/+$/, '')}/${name}`;
}

/**
 * The descriptor of an image in index.json. A referrer gets no name that containerd would make an image of; its tag is
 * there for skopeo, oras, cosign and zot.
 */
export function indexEntry(target: ImageTarget, naming: Naming): IndexEntry {
  const { mediaType, digest, size, platform, artifactType, annotations } = target.root;
  const names: Record<string, string> = { ...annotations };
  if (target.tag === undefined || target.referrer) {
    names[regtarName] = loaderName(target, undefined);
    if (target.tag !== undefined)
      names[refName] = naming.refName === 'tag' ? target.tag : loaderName(target, naming.prefix);
  } else {
    const name = loaderName(target, naming.prefix);
    const whole = wholeName(name);
    names[containerdName] = whole;
    names[refName] = naming.refName === 'tag' ? target.tag : name;
    // Of `k8s.gcr.io/pause`, which looks like a registry's, and of `docker.io/library/web` for `web`, regtar alone asks
    // what they are called here.
    if (looksLikeRegistry(target.repository) || dropRegistry(whole) !== dropRegistry(name))
      names[regtarName] = loaderName(target, undefined);
  }
  return {
    mediaType,
    digest,
    size,
    ...(platform && { platform }),
    ...(artifactType !== undefined && { artifactType }),
    annotations: Object.fromEntries(Object.entries(names).sort(([left], [right]) => compareCodePoints(left, right))),
  };
}

/** An index.json: its fields as they were read, and its descriptors. */
export interface LayoutIndex {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly entries: readonly IndexEntry[];
}

/** The index of a layout that has nothing yet. */
export const emptyIndex: LayoutIndex = { fields: {}, entries: [] };

/** @throws RegtarError OUTPUT_FOREIGN when the bytes are not an index.json, since what is in it would be lost */
export function parseLayoutIndex(bytes: Uint8Array, path: string): LayoutIndex {
  const json = tryJson(bytes, path);
  if (!isJsonObject(json) || !Array.isArray(json['manifests']) || !json['manifests'].every(isJsonObject)) {
    throw new RegtarError('OUTPUT_FOREIGN', `${path} is not an index of an OCI layout`, {
      where: { path },
      hint: 'choose another OUT: what is there could not be kept',
    });
  }
  return { fields: json, entries: json['manifests'] };
}

/**
 * Adds entries to what is there: an entry of the same name gives way, everything else stays. Images come first, then
 * what has no name for containerd, each in the order of names, not of arrival.
 */
export function mergeIndex(existing: LayoutIndex, added: readonly IndexEntry[]): LayoutIndex {
  const entries = new Map<string, IndexEntry>();
  const taken = new Set(added.map(keyOf));
  existing.entries.forEach((entry, position) => {
    const key = keyOf(entry);
    // Two foreign descriptors without a name are two descriptors.
    if (!taken.has(key)) entries.set(key === '' ? ` ${position}` : key, entry);
  });
  for (const entry of added) entries.set(keyOf(entry), entry);
  return {
    fields: existing.fields,
    entries: [...entries.values()].sort((left, right) => compareCodePoints(sortKey(left), sortKey(right))),
  };
}

/** The bytes of an index.json. */
export function formatLayoutIndex(index: LayoutIndex): Buffer {
  return Buffer.from(
    JSON.stringify({ ...index.fields, schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: index.entries }),
  );
}

/** The index.json of a layout that has something already, with these images added to it. */
export function layoutIndex(
  existing: LayoutIndex,
  added: readonly ImageTarget[],
  naming: Naming,
): Uint8Array | BytesInPieces {
  return existing === emptyIndex
    ? newLayoutIndex(added, naming)
    : formatLayoutIndex(
        mergeIndex(
          existing,
          added.map((target) => indexEntry(target, naming)),
        ),
      );
}

const entriesPerPiece = 256;

/**
 * The index.json of a layout that has nothing but these images: the bytes of `formatLayoutIndex(mergeIndex(…))`, made
 * an entry after another. A million entries are half a gigabyte as objects, and as much as text.
 */
export function newLayoutIndex(targets: readonly ImageTarget[], naming: Naming): BytesInPieces {
  const compare = (left: ImageTarget, right: ImageTarget): number =>
    Number(isLast(left)) - Number(isLast(right)) ||
    compareCodePoints(keyOfTarget(left, naming), keyOfTarget(right, naming));
  const sorted = [...targets].sort(compare);
  const head = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }).slice(0, -2);
  const pieces = function* (): Generator<Uint8Array> {
    let piece = head;
    let count = 0;
    for (const [index, target] of sorted.entries()) {
      const next = sorted[index + 1];
      // Of two with one name the later counts.
      if (next !== undefined && compare(target, next) === 0) continue;
      piece += `${count === 0 ? '' : ','}${JSON.stringify(indexEntry(target, naming))}`;
      if (++count % entriesPerPiece !== 0) continue;
      yield Buffer.from(piece);
      piece = '';
    }
    yield Buffer.from(`${piece}]}`);
  };
  let length = 0;
  for (const piece of pieces()) length += piece.length;
  return { length, [Symbol.iterator]: pieces };
}

/** Whether `indexEntry` gives a target no name that containerd would make an image of. */
function isLast({ tag, referrer }: ImageTarget): boolean {
  return tag === undefined || referrer;
}

/** What `keyOf` says of a target's entry. */
function keyOfTarget(target: ImageTarget, { refName: form, prefix }: Naming): string {
  if (target.tag === undefined) return loaderName(target, undefined);
  return form === 'tag' ? target.tag : loaderName(target, prefix);
}

/** What tells entries apart: the name under which a loader finds them, or regtar's own. */
function keyOf(entry: IndexEntry): string {
  const names = isJsonObject(entry['annotations']) ? entry['annotations'] : {};
  for (const key of [refName, containerdName, regtarName]) if (typeof names[key] === 'string') return names[key];
  return '';
}

/** Images first: containerd unpacks in this order, and stops at a signature that has a name. */
function sortKey(entry: IndexEntry): string {
  const names = isJsonObject(entry['annotations']) ? entry['annotations'] : {};
  const isLast = names[regtarName] !== undefined && names[containerdName] === undefined;
  return (
    `${isLast ? '~' : ''}${keyOf(entry)} ${typeof entry['digest'] === 'string' ? entry['digest'] : ''} ` +
    `${JSON.stringify(entry)}`
  );
}
