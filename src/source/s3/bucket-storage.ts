import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { RegtarError } from '../../errors.ts';
import { bodyOf } from '../../io/body.ts';
import { limits } from '../../io/limits.ts';
import { forEachParallel } from '../../io/parallel.ts';
import type { Bucket } from '../../s3/bucket.ts';
import { describeBucket } from '../../s3/address.ts';
import type { ListedObject } from '../../s3/xml.ts';
import type { Backup, Entry, Location } from '../backup.ts';
import { knownFarObject, type FarObject } from '../far/far-object.ts';
import { createSmallFiles } from '../far/small-files.ts';
import { createKeyTable } from './key-table.ts';
import { listStorage } from './list-storage.ts';
import { bucketObject } from './open-s3.ts';

/** How links of a bucket are taken. */
export interface BucketStorageOptions {
  /** Takes links for what their paths say where listing does not say otherwise. @defaultValue false */
  readonly trustLinks?: boolean;
}

/** Small objects under way at once. */
const parallel = 16;

/**
 * The storage of a registry's s3 driver: a listing says what there is, how large and how old; links are read only where
 * neither their path nor their ETag says what they hold.
 * @param root what all keys of the tree begin with
 */
export function openBucketStorage(bucket: Bucket, root: string, options: BucketStorageOptions = {}): Backup {
  const describe = describeBucket(bucket.address);
  const keys = createKeyTable(root);
  const small = createSmallFiles();
  const objectAt = ({ start, size }: Location): FarObject =>
    knownFarObject(bucketObject(bucket, keys.keyOf(start)), size);
  return {
    describe,
    format: 's3',
    bytes: undefined,
    async scan(visit, { signal, onProgress } = {}) {
      // Each request under way listens to it.
      if (signal !== undefined) setMaxListeners(0, signal);
      const links = collectLinks(options.trustLinks === true);
      let count = 0;
      await listStorage(
        bucket,
        root,
        (object) => {
          const path = object.key.slice(root.length);
          if (path.endsWith('/link')) {
            const held = links.add(path, object);
            if (held !== undefined) visit(entryOf(path, object, -1, held));
          } else
            visit(entryOf(path, object, path.endsWith('/data') ? keys.add(object.key, object.etag) : -1, undefined));
          if (++count % 1024 === 0) onProgress?.(count);
        },
        { signal },
      );
      await forEachParallel(links.open(), parallel, async ({ path, object, candidates }) => {
        const held = provenText(object, candidates);
        const bytes =
          held ?? (await knownFarObject(bucketObject(bucket, object.key), object.size).fetch(0, object.size, signal));
        visit(entryOf(path, object, -1, bytes));
      });
      if (count === 0)
        throw new RegtarError('SOURCE_EMPTY', `${describe} holds nothing`, { where: { path: describe } });
      return [];
    },
    read(location, from = 0, ring) {
      const bytes = small.get(location.start);
      return bytes === undefined
        ? objectAt(location).read(from, location.size - from, ring)
        : bodyOf(bytes.subarray(from));
    },
    async bring(locations) {
      const absent = [...locations].filter(({ start, size }) => size <= limits.manifestBytes && !small.has(start));
      await forEachParallel(absent, parallel, async (location) =>
        small.keep(location.start, await objectAt(location).fetch(0, location.size)),
      );
    },
    readSmall(location) {
      const bytes = small.get(location.start);
      if (bytes !== undefined) return bytes;
      throw new RegtarError('SOURCE_UNREADABLE', `${describe}/${keys.keyOf(location.start)} was not brought in time`, {
        where: { path: describe },
      });
    },
    file: () => undefined,
    isFar: true,
    far: (location) => (small.has(location.start) ? undefined : objectAt(location).bytes?.(0, location.size)),
    object({ start, size }) {
      const etag = keys.etagOf(start);
      return {
        server: bucket.server,
        bucket: bucket.address.bucket,
        key: keys.keyOf(start),
        etag: etag === '' ? undefined : `"${etag}"`,
        objectBytes: size,
        start: 0,
        size,
      };
    },
    close: () => bucket.close(),
  };
}

function entryOf(path: string, object: ListedObject, start: number, bytes: Uint8Array | undefined): Entry {
  return {
    path,
    kind: 'file',
    target: '',
    modified: object.modified,
    location: { size: object.size, start },
    bytes,
  };
}

interface OpenLink {
  readonly path: string;
  readonly object: ListedObject;
  /** What it may hold, to be compared with its ETag. */
  readonly candidates: readonly string[];
}

interface Links {
  /** @returns what a link holds that needs no reading; undefined where `open` will name it */
  add(path: string, object: ListedObject): Uint8Array | undefined;
  /** Links whose content matters and is not known yet. */
  open(): readonly OpenLink[];
}

/** Sorts links into those that say by path what they hold, and those that have to be looked at. */
function collectLinks(trustLinks: boolean): Links {
  const open: { path: string; object: ListedObject; own: string | undefined }[] = [];
  const histories = new Map<string, string[]>();
  return {
    add(path, object) {
      const digest = /\/(sha256|sha512)\/([0-9a-f]+)\/link$/.exec(path);
      const text = digest === null ? undefined : `${digest[1] ?? ''}:${digest[2] ?? ''}`;
      const tag = /^(.*\/_manifests\/tags\/[^/]+)\/index\//.exec(path)?.[1];
      if (tag !== undefined && text !== undefined) histories.set(tag, [...(histories.get(tag) ?? []), text]);
      // An empty link is told by its size; one of a history says nothing beside its path.
      if (object.size === 0 || tag !== undefined) return Buffer.from(object.size === 0 ? '' : (text ?? ''), 'latin1');
      const isWhole = text !== undefined && object.size === text.length;
      if (isWhole && (trustLinks || isProven(object, text))) return Buffer.from(text, 'latin1');
      open.push({ path, object, own: text });
      return object.size > limits.linkBytes ? new Uint8Array(1) : undefined;
    },
    open: () =>
      open
        .filter(({ object }) => object.size <= limits.linkBytes)
        .map(({ path, object, own }) => ({
          path,
          object,
          candidates: own === undefined ? (histories.get(path.replace(/\/current\/link$/, '')) ?? []) : [own],
        })),
  };
}

function provenText(object: ListedObject, candidates: readonly string[]): Uint8Array | undefined {
  const text = candidates.find((each) => each.length === object.size && isProven(object, each));
  return text === undefined ? undefined : Buffer.from(text, 'latin1');
}

/**
 * The ETag of a small object is the MD5 of its bytes, unless the server encrypts with keys of its own: then it is
 * another one.
 */
function isProven({ etag }: ListedObject, text: string): boolean {
  return etag.length === 32 && createHash('md5').update(text, 'latin1').digest('hex') === etag.toLowerCase();
}
