import { RegtarError } from '../../src/errors.ts';
import type { ContentStore, ImageSink, ImageTarget } from '../../src/content/contracts.ts';
import { verifiedBody } from '../../src/io/verified-body.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { buildImage, json, type BuiltImage, type ImageSpec } from '../support/image-builder.ts';

/** One image as `copy` would feed it: blobs, manifests children first, the root last. */
export interface TestImage {
  readonly target: ImageTarget;
  readonly blobs: readonly Descriptor[];
  readonly manifests: readonly Descriptor[];
}

/** Blobs in memory, read in chunks of one size as a source would. */
export interface MemoryStore extends Pick<ContentStore, 'open'> {
  add(bytes: Buffer): Digest;
  bytes(digest: Digest): Buffer;
  /** Flips one byte of a stored blob. */
  damage(digest: Digest): void;
  /** Makes a blob shorter than its descriptor says. */
  shorten(digest: Digest): void;
  /** Called whenever a blob is opened. */
  onOpen: (digest: Digest) => void;
}

export function createMemoryStore(chunkBytes = 64 * 1024): MemoryStore {
  const blobs = new Map<Digest, Buffer>();
  const bytes = (digest: Digest): Buffer => {
    const found = blobs.get(digest);
    if (found === undefined) throw new RegtarError('BLOB_MISSING', digest, { side: 'source' });
    return found;
  };
  const store: MemoryStore = {
    onOpen: () => undefined,
    add: (content) => {
      const digest = digestOf(content);
      blobs.set(digest, content);
      return digest;
    },
    bytes,
    damage: (digest) => {
      const copy = Buffer.from(bytes(digest));
      copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
      blobs.set(digest, copy);
    },
    shorten: (digest) => void blobs.set(digest, bytes(digest).subarray(1)),
    async *open(digest) {
      store.onOpen(digest);
      const content = bytes(digest);
      for (let start = 0; start < content.length; start += chunkBytes) {
        // Later chunks overwrite nothing here, but a turn of the event loop passes between them, as with a disk.
        if (start > 0) await new Promise((resolve) => setImmediate(resolve));
        yield content.subarray(start, start + chunkBytes);
      }
    },
  };
  return store;
}

/** Stores an image and gives it a name. */
export function addImage(
  store: MemoryStore,
  repository: string,
  tag: string | undefined,
  spec: ImageSpec = {},
): TestImage {
  const built = buildImage(spec, `${repository}:${tag}`);
  return named(repository, tag, storeImage(store, built));
}

/** Stores an index over one image for each platform. */
export function addIndex(
  store: MemoryStore,
  repository: string,
  tag: string | undefined,
  children: readonly ImageSpec[],
): TestImage {
  const stored = children.map((spec) =>
    storeImage(store, buildImage({ format: 'oci', ...spec }, `${repository} ${spec.platform}`)),
  );
  const bytes = json({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: stored.flatMap(({ manifests }) => manifests),
  });
  const root = { mediaType: mediaTypes.ociIndex, digest: store.add(bytes), size: bytes.length };
  const blobs = [...new Map(stored.flatMap((child) => child.blobs).map((blob) => [blob.digest, blob])).values()];
  return named(repository, tag, { blobs, manifests: [...stored.flatMap(({ manifests }) => manifests), root] });
}

/** The same image under another name. */
export function renamed(image: TestImage, change: Partial<ImageTarget>): TestImage {
  return { ...image, target: { ...image.target, ...change } };
}

export type Outcome = 'copied' | 'present' | 'skipped' | RegtarError;

/** Feeds images to a sink, all at once or one after another, then finishes and closes it. @returns what became of each */
export async function feed(
  sink: ImageSink,
  store: MemoryStore,
  images: readonly TestImage[],
  options: { readonly parallel?: boolean; readonly file?: (digest: Digest) => string | undefined } = {},
): Promise<Outcome[]> {
  const one = async (image: TestImage): Promise<Outcome> =>
    feedImage(sink, store, image, options.file).catch((error: unknown) => error as RegtarError);
  const outcomes: Outcome[] = [];
  if (options.parallel === true && sink.traits.parallelBlobs > 1)
    outcomes.push(...(await Promise.all(images.map(one))));
  else for (const image of images) outcomes.push(await one(image));
  try {
    await sink.finish({});
  } finally {
    await sink.close();
  }
  return outcomes;
}

export async function feedImage(
  sink: ImageSink,
  store: MemoryStore,
  image: TestImage,
  file?: (digest: Digest) => string | undefined,
): Promise<Outcome> {
  const writer = await sink.begin(image.target, {});
  if (typeof writer === 'string') return writer;
  try {
    const put = (blob: Descriptor) =>
      writer.putBlob(blob, () => verifiedBody(store.open(blob.digest), blob), { file: file?.(blob.digest) });
    if (sink.traits.parallelBlobs > 1) {
      const settled = await Promise.allSettled(image.blobs.map(put));
      for (const each of settled) if (each.status === 'rejected') throw each.reason;
    } else for (const blob of image.blobs) await put(blob);
    for (const manifest of image.manifests) await writer.putManifest(manifest, store.bytes(manifest.digest), {});
    await writer.commit({});
    return 'copied';
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

interface StoredImage {
  readonly blobs: readonly Descriptor[];
  readonly manifests: readonly Descriptor[];
}

function storeImage(store: MemoryStore, built: BuiltImage): StoredImage {
  const present = [built.config, ...built.layers].filter(({ bytes }) => bytes !== undefined);
  for (const { bytes } of present) if (bytes !== undefined) store.add(bytes);
  const unique = [...new Map(present.map(({ descriptor }) => [descriptor.digest, descriptor])).values()];
  const digest = store.add(built.manifest);
  return { blobs: unique, manifests: [{ mediaType: built.mediaType, digest, size: built.manifest.length }] };
}

function named(repository: string, tag: string | undefined, image: StoredImage): TestImage {
  const root = image.manifests.at(-1);
  if (root === undefined) throw new Error('an image has a manifest');
  return { ...image, target: { repository, tag, root, blobs: image.blobs, referrer: false } };
}
