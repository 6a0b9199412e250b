import { RegtarError, toRegtarError } from '../errors.ts';
import { childrenFirst } from '../content/image-graph.ts';
import { forEachParallel } from '../io/parallel.ts';
import { createOncePerKey } from '../io/per-key.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isSchema1Type } from '../oci/media-types.ts';
import { formatImageReference } from '../oci/reference.ts';
import { headBlob } from '../remote/blobs.ts';
import { getManifest, headManifest } from '../remote/manifests.ts';
import type { Registry } from '../remote/registry.ts';
import type { RemoteImage } from './presence.ts';

interface ReadBackOptions {
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/**
 * Reads back the bytes of every manifest, by the tag for the image's own, and asks for every blob in the repository
 * that needs it.
 * @returns what is wrong, by image
 */
export async function verifyRemote<Image extends RemoteImage>(
  registry: Registry,
  images: readonly Image[],
  options: ReadBackOptions,
): Promise<ReadonlyMap<Image, RegtarError>> {
  const wrong = new Map<Image, RegtarError>();
  const asked = createAsked(registry, options);
  await forEachParallel(images, options.jobs, async (image) => {
    try {
      await requireImage(registry, image, asked, options);
    } catch (error) {
      options.signal.throwIfAborted();
      wrong.set(image, toRegtarError(error));
    }
  });
  return wrong;
}

/** What images of one repository share is asked once. */
interface Asked {
  /** The digest of a manifest's bytes, or undefined when it is not there. */
  manifest(repository: string, digest: Digest): Promise<Digest | undefined>;
  /** Its size in bytes, or undefined when it is not there. */
  blob(repository: string, digest: Digest): Promise<number | undefined>;
}

function createAsked(registry: Registry, { signal }: ReadBackOptions): Asked {
  const manifests = createOncePerKey<string, Digest | undefined>();
  const blobs = createOncePerKey<string, number | undefined>();
  return {
    manifest: (repository, digest) =>
      manifests.get(
        `${repository}@${digest}`,
        async () => (await getManifest(registry, repository, digest, { signal }))?.digest,
      ),
    blob: (repository, digest) =>
      blobs.get(
        `${repository}@${digest}`,
        async () => (await headBlob(registry, repository, digest, { signal }))?.size,
      ),
  };
}

async function requireImage(
  registry: Registry,
  { target, node }: RemoteImage,
  asked: Asked,
  { signal }: ReadBackOptions,
): Promise<void> {
  const { repository, tag, root } = target;
  const name = `${registry.host}/${formatImageReference({ repository, tag, digest: root.digest })}`;
  const where = { repository, tag, digest: root.digest };
  // The digest of schema1 is not that of its bytes.
  const read = isSchema1Type(root.mediaType) ? headManifest : getManifest;
  const found = (await read(registry, repository, tag ?? root.digest, { signal }))?.digest;
  if (found !== root.digest)
    throw new RegtarError('TARGET_DIFFERS', `${name} is ${found ?? 'not there'} instead of ${root.digest}`, {
      where,
      hint: 'another client pushes to this tag, or the registry has lost it: push again',
    });
  const lack = (what: string, hint: string): RegtarError =>
    new RegtarError('TARGET_DIFFERS', `${name} lacks ${what}`, { where, hint });
  for (const { descriptor } of childrenFirst(node)) {
    if (descriptor.digest === root.digest || isSchema1Type(descriptor.mediaType)) continue;
    if ((await asked.manifest(repository, descriptor.digest)) !== descriptor.digest)
      throw lack(`its child ${descriptor.digest}`, 'delete the tag there, then push again');
  }
  for (const blob of target.blobs)
    if (!isSize(await asked.blob(repository, blob.digest), blob))
      throw lack(`its blob ${blob.digest}`, 'push again with --repair, which brings what the registry has lost');
}

/** -1 stands for a size that is not known. */
function isSize(found: number | undefined, { size }: Descriptor): boolean {
  return found !== undefined && (found === size || found < 0 || size < 0);
}
