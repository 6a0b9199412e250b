import { setTimeout } from 'node:timers/promises';
import { RegtarError } from '../errors.ts';
import type { ImageWriter } from '../content/contracts.ts';
import { forEachParallel } from '../io/parallel.ts';
import { createRing } from '../io/ring.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isForeignLayerType } from '../oci/media-types.ts';
import { headBlob } from '../remote/blobs.ts';
import { headManifest, putManifest } from '../remote/manifests.ts';
import type { Registry } from '../remote/registry.ts';
import type { BlobPlaces } from './blob-places.ts';

/** A registry that forgets what others are pushing at this moment remembers it after a few of them. */
const attempts = 5;
const firstPauseMilliseconds = 200;

/**
 * Sends a manifest until the registry knows what it names. While others push the same blobs, Distribution 2.8 now and
 * then answers 400 for blobs that are there, and it passes.
 * @param remedy looks for the reason and removes it. @returns false where nothing can be done
 */
export async function insistOn(
  send: () => Promise<void>,
  remedy: (error: RegtarError, attempt: number) => Promise<boolean>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send();
    } catch (error) {
      if (!isAboutContent(error) || attempt === attempts || !(await remedy(error, attempt))) throw error;
      await setTimeout(firstPauseMilliseconds * 2 ** (attempt - 1), undefined, { signal });
    }
  }
}

function isAboutContent(error: unknown): error is RegtarError {
  return (
    error instanceof RegtarError &&
    error.where.status === 400 &&
    (error.code === 'CHILD_MISSING' || error.code === 'TARGET_DIFFERS')
  );
}

/** What one image can give to a registry that turns out to lack it. */
export interface Supplies {
  addBlob(blob: Descriptor, open: Parameters<ImageWriter['putBlob']>[1]): void;
  addManifest(manifest: Descriptor, bytes: Uint8Array): void;
  /** Sends a blob or a manifest of the image through the API. @returns false where there are no bytes of it */
  send(digest: Digest, signal: AbortSignal | undefined): Promise<boolean>;
  /**
   * Brings what a manifest names and the registry does not know.
   * @param error the registry's, with the digests where it says them
   * @returns whether another attempt makes sense
   */
  bring(
    manifest: Descriptor,
    bytes: Uint8Array,
    error: RegtarError,
    options: { readonly attempt: number; readonly signal: AbortSignal | undefined },
  ): Promise<boolean>;
}

/**
 * @param options headsLie: whether the registry answers HEAD from a book that placed blobs are not in, as Harbor does
 */
export function createSupplies(
  registry: Registry,
  places: BlobPlaces,
  repository: string,
  options: { readonly headsLie: boolean },
): Supplies {
  const blobs = new Map<Digest, { blob: Descriptor; open: Parameters<ImageWriter['putBlob']>[1] }>();
  const manifests = new Map<Digest, { manifest: Descriptor; bytes: Uint8Array }>();

  const absent = async (named: Named, signal: AbortSignal | undefined): Promise<Digest[]> => {
    const found: Digest[] = [];
    const ask = async (digest: Digest, head: typeof headBlob | typeof headManifest): Promise<void> => {
      if ((await head(registry, repository, digest, { signal })) === undefined) found.push(digest);
    };
    await forEachParallel([...new Set(named.blobs)], 4, (digest) => ask(digest, headBlob));
    await forEachParallel(named.manifests, 4, (digest) => ask(digest, headManifest));
    return found;
  };
  const bringOne = async (digest: Digest, signal: AbortSignal | undefined): Promise<boolean> => {
    const blob = blobs.get(digest);
    if (blob !== undefined) {
      // The place that it was first brought in has gone to another transfer, and its buffers with it.
      await places.upload(blob.blob, repository, (from) => blob.open(from, createRing()), { signal });
      return true;
    }
    const child = manifests.get(digest);
    if (child === undefined) return false;
    const { manifest, bytes } = child;
    await putManifest(registry, repository, digest, manifest.mediaType, bytes, { signal, digest });
    return true;
  };
  return {
    addBlob: (blob, open) => void blobs.set(blob.digest, { blob, open }),
    addManifest: (manifest, bytes) => void manifests.set(manifest.digest, { manifest, bytes }),
    send: bringOne,
    async bring(manifest, bytes, error, { attempt, signal }) {
      const named = referencesOf(manifest, bytes);
      const said = new Set(error.where.digests);
      // At first it may be passing; who insists is believed, although a HEAD says otherwise.
      const isBelieved = said.size > 0 && (options.headsLie || attempt > 1);
      const all = [...named.blobs, ...named.manifests];
      const asked = options.headsLie && said.size > 0 ? [] : await absent(named, signal);
      const lost = new Set([...asked, ...all.filter((digest) => isBelieved && said.has(digest))]);
      const outcomes: boolean[] = [];
      for (const digest of lost) outcomes.push(await bringOne(digest, signal));
      return outcomes.every((isBrought) => isBrought);
    },
  };
}

interface Named {
  readonly blobs: readonly Digest[];
  readonly manifests: readonly Digest[];
}

function referencesOf({ mediaType }: Descriptor, bytes: Uint8Array): Named {
  const manifest = parseManifest(bytes, mediaType);
  if (manifest.kind === 'index') return { blobs: [], manifests: manifest.manifests.map(({ digest }) => digest) };
  if (manifest.kind !== 'image') return { blobs: [], manifests: [] };
  const layers = manifest.layers.filter((layer) => !isForeignLayerType(layer.mediaType));
  const blobs = [...(manifest.config === undefined ? [] : [manifest.config]), ...layers].map(({ digest }) => digest);
  return { blobs, manifests: [] };
}

/** Blobs that a manifest names more than once: an empty layer, the empty object as config and content. */
export function repeatedBlobs(manifest: Descriptor, bytes: Uint8Array): readonly Digest[] {
  const { blobs } = referencesOf(manifest, bytes);
  return [...new Set(blobs.filter((digest, index) => blobs.indexOf(digest) !== index))];
}

/** A manifest's own digest, and those of everything that it names. */
export function namedDigests(manifest: Descriptor, bytes: Uint8Array): readonly Digest[] {
  const { blobs, manifests } = referencesOf(manifest, bytes);
  return [...new Set([manifest.digest, ...blobs, ...manifests])];
}
