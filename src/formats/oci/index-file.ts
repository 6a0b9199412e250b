import { targetName } from '../../content/target-name.ts';
import { RegtarError } from '../../errors.ts';
import type { ImageTarget } from '../../content/contracts.ts';
import { mediaTypes } from '../../oci/media-types.ts';
import { compareCodePoints } from '../../oci/reference.ts';
import type { BytesInPieces } from '../archive/archive-format.ts';
import { PathSet } from '../archive/path-set.ts';
import { dropRegistry, looksLikeRegistry, wholeName } from '../image-names.ts';
import { parseJsonList, type JsonList } from '../../io/json-list.ts';
import { isJsonObject } from '../../io/try-json.ts';

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

/** An index.json that is there: what others wrote into it stays. */
export type LayoutIndex = JsonList;

/** The index of a layout that has nothing yet. */
export const emptyIndex: LayoutIndex = { fields: {}, length: 0, item: () => undefined };

/** @throws RegtarError OUTPUT_FOREIGN when the bytes are not an index.json, since what is in it would be lost */
export function parseLayoutIndex(bytes: Uint8Array, path: string): LayoutIndex {
  const index = parseJsonList(bytes, 'manifests', path);
  if (index === undefined || !allOf(index, isJsonObject))
    throw new RegtarError('OUTPUT_FOREIGN', `${path} is not an index of an OCI layout`, {
      where: { path },
      hint: 'choose another OUT: what is there could not be kept',
    });
  return index;
}

function allOf({ length, item }: JsonList, fits: (item: unknown) => boolean): boolean {
  for (let index = 0; index < length; index++) if (!fits(item(index))) return false;
  return true;
}

/** Which entries an index has, to the letter. */
export function entriesOf(index: LayoutIndex): { has(entry: IndexEntry): boolean } {
  const texts = new PathSet();
  for (let place = 0; place < index.length; place++) texts.add(JSON.stringify(index.item(place)));
  return { has: (entry) => texts.has(JSON.stringify(entry)) };
}

const entriesPerPiece = 256;

/**
 * The index.json of a layout, with these images added to what it has: an entry of the same name gives way, everything
 * else stays. Images come first, then what has no name for containerd, each in the order of names, not of arrival.
 * It is made an entry after another: a million of them are half a gigabyte as objects, and as much as text.
 * @param existing is read each time that the bytes are gone through
 */
export function layoutIndex(existing: LayoutIndex, added: readonly ImageTarget[], naming: Naming): BytesInPieces {
  const targets = [...added].sort((left, right) => compareTargets(left, right, naming));
  const kept = keptEntries(existing, added, naming);
  const { head, tail } = shellOf(existing.fields);
  const pieces = function* (): Generator<Uint8Array> {
    let piece = head;
    let count = 0;
    for (const text of merged(entriesAt(existing, kept), entriesFor(targets, naming))) {
      piece += `${count === 0 ? '' : ','}${text}`;
      if (++count % entriesPerPiece !== 0) continue;
      yield Buffer.from(piece);
      piece = '';
    }
    yield Buffer.from(piece + tail);
  };
  let length: number | undefined;
  const measure = (): number => {
    let bytes = 0;
    for (const piece of pieces()) bytes += piece.length;
    return bytes;
  };
  return {
    get length() {
      return (length ??= measure());
    },
    [Symbol.iterator]: pieces,
  };
}

/** Whether these bytes of an index are, to the letter, what `layoutIndex` makes of it. */
export function isAsWritten(index: LayoutIndex, bytes: Buffer, naming: Naming): boolean {
  let at = 0;
  for (const piece of layoutIndex(index, [], naming)) {
    if (!bytes.subarray(at, at + piece.length).equals(piece)) return false;
    at += piece.length;
  }
  return at === bytes.length;
}

/** What stands before and behind the entries: fields keep their places. */
function shellOf(fields: LayoutIndex['fields']): { readonly head: string; readonly tail: string } {
  const all = Object.entries({ ...fields, schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] });
  const place = all.findIndex(([name]) => name === 'manifests');
  const textOf = (part: typeof all): string => JSON.stringify(Object.fromEntries(part)).slice(1, -1);
  const [before, behind] = [textOf(all.slice(0, place)), textOf(all.slice(place + 1))];
  return {
    head: `{${before}${before === '' ? '' : ','}"manifests":[`,
    tail: `]${behind === '' ? '' : ','}${behind}}`,
  };
}

/** @returns places in the index of what is not replaced, in the order in which they are written */
function keptEntries(existing: LayoutIndex, added: readonly ImageTarget[], naming: Naming): Uint32Array {
  const taken = new PathSet();
  if (existing.length > 0) for (const target of added) taken.add(keyOfTarget(target, naming));
  const kept = new Uint32Array(existing.length);
  let count = 0;
  // Of two with one name the later counts; two foreign descriptors without a name are two descriptors.
  for (let place = existing.length - 1; place >= 0; place--) {
    const key = keyOf(existing.item(place) as IndexEntry);
    if (key === '' || taken.add(key)) kept[count++] = place;
  }
  const inOrder = kept.subarray(0, count).reverse();
  const keyAt = (place: number): string => sortKey(existing.item(place) as IndexEntry);
  return isSorted(inOrder, keyAt) ? inOrder : sortedBy(inOrder, keyAt);
}

/** What regtar wrote is sorted. */
function isSorted(places: Uint32Array, keyAt: (place: number) => string): boolean {
  let last = '';
  for (const place of places) {
    const key = keyAt(place);
    if (compareCodePoints(last, key) > 0) return false;
    last = key;
  }
  return true;
}

function sortedBy(places: Uint32Array, keyAt: (place: number) => string): Uint32Array {
  const keyed = Array.from(places, (place) => ({ place, key: keyAt(place) }));
  return Uint32Array.from(
    keyed.sort((left, right) => compareCodePoints(left.key, right.key)),
    ({ place }) => place,
  );
}

function* entriesAt({ item }: LayoutIndex, places: Uint32Array): Generator<IndexEntry> {
  for (const place of places) yield item(place) as IndexEntry;
}

/** @param targets sorted; of two with one name the later counts */
function* entriesFor(targets: readonly ImageTarget[], naming: Naming): Generator<IndexEntry> {
  for (const [index, target] of targets.entries()) {
    const next = targets[index + 1];
    if (next === undefined || compareTargets(target, next, naming) !== 0) yield indexEntry(target, naming);
  }
}

/** Two sorted lists as one, as texts. */
function* merged(first: Iterator<IndexEntry>, second: Iterator<IndexEntry>): Generator<string> {
  let [left, right] = [first.next(), second.next()];
  let keys: [string, string] | undefined;
  while (left.done !== true && right.done !== true) {
    keys ??= [sortKey(left.value), sortKey(right.value)];
    if (compareCodePoints(...keys) <= 0) {
      yield JSON.stringify(left.value);
      left = first.next();
      if (left.done !== true) keys[0] = sortKey(left.value);
    } else {
      yield JSON.stringify(right.value);
      right = second.next();
      if (right.done !== true) keys[1] = sortKey(right.value);
    }
  }
  for (; left.done !== true; left = first.next()) yield JSON.stringify(left.value);
  for (; right.done !== true; right = second.next()) yield JSON.stringify(right.value);
}

function compareTargets(left: ImageTarget, right: ImageTarget, naming: Naming): number {
  return (
    Number(isLast(left)) - Number(isLast(right)) ||
    compareCodePoints(keyOfTarget(left, naming), keyOfTarget(right, naming))
  );
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
