import { RegtarError, type ErrorPlace } from '../errors.ts';
import { digestAlgorithm, digestOf, isDigest, type Digest } from '../oci/digest.ts';
import { isSchema1Type, mediaTypes } from '../oci/media-types.ts';
import type { BlobRequestOptions } from './blobs.ts';
import type { Registry } from './registry.ts';
import { headerOf, type Answer } from '../net/transport.ts';

/** What a registry says of a manifest without sending it; `size` in bytes, -1 where it does not say. */
export interface ManifestHead {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
}

/** A manifest as a registry has it. */
export interface FetchedManifest extends ManifestHead {
  readonly bytes: Uint8Array;
}

/** How a manifest is asked for. */
export interface ManifestHeadOptions extends BlobRequestOptions {
  /** Fewer retries for status 500, where it is likely to stay, and what to do then. */
  readonly lasting500?: { readonly retryTimes: number; readonly hint: string } | undefined;
}

/** How a manifest is pushed. */
export interface PutManifestOptions extends BlobRequestOptions {
  /** What the registry should answer where it is not the digest of the bytes: signed schema1. */
  readonly digest?: Digest | undefined;
}

/** Every type, with the plain ones last: a registry must find no reason to convert. */
const accept = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
  mediaTypes.ociArtifact,
  mediaTypes.dockerSchema1Signed,
  mediaTypes.dockerSchema1,
  '*/*;q=0.1',
].join(', ');

/**
 * @param reference a tag or a digest
 * @returns undefined when the registry has no such manifest
 */
export async function headManifest(
  registry: Registry,
  repository: string,
  reference: string,
  options: ManifestHeadOptions = {},
): Promise<ManifestHead | undefined> {
  const answer = await ask(registry, 'HEAD', repository, reference, options);
  if (answer.status === 404) return undefined;
  const digest = headerOf(answer, 'docker-content-digest');
  // The header is optional; then only the bytes can tell.
  if (digest === undefined || !isDigest(digest)) return getManifest(registry, repository, reference, options);
  return { digest, mediaType: mediaTypeOf(answer), size: Number(headerOf(answer, 'content-length') ?? -1) };
}

/**
 * @returns undefined when the registry has no such manifest
 * @throws RegtarError TARGET_DIFFERS when the bytes are not those of the digest that was asked for
 */
export async function getManifest(
  registry: Registry,
  repository: string,
  reference: string,
  options: BlobRequestOptions = {},
): Promise<FetchedManifest | undefined> {
  const answer = await ask(registry, 'GET', repository, reference, options);
  if (answer.status === 404) return undefined;
  const digest = digestOf(answer.body, isDigest(reference) ? digestAlgorithm(reference) : 'sha256');
  if (isDigest(reference) && reference !== digest && mediaTypeOf(answer) !== mediaTypes.dockerSchema1Signed)
    throw differs(registry, repository, reference, digest);
  return { digest, mediaType: mediaTypeOf(answer), size: answer.body.length, bytes: answer.body };
}

/**
 * Pushes a manifest, its bytes untouched. An immutable tag that has the same digest already is not a failure.
 * @param reference a tag or the manifest's digest
 * @param mediaType the manifest's own
 * @returns the digest as stored, and the subject where the registry keeps referrers by itself
 * @throws RegtarError TARGET_DIFFERS when the registry stored something else; TAG_IMMUTABLE, CHILD_MISSING,
 * MANIFEST_UNSUPPORTED, …
 * @see OCI distribution-spec v1.1, "Pushing Manifests"
 */
