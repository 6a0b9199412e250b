import { targetName } from '../content/target-name.ts';
import { RegtarError } from '../errors.ts';
import type {
  BlobOutcome,
  ImageSink,
  ImageTarget,
  ImageWriter,
  SinkTraits,
  WriteOptions,
} from '../content/contracts.ts';
import { limits } from '../io/limits.ts';
import { createFirsts, type Firsts } from '../io/per-key.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { parseManifest, type Manifest } from '../oci/manifest.ts';
import { getManifest, headManifest, putManifest } from '../remote/manifests.ts';
import { addReferrer } from '../remote/referrers.ts';
import type { Registry } from '../remote/registry.ts';
import { projectOf } from '../harbor/name-rules.ts';
import { blobMissing, createBlobPlaces, type BlobPlaces, type BlobPlacesOptions } from './blob-places.ts';
import type { FirstNaming } from './first-naming.ts';
import type { Passage, Proof } from './proof.ts';
import { createSupplies, insistOn, namedDigests, repeatedBlobs, type Supplies } from './supplies.ts';
import { createRoom, type Room } from './room.ts';
import type { Heads } from './heads.ts';
import { tagExists } from './inspect-target.ts';
import type { OnExistingTag } from './presence.ts';
import { createUnderWay, type UnderWay } from './under-way.ts';

/** How images are pushed. */
export interface RemoteSinkOptions extends Omit<BlobPlacesOptions, 'isFresh'> {
  /** How blobs get there. @defaultValue through the API */
  readonly places?: BlobPlaces | undefined;
  /** Whether blobs do not go through the API, so that their order and size do not matter to it. @defaultValue false */
  readonly isPlaced?: boolean | undefined;
  /** Holds all images back until one has shown where the storage is. @defaultValue none does */
  readonly proof?: Proof | undefined;
  /** Manifests that name the same new blob go one after the other. @defaultValue side by side */
  readonly naming?: FirstNaming | undefined;
  /** Blobs of an image of which there are no bytes here. @defaultValue none */
  readonly lacking?: ((target: ImageTarget) => readonly Descriptor[]) | undefined;
  /** What the registry lacks is not brought, it is an error. @defaultValue false */
  readonly sendsNothing?: boolean | undefined;
  /** Takes no answer for granted: images that are there are walked like all others. @defaultValue false */
  readonly distrust?: boolean | undefined;
  /** Called before a manifest is sent, where its file in the target's storage may be wrong. */
  readonly mend?: ((manifest: Descriptor, bytes: Uint8Array) => Promise<void>) | undefined;
  /** Images under way at once; as many blobs and connections. */
  readonly jobs: number;
  /** What to do where the tag is there with another digest. @defaultValue `overwrite`, as `docker push` does */
  readonly onExistingTag?: OnExistingTag | undefined;
  /** Whether this registry takes schema1 manifests. @defaultValue false, since hardly any does */
  readonly schema1?: boolean | undefined;
  /** What the tags mean now, where that has been asked. */
  readonly heads?: Heads | undefined;
  /**
   * Whether room is counted by project, as in Harbor: a full one then refuses all of its images with one reason.
   * @defaultValue false
   */
  readonly hasProjects?: boolean | undefined;
  /** Images that are there: others may mount their blobs. */
  readonly present?: Iterable<ImageTarget> | undefined;
}

/** @param options schema1: whether this registry takes schema1 manifests */
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
  return `${registry.host}/${targetName(target)}`;
}

/**
 * Pushes to a registry: each unique blob is brought once and mounted everywhere else, children come before indexes,
 * tags last.
 * @see OCI distribution-spec v1.1, "Push"
 */
