import type { Catalog, ContentStore } from '../content/contracts.ts';
import { childrenFirst, createGraphReader } from '../content/image-graph.ts';
import { othersGoOn } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import type { ImageFilter } from './filter.ts';

/** A tag that is new, gone, or means another digest than before. */
export interface ChangedImage {
  readonly repository: string;
  readonly tag: string;
  /** undefined where the tag is new. */
  readonly before: Digest | undefined;
  /** undefined where the tag is gone. */
  readonly after: Digest | undefined;
}

/** What happened between two backups of the same registry. */
export interface BackupDiff {
  readonly added: readonly ChangedImage[];
  readonly changed: readonly ChangedImage[];
  readonly gone: readonly ChangedImage[];
  readonly unchanged: number;
  /** Blobs that tags of the new backup reach and the old one lacks, manifests included; bytes as stored. */
  readonly travel: { readonly blobs: number; readonly bytes: number };
}

/** Which images of two backups are compared. */
export interface DiffOptions {
  /** Of the new backup. @defaultValue all */
  readonly chosen?: ImageFilter | undefined;
  /** Of the old one: names alone, since an image that was not chosen now is not gone. @defaultValue all */
  readonly named?: ImageFilter | undefined;
}

/** Compares tags by digest, and counts what an `export --base OLD` would carry. */
export function diffBackups(
  before: { readonly catalog: Catalog; readonly store: ContentStore },
  after: { readonly catalog: Catalog; readonly store: ContentStore },
  { chosen, named }: DiffOptions = {},
): BackupDiff {
  const added: ChangedImage[] = [];
  const changed: ChangedImage[] = [];
  const gone: ChangedImage[] = [];
  let unchanged = 0;
  for (const repository of new Set([...before.catalog.repositories(), ...after.catalog.repositories()])) {
    const old = new Map([...before.catalog.tags(repository)].map(({ tag, digest }) => [tag, digest]));
    for (const { tag, digest } of after.catalog.tags(repository)) {
      const earlier = old.get(tag);
      old.delete(tag);
      if (chosen?.({ repository, tag, digest }) === false) continue;
      if (earlier === digest) unchanged++;
      else if (earlier === undefined) added.push({ repository, tag, before: undefined, after: digest });
      else changed.push({ repository, tag, before: earlier, after: digest });
    }
    for (const [tag, digest] of old)
      if (named?.({ repository, tag, digest }) !== false)
        gone.push({ repository, tag, before: digest, after: undefined });
  }
  return { added, changed, gone, unchanged, travel: countTravel(before.store, after, [...added, ...changed]) };
}

function countTravel(
  old: ContentStore,
  after: { readonly store: ContentStore },
  images: readonly ChangedImage[],
): { blobs: number; bytes: number } {
  const graph = createGraphReader(after.store);
  const travelling = new Map<Digest, number>();
  for (const { after: digest } of images) {
    if (digest === undefined) continue;
    try {
      for (const node of childrenFirst(graph.read(digest))) {
        for (const part of [node.descriptor, ...node.blobs])
          if (old.stat(part.digest) === undefined) travelling.set(part.digest, part.size);
      }
    } catch (error) {
      // A broken image does not travel; `inspect` and `verify` name it.
      if (!othersGoOn(error)) throw error;
    }
  }
  let bytes = 0;
  for (const size of travelling.values()) bytes += size;
  return { blobs: travelling.size, bytes };
}
