import type { ContentStore } from '../content/contracts.ts';
import { readManifest, type StoredManifest } from '../content/read-manifest.ts';
import type { RegtarError } from '../errors.ts';
import { othersGoOn } from '../errors.ts';
import { isDigest } from '../oci/digest.ts';
import { matchesTag } from './blobs.ts';
import { refuse } from './refusal.ts';
import type { ServedRepository } from './repositories.ts';
import { answerBytes, type RegistryAnswer, type RegistryRequest } from './request.ts';

/** What a manifest's answer is made of. */
export interface ManifestContext {
  readonly store: ContentStore;
  /** Called for a manifest that the backup names and that cannot be given. */
  readonly onDamage: (error: RegtarError) => void;
}

/**
 * `GET` and `HEAD /v2/<name>/manifests/<tag or digest>`. The bytes are those of the backup, with any `Accept`, and
 * their digest is checked each time.
 * @see OCI distribution-spec v1.1, "Pulling manifests"
 */
export async function answerManifest(
  request: RegistryRequest,
  name: string,
  repository: ServedRepository,
  reference: string,
  context: ManifestContext,
): Promise<RegistryAnswer> {
  const isByDigest = reference.includes(':');
  if (isByDigest && !isDigest(reference))
    return refuse(request, 'DIGEST_INVALID', 'this is not a digest that a registry may have');
  const digest = isDigest(reference) ? reference : repository.tags.get(reference);
  if (digest === undefined || !(await repository.hasManifest(digest)))
    return refuse(request, 'MANIFEST_UNKNOWN', 'this repository has no such manifest');
  const stored = tryRead(context, digest);
  if (stored === undefined) return refuse(request, 'MANIFEST_UNKNOWN', 'the backup has lost this manifest');
  const { descriptor, manifest, bytes } = stored;
  const headers = { 'Docker-Content-Digest': digest, ETag: `"${digest}"` };
  if (matchesTag(request.headers['if-none-match'], digest)) return { status: 304, headers, body: [] };
  return {
    ...answerBytes(request, 200, { ...headers, 'Content-Type': descriptor.mediaType }, bytes),
    manifest: {
      repository: name,
      tag: isByDigest ? undefined : reference,
      digest,
      children: manifest.kind === 'index' ? manifest.manifests.map((child) => child.digest) : [],
    },
  };
}

function tryRead(
  { store, onDamage }: ManifestContext,
  digest: Parameters<typeof readManifest>[1],
): StoredManifest | undefined {
  try {
    return readManifest(store, digest);
  } catch (error) {
    if (!othersGoOn(error)) throw error;
    onDamage(error);
    return undefined;
  }
}