export function openRemoteSink(registry: Registry, options: RemoteSinkOptions): ImageSink {
  const { heads, lacking = () => [] } = options;
  const places =
    options.places ??
    createBlobPlaces(registry, { ...options, isFresh: (repository) => heads?.isFresh(repository) === true });
  const room = createRoom(registry, options.hasProjects === true);
  const underWay = createUnderWay();
  const shared: Shared = { registry, places, manifests: createFirsts(), room, underWay, options };
  const addAll = (target: ImageTarget): void => {
    for (const { digest } of target.blobs) places.add(digest, target.repository);
  };
  for (const target of options.present ?? []) addAll(target);
  const enter = async (
    target: ImageTarget,
    write: WriteOptions,
    end: () => void,
  ): Promise<ImageWriter | 'present' | 'skipped'> => {
    shared.room.check(target.repository);
    const there =
      heads?.has(target) === true
        ? heads.digestOf(target)
        : (
            await shared.room.watch(target.repository, () =>
              headManifest(registry, target.repository, target.tag ?? target.root.digest, write),
            )
          )?.digest;
    if (there === target.root.digest && options.distrust !== true) {
      addAll(target);
      return 'present';
    }
    const isOther = there !== undefined && there !== target.root.digest;
    if (isOther && options.onExistingTag === 'skip') return 'skipped';
    if (isOther && options.onExistingTag === 'error') throw tagExists(registry, target, there);
    const passage = await options.proof?.enter(target);
    try {
      for (const blob of lacking(target)) await places.adopt(blob, target.repository, write);
      return createWriter(shared, target, passage, end);
    } catch (error) {
      passage?.leave();
      throw error;
    }
  };
  const begin: ImageSink['begin'] = async (target, write) => {
    const end = underWay.add(target.repository, target.root.digest);
    let writer: Awaited<ReturnType<typeof enter>> | undefined;
    try {
      return (writer = await enter(target, write, end));
    } finally {
      if (typeof writer !== 'object') end();
    }
  };
  return {
    traits:
      options.isPlaced === true
        ? { ...remoteTraits(options), bigBlobsFirst: false, chunkBytes: limits.chunkBytes }
        : remoteTraits(options),
    describe: (target) => describeRemote(registry, target),
    begin,
    finish: async () => undefined,
    // The registry is its opener's: what arrived may still be read back.
    close: async () => undefined,
  };
}

/** What the writers of all images share. */
interface Shared {
  readonly registry: Registry;
  readonly places: BlobPlaces;
  readonly manifests: Firsts<string>;
  readonly room: Room;
  readonly underWay: UnderWay;
  readonly options: RemoteSinkOptions;
}