export async function putManifest(
  registry: Registry,
  repository: string,
  reference: string,
  mediaType: string,
  bytes: Uint8Array,
  options: PutManifestOptions = {},
): Promise<{ readonly digest: Digest; readonly subject?: string }> {
  const expected = options.digest ?? (isDigest(reference) ? reference : digestOf(bytes));
  const where = { repository, ...(isDigest(reference) ? { digest: reference } : { tag: reference, digest: expected }) };
  try {
    const answer = await registry.request({
      method: 'PUT',
      path: pathOf(repository, reference),
      doing: `push manifest ${nameOf(repository, reference)}`,
      where,
      repository,
      headers: { 'content-type': mediaType },
      body: bytes,
      // Harbor answers 500 for good to configs and layers that it cannot read.
      lasting500: { retryTimes: 2, hint: lasting500Hint },
      signal: options.signal,
    });
    const stored = headerOf(answer, 'docker-content-digest');
    if (
      stored !== undefined &&
      isDigest(stored) &&
      digestAlgorithm(stored) === digestAlgorithm(expected) &&
      stored !== expected
    )
      throw differs(registry, repository, reference, stored);
    if (stored === undefined && answer.status !== 201 && !isSchema1Type(mediaType))
      await requireKept(registry, where, answer.status, options);
    const subject = headerOf(answer, 'oci-subject');
    return { digest: expected, ...(subject !== undefined && { subject }) };
  } catch (error) {
    // Immutable tags refuse even what they already are, and a repeated request may find its own work.
    if (
      error instanceof RegtarError &&
      error.code === 'TAG_IMMUTABLE' &&
      (await headManifest(registry, repository, reference, options))?.digest === expected
    )
      return { digest: expected };
    throw isDigest(reference) && digestAlgorithm(reference) !== 'sha256' ? notKept(error, registry, where) : error;
  }
}

/**
 * What is not 201, and says no digest, need not come from a registry: there are gateways that say yes to everything.
 * @throws RegtarError TARGET_DIFFERS
 */
async function requireKept(
  registry: Registry,
  where: ErrorPlace & { readonly repository: string; readonly digest: Digest; readonly tag?: string },
  status: number,
  options: BlobRequestOptions,
): Promise<void> {
  const { repository, tag, digest } = where;
  const reference = tag ?? digest;
  if ((await headManifest(registry, repository, reference, options))?.digest === digest) return;
  throw new RegtarError(
    'TARGET_DIFFERS',
    `${registry.host} answered ${status} to manifest ${nameOf(repository, reference)}, and does not have it`,
    { where: { ...where, status }, hint: 'check that this is the address of the registry, not of something before it' },
  );
}

/** Distribution 2.8 and 3 answer 400 DIGEST_INVALID to every manifest by another digest than sha256, however right. */
function notKept(error: unknown, { host }: Registry, where: ErrorPlace & { readonly digest: Digest }): unknown {
  if (!(error instanceof RegtarError) || error.where.status !== 400 || error.code !== 'TARGET_DIFFERS') return error;
  return new RegtarError(
    'MANIFEST_UNSUPPORTED',
    `${host} does not take manifest ${where.digest} of ${where.repository ?? ''}: it names manifests by sha256 only`,
    {
      where: { ...where, status: 400 },
      cause: error,
      hint: 'a tagged image arrives under its sha256 digest; carry this one with export --format oci, dir or registry',
    },
  );
}

const lasting500Hint =
  'the registry fails on this manifest every time, and its log says why: repair what it names, or leave the image ' +
  'out with --exclude and carry it with export';

function ask(
  registry: Registry,
  method: 'GET' | 'HEAD',
  repository: string,
  reference: string,
  options: ManifestHeadOptions,
): Promise<Answer> {
  return registry.request({
    method,
    path: pathOf(repository, reference),
    doing: `show manifest ${nameOf(repository, reference)}`,
    where: { repository, ...(isDigest(reference) ? { digest: reference } : { tag: reference }) },
    repository,
    headers: { accept },
    accept: [404],
    ...options,
  });
}

function pathOf(repository: string, reference: string): string {
  return `/v2/${repository}/manifests/${reference}`;
}

function nameOf(repository: string, reference: string): string {
  return isDigest(reference) ? `${repository}@${reference}` : `${repository}:${reference}`;
}

function mediaTypeOf(answer: Answer): string {
  return (headerOf(answer, 'content-type') ?? '').split(';')[0]?.trim() ?? '';
}

function differs(registry: Registry, repository: string, reference: string, digest: string): RegtarError {
  return new RegtarError(
    'TARGET_DIFFERS',
    `${registry.host} has other bytes for ${nameOf(repository, reference)}: their digest is ${digest}`,
    {
      where: { repository, digest },
      hint: "something between here and the registry changes manifests, or the registry's storage is damaged",
    },
  );
}
