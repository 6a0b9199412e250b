import { childrenFirst } from '../content/image-graph.ts';
import { PairSet } from '../io/pair-set.ts';
import type { Digest } from '../oci/digest.ts';
import type { Inspection } from './inspect-target.ts';
import type { OnExistingTag, RemoteImage } from './presence.ts';

/**
 * What a push will do, before it does it. Blobs that are in the target without a tag are counted as missing: only
 * trying tells.
 */
export interface Estimate {
  readonly images: {
    readonly new: number;
    readonly changed: number;
    readonly present: number;
    readonly skipped: number;
    readonly refused: number;
  };
  /** To be uploaded, each blob once. */
  readonly upload: { readonly blobs: number; readonly bytes: number };
  /** In the target by then, so that they travel as a name. */
  readonly mount: { readonly blobs: number; readonly bytes: number };
  readonly requests: number;
  /** To be put into the target's own storage, each blob once. */
  readonly place?: { readonly blobs: number; readonly bytes: number };
  /** Blobs that the backup lacks, where it lacks any: in the target, or nowhere. */
  readonly lacking?: {
    readonly inTarget: { readonly blobs: number; readonly bytes: number };
    readonly nowhere: { readonly blobs: number; readonly bytes: number };
  };
}

/** @param options verify: one request more a tag; elsewhere: blobs that another shard brings */
export function estimatePush<Image extends RemoteImage>(
  images: readonly Image[],
  inspection: Inspection<Image>,
  options: {
    readonly onExistingTag: OnExistingTag;
    readonly verify: boolean;
    readonly elsewhere?: ReadonlyMap<Digest, string> | undefined;
    /** Whether blobs go through the API. @defaultValue true */
    readonly sendsBlobs?: boolean;
  },
): Estimate {
  const counts = { new: 0, changed: 0, present: 0, skipped: 0, refused: 0 };
  const upload = { blobs: 0, bytes: 0 };
  const mount = { blobs: 0, bytes: 0 };
  const anywhere = new Set<Digest>();
  const placed = new PairSet<string, Digest>();
  const place = (repository: string, digest: Digest): void => {
    anywhere.add(digest);
    placed.add(repository, digest);
  };
  let requests = 2 * inspection.projectsToCreate.length;
  for (const { target, node } of images.filter((image) => inspection.presence.get(image) === 'present')) {
    for (const { digest } of target.blobs) place(target.repository, digest);
    for (const { descriptor } of childrenFirst(node)) placed.add(target.repository, descriptor.digest);
  }
  for (const image of images) {
    const { repository, blobs, root } = image.target;
    const presence = inspection.presence.get(image);
    if (presence === undefined || inspection.refused.has(image)) {
      counts.refused++;
      continue;
    }
    if (presence === 'changed' && options.onExistingTag === 'skip') {
      counts.skipped++;
      continue;
    }
    counts[presence]++;
    if (options.verify) requests++;
    if (presence === 'present') continue;
    for (const { digest, size } of options.sendsBlobs === false ? [] : blobs) {
      if (placed.has(repository, digest)) continue;
      const isThere = anywhere.has(digest) || options.elsewhere?.has(digest) === true || isLacking(image, digest);
      const kind = isThere ? mount : upload;
      kind.blobs++;
      kind.bytes += size;
      requests += kind === mount ? 1 : 2;
      place(repository, digest);
    }
    for (const { descriptor } of childrenFirst(image.node)) {
      const isRoot = descriptor.digest === root.digest;
      if (!isRoot && placed.has(repository, descriptor.digest)) continue;
      requests += isRoot || inspection.heads.isFresh(repository) ? 1 : 2;
      placed.add(repository, descriptor.digest);
    }
  }
  return { images: counts, upload, mount, requests };
}

function isLacking(
  image: RemoteImage & { readonly lacking?: readonly { readonly digest: Digest }[] },
  digest: Digest,
): boolean {
  return image.lacking?.some((blob) => blob.digest === digest) === true;
}
