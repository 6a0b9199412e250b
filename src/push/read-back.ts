import { RegtarError, toRegtarError } from '../errors.ts';
import type { BlobNumbers } from '../content/contracts.ts';
import { createDigestKeys, type DigestKey } from '../content/digest-key.ts';
import { childrenFirst } from '../content/image-graph.ts';
import { forEachParallel } from '../io/parallel.ts';
import { groupBy } from '../io/group-by.ts';
import { createTurns } from '../io/per-key.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isSchema1Type } from '../oci/media-types.ts';
import { formatImageReference } from '../oci/reference.ts';
import { headBlob } from '../remote/blobs.ts';
import { getManifest, headManifest } from '../remote/manifests.ts';
import type { Registry } from '../remote/registry.ts';
import type { RemoteImage } from './presence.ts';

/** How a target is read back. */
export interface ReadBackOptions {
  /** Images asked about at once. */
  readonly jobs: number;
  readonly signal: AbortSignal;
  /** Numbers of the blobs. @defaultValue what was asked is remembered by digests, which takes more room */
  readonly numbers?: BlobNumbers | undefined;
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
  const groups = groupBy(images, ({ target }) => target.repository);
  const left = new Map(groups.map(([repository, { length }]) => [repository, length]));
  const asked = new Map<string, Asked>();
  const askedIn = (repository: string): Asked => {
    const known = asked.get(repository) ?? createAsked(registry, repository, options);
    asked.set(repository, known);
    return known;
  };
  // Repository by repository: what its images share is forgotten with the last of them.
  const inOrder = groups.flatMap(([, group]) => group);
  await forEachParallel(inOrder, options.jobs, async (image) => {
    const { repository } = image.target;
    try {
      await requireImage(registry, image, askedIn(repository), options);
    } catch (error) {
      options.signal.throwIfAborted();
      wrong.set(image, toRegtarError(error));
    }
    const others = (left.get(repository) ?? 0) - 1;
    left.set(repository, others);
    if (others === 0) asked.delete(repository);
  });
  return wrong;
}

/** What images of one repository share is asked once. */
interface Asked {
  /** The digest of a manifest's bytes, or undefined when it is not there. */
  manifest(digest: Digest): Promise<Digest | undefined>;
  /** Its size in bytes, or undefined when it is not there. */
  blob(digest: Digest): Promise<number | undefined>;
}

function createAsked(registry: Registry, repository: string, { signal, numbers }: ReadBackOptions): Asked {
  const keyOf = createDigestKeys(numbers);
  return {
    manifest: rememberAnswers(
      keyOf,
      async (digest) => (await getManifest(registry, repository, digest, { signal }))?.digest,
    ),
    blob: rememberAnswers(keyOf, async (digest) => (await headBlob(registry, repository, digest, { signal }))?.size),
  };
}

/** Asks once about each digest, also where that fails. A promise of each would take ten times what the answers are. */
function rememberAnswers<Answer>(
  keyOf: (digest: Digest) => DigestKey,
  ask: (digest: Digest) => Promise<Answer>,
): (digest: Digest) => Promise<Answer> {
  const answers = new Map<DigestKey, Answer>();
  const failures = new Map<DigestKey, unknown>();
  const turns = createTurns<DigestKey>();
  return (digest) => {
    const key = keyOf(digest);
    return turns.run(key, async () => {
      if (failures.has(key)) throw failures.get(key);
      if (answers.has(key)) return answers.get(key) as Answer;
      try {
        const answer = await ask(digest);
        answers.set(key, answer);
        return answer;
      } catch (error) {
        failures.set(key, error);
        throw error;
      }
    });
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
  if (found === undefined)
    throw new RegtarError('TARGET_DIFFERS', `${name} is not there, although ${registry.host} took it`, {
      where,
      hint: 'where its garbage collection has just run, the registry may remember what is gone: restart it, push again',
    });
  if (found !== root.digest)
    throw new RegtarError('TARGET_DIFFERS', `${name} is ${found} instead of ${root.digest}`, {
      where,
      hint: 'another client pushes to this tag: push again',
    });
  const lack = (what: string, hint: string): RegtarError =>
    new RegtarError('TARGET_DIFFERS', `${name} lacks ${what}`, { where, hint });
  for (const { descriptor } of childrenFirst(node)) {
    if (descriptor.digest === root.digest || isSchema1Type(descriptor.mediaType)) continue;
    if ((await asked.manifest(descriptor.digest)) !== descriptor.digest)
      throw lack(`its child ${descriptor.digest}`, 'delete the tag there, then push again');
  }
  for (const blob of target.blobs)
    if (!isSize(await asked.blob(blob.digest), blob))
      throw lack(`its blob ${blob.digest}`, 'push again with --repair, which brings what the registry has lost');
}

/** -1 stands for a size that is not known. */
function isSize(found: number | undefined, { size }: Descriptor): boolean {
  return found !== undefined && (found === size || found < 0 || size < 0);
}