/** How the manifests of one image get there. */
interface ManifestPuts {
  /** @param reference a tag, or its digest */
  put(manifest: Descriptor, bytes: Uint8Array, reference: string, signal: AbortSignal | undefined): Promise<void>;
  /** Indexes share children, and tags share indexes: each goes once. */
  putChild(manifest: Descriptor, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<BlobOutcome>;
}

function createManifestPuts(
  { registry, places, manifests, options }: Shared,
  repository: string,
  supplies: Supplies,
  passage: Passage | undefined,
): ManifestPuts {
  const send: ManifestPuts['put'] = async (manifest, bytes, reference, signal) => {
    await options.mend?.(manifest, bytes);
    const { subject } = await putManifest(registry, repository, reference, manifest.mediaType, bytes, {
      signal,
      digest: manifest.digest,
    });
    if (options.distrust === true) await requireManifest(registry, repository, manifest, bytes, signal);
    if (subject === undefined) await keepReferrer(registry, repository, manifest, bytes, signal);
  };
  const insist: ManifestPuts['put'] = (manifest, bytes, reference, signal) =>
    insistOn(
      () => send(manifest, bytes, reference, signal),
      async (error, attempt) => {
        if (passage !== undefined && error.code === 'CHILD_MISSING') return passage.refuse(error);
        if (options.sendsNothing === true) throw unknownThere(registry, repository, error);
        return supplies.bring(manifest, bytes, error, { attempt, signal });
      },
      signal,
    );
  const put: ManifestPuts['put'] = (manifest, bytes, reference, signal) =>
    options.naming === undefined
      ? insist(manifest, bytes, reference, signal)
      : options.naming.run(projectOf(repository), namedDigests(manifest, bytes), async (fresh) => {
          // Harbor counts a blob that it does not know once for each time that a manifest names it; what was sent it
          // knows.
          const repeated = repeatedBlobs(manifest, bytes).filter((digest) => fresh.includes(digest));
          if (options.sendsNothing !== true) for (const digest of repeated) await supplies.send(digest, signal);
          return insist(manifest, bytes, reference, signal);
        });
  const bringChild: ManifestPuts['putChild'] = async (manifest, bytes, signal) => {
    if (
      options.distrust !== true &&
      !places.isFresh(repository) &&
      (await headManifest(registry, repository, manifest.digest, { signal })) !== undefined
    )
      return 'present';
    await put(manifest, bytes, manifest.digest, signal);
    return 'written';
  };
  return {
    put,
    putChild: (manifest, bytes, signal) =>
      manifests.run<BlobOutcome>(
        `${repository}@${manifest.digest}`,
        () => bringChild(manifest, bytes, signal),
        async () => 'present',
      ),
  };
}

/** @param end tells that the image is no longer on its way */
function createWriter(shared: Shared, target: ImageTarget, passage: Passage | undefined, end: () => void): ImageWriter {
  const { registry, places, room, underWay, options } = shared;
  const { repository } = target;
  const supplies = createSupplies(registry, places, repository, { headsLie: options.isPlaced === true });
  const puts = createManifestPuts(shared, repository, supplies, passage);
  let root: { readonly manifest: Descriptor; readonly bytes: Uint8Array } | undefined;

  return {
    putBlob(blob, open, write) {
      supplies.addBlob(blob, open);
      return room.watch(repository, () => places.put(blob, repository, open, write));
    },
    async putManifest(manifest, bytes, { signal }) {
      if (manifest.digest !== target.root.digest) {
        supplies.addManifest(manifest, bytes);
        return room.watch(repository, () => puts.putChild(manifest, bytes, signal));
      }
      // The root makes the image visible, so it waits for commit.
      root = { manifest, bytes };
      return 'written';
    },
    async commit({ signal }) {
      if (root === undefined)
        throw new RegtarError('INTERNAL', `${repository} has no root manifest to commit`, { where: { repository } });
      const { manifest, bytes } = root;
      // While an image proves where the storage is, all others wait for it.
      const subject = passage === undefined ? subjectOf(manifest, bytes)?.subject?.digest : undefined;
      if (subject !== undefined) await underWay.wait(repository, subject);
      const commit = (): Promise<void> => puts.put(manifest, bytes, target.tag ?? manifest.digest, signal);
      await room.watch(repository, () => (passage === undefined ? commit() : passage.prove(commit, bytes)));
      end();
      return 'written';
    },
    async abort() {
      end();
      passage?.leave();
    },
  };
}

/** @throws RegtarError TARGET_BLOB_DAMAGED when the registry has taken a manifest and gives other bytes, or none */
async function requireManifest(
  registry: Registry,
  repository: string,
  { digest }: Descriptor,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const found = await getManifest(registry, repository, digest, { signal }).catch((error: unknown) => {
    if (error instanceof RegtarError && (error.code === 'TARGET_DIFFERS' || error.where.status !== undefined))
      return undefined;
    throw error;
  });
  if (found !== undefined && Buffer.compare(found.bytes, bytes) === 0) return;
  throw new RegtarError(
    'TARGET_BLOB_DAMAGED',
    `the file of manifest ${digest} in ${repository} of ${registry.host} is damaged`,
    {
      where: { repository, digest },
      hint: '--repair with --storage replaces it',
    },
  );
}

function unknownThere(registry: Registry, repository: string, error: RegtarError): RegtarError {
  const digests = error.where.digests ?? [];
  return digests.length === 0 ? error : blobMissing(registry, repository, digests);
}

/**
 * Registries without the referrers API answer without `OCI-Subject`: there the client keeps the list.
 * @see OCI distribution-spec v1.1, "Pushing Manifests with Subject"
 */
async function keepReferrer(
  registry: Registry,
  repository: string,
  descriptor: Descriptor,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const manifest = subjectOf(descriptor, bytes);
  if (manifest?.subject === undefined) return;
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

/** @returns the manifest if it may refer to another one; most need not be parsed to know that they do not */
function subjectOf({ mediaType }: Descriptor, bytes: Uint8Array): Exclude<Manifest, { kind: 'schema1' }> | undefined {
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes('"subject"')) return undefined;
  const manifest = parseManifest(bytes, mediaType);
  return manifest.kind === 'schema1' ? undefined : manifest;
}
