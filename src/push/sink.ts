import { RegtarError } from '../errors.ts';
import type {
  BlobOutcome,
  ImageSink,
  ImageTarget,
  ImageWriter,
  SinkTraits,
  WriteOptions,
} from '../content/contracts.ts';
import type { Body } from '../io/body.ts';
import { limits } from '../io/limits.ts';
import { createFirsts, type Firsts } from '../io/per-key.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { parseManifest } from '../oci/manifest.ts';
import { formatImageReference } from '../oci/reference.ts';
import { headManifest, putManifest } from '../remote/manifests.ts';
import { addReferrer } from '../remote/referrers.ts';
import type { Registry } from '../remote/registry.ts';
import { createBlobPlaces, type BlobPlaces, type BlobPlacesOptions } from './blob-places.ts';
import type { Heads } from './heads.ts';
import { tagExists } from './inspect.ts';
import type { OnExistingTag } from './presence.ts';

/** How images are pushed. */
export interface RemoteSinkOptions extends Omit<BlobPlacesOptions, 'isFresh'> {
  /** Images under way at once; as many blobs and connections. */
  readonly jobs: number;
  /** What to do where the tag is there with another digest; `overwrite`, as `docker push` does, unless told. */
  readonly onExistingTag?: OnExistingTag | undefined;
  /** Whether this registry takes schema1 manifests; none does any more unless told. */
  readonly schema1?: boolean | undefined;
  /** What the tags mean now, where that has been asked. */
  readonly heads?: Heads | undefined;
  /** Images that are there: others may mount their blobs. */
  readonly present?: Iterable<ImageTarget> | undefined;
}

/** @param options schema1: whether this registry takes schema1 manifests; none does any more unless told */
export function remoteTraits(options: { readonly jobs: number; readonly schema1?: boolean | undefined }): SinkTraits {
  return {
    schema1: options.schema1 === true,
    indexes: true,
    artifacts: true,
    parallelBlobs: options.jobs,
    chunkBytes: limits.smallBodyBytes,
    bigBlobsFirst: true,
  };
}

/** `host/repository:tag`, or by digest where there is no tag. */
export function describeRemote(registry: Registry, target: ImageTarget): string {
  return `${registry.host}/${formatImageReference({ ...target, digest: target.root.digest })}`;
}

/**
 * Pushes to a registry: each unique blob is uploaded once and mounted everywhere else, children come before indexes, tags last.
 * @see OCI distribution-spec v1.1, "Push"
 */
export function openRemoteSink(registry: Registry, options: RemoteSinkOptions): ImageSink {
  const { heads } = options;
  const places = createBlobPlaces(registry, {
    ...options,
    isFresh: (repository) => heads?.isFresh(repository) === true,
  });
  const manifests = createFirsts<string>();
  const addAll = (target: ImageTarget): void => {
    for (const { digest } of target.blobs) places.add(digest, target.repository);
  };
  for (const target of options.present ?? []) addAll(target);
  return {
    traits: remoteTraits(options),
    describe: (target) => describeRemote(registry, target),
    async begin(target, { signal }) {
      const there =
        heads?.has(target) === true
          ? heads.digestOf(target)
          : (await headManifest(registry, target.repository, target.tag ?? target.root.digest, { signal }))?.digest;
      if (there === target.root.digest) {
        addAll(target);
        return 'present';
      }
      if (there !== undefined && options.onExistingTag === 'skip') return 'skipped';
      if (there !== undefined && options.onExistingTag === 'error') throw tagExists(registry, target, there);
      return createWriter(registry, places, manifests, target);
    },
    finish: async () => undefined,
    // The registry is its opener's: what arrived may still be read back.
    close: async () => undefined,
  };
}

function createWriter(
  registry: Registry,
  places: BlobPlaces,
  manifests: Firsts<string>,
  target: ImageTarget,
): ImageWriter {
  const { repository } = target;
  let root: { readonly manifest: Descriptor; readonly bytes: Uint8Array } | undefined;

  const put = async (
    manifest: Descriptor,
    bytes: Uint8Array,
    reference: string,
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    const { subject } = await putManifest(registry, repository, reference, manifest.mediaType, bytes, {
      signal,
      digest: manifest.digest,
    });
    if (subject === undefined) await keepReferrer(registry, repository, manifest, bytes, signal);
  };

  const bringChild = async (
    manifest: Descriptor,
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<BlobOutcome> => {
    if (
      !places.isFresh(repository) &&
      (await headManifest(registry, repository, manifest.digest, { signal })) !== undefined
    )
      return 'present';
    await put(manifest, bytes, manifest.digest, signal);
    return 'written';
  };

  /** Indexes share children, and tags share indexes: each goes once. */
  const putChild = (manifest: Descriptor, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<BlobOutcome> =>
    manifests.run<BlobOutcome>(
      `${repository}@${manifest.digest}`,
      () => bringChild(manifest, bytes, signal),
      async () => 'present',
    );

  return {
    putBlob: (blob: Descriptor, open: (from?: number) => Body, blobOptions: WriteOptions) =>
      places.put(blob, repository, open, blobOptions),
    async putManifest(manifest, bytes, { signal }) {
      if (manifest.digest !== target.root.digest) return putChild(manifest, bytes, signal);
      // The root makes the image visible, so it waits for commit.
      root = { manifest, bytes };
      return 'written';
    },
    async commit({ signal }) {
      if (root === undefined)
        throw new RegtarError('INTERNAL', `${repository} has no root manifest to commit`, {
          where: { repository },
        });
      await put(root.manifest, root.bytes, target.tag ?? root.manifest.digest, signal);
    },
    abort: async () => undefined,
  };
}

/** Registries without the referrers API answer without `OCI-Subject`: there the client keeps the list. @see OCI distribution-spec v1.1, "Pushing Manifests with Subject" */
async function keepReferrer(
  registry: Registry,
  repository: string,
  descriptor: Descriptor,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes('"subject"')) return;
  const manifest = parseManifest(bytes, descriptor.mediaType);
  if (manifest.kind === 'schema1' || manifest.subject === undefined) return;
  const artifactType = manifest.artifactType ?? (manifest.kind === 'image' ? manifest.config?.mediaType : undefined);
  const referrer: Descriptor = {
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: bytes.length,
    ...(artifactType !== undefined && { artifactType }),
    ...(Object.keys(manifest.annotations).length > 0 && { annotations: manifest.annotations }),
  };
  await addReferrer(registry, repository, manifest.subject.digest, referrer, { signal });
}
