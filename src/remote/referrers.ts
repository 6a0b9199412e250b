import * as v from 'valibot';
import { RegtarError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestAlgorithm, digestHex, type Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { mediaTypes } from '../oci/media-types.ts';
import type { BlobRequestOptions } from './blobs.ts';
import { getManifest, putManifest } from './manifests.ts';
import type { Registry } from './registry.ts';
import { tryJson } from '../io/try-json.ts';

const indexSchema = v.looseObject({ manifests: v.array(v.looseObject({ digest: v.string() })) });

/**
 * The tag under which referrers of a subject are kept where the registry does not keep them.
 * @see OCI distribution-spec v1.1, "Referrers Tag Schema"
 */
export function referrersTag(subject: Digest): string {
  return `${digestAlgorithm(subject)}-${digestHex(subject).slice(0, 64)}`;
}

/**
 * Everything that refers to a manifest, by the registry's list or by the fallback tag.
 * @see OCI distribution-spec v1.1, "Listing Referrers"
 */
export async function listReferrers(
  registry: Registry,
  repository: string,
  subject: Digest,
  options: BlobRequestOptions = {},
): Promise<readonly Descriptor[]> {
  const answer = await registry.request({
    method: 'GET',
    path: `/v2/${repository}/referrers/${subject}`,
    doing: `list the referrers of ${repository}@${subject}`,
    where: { repository, digest: subject },
    repository,
    headers: { accept: mediaTypes.ociIndex },
    accept: [400, 404, 405],
    ...options,
  });
  const bytes =
    answer.status === 200
      ? answer.body
      : (await getManifest(registry, repository, referrersTag(subject), options))?.bytes;
  if (bytes === undefined) return [];
  const index = parseManifest(bytes, mediaTypes.ociIndex);
  return index.kind === 'index' ? index.manifests : [];
}

/** Whether the registry answers for referrers by itself. @see OCI distribution-spec v1.1, "Listing Referrers" */
export async function hasReferrersApi(
  registry: Registry,
  repository: string,
  subject: Digest,
  options: BlobRequestOptions = {},
): Promise<boolean> {
  const answer = await registry.request({
    method: 'GET',
    path: `/v2/${repository}/referrers/${subject}`,
    doing: `ask whether ${repository} lists referrers`,
    where: { repository, digest: subject },
    repository,
    headers: { accept: mediaTypes.ociIndex },
    accept: [400, 401, 403, 404, 405],
    ...options,
  });
  return answer.status === 200;
}

/**
 * Adds a referrer to its subject's fallback tag; needed only where the registry's answer to the referrer had no
 * `OCI-Subject`.
 * Writers of one subject in this process wait for each other; what others added is kept.
 * @param referrer with the artifact type and annotations that lists show
 */
export function addReferrer(
  registry: Registry,
  repository: string,
  subject: Digest,
  referrer: Descriptor,
  options: BlobRequestOptions = {},
): Promise<void> {
  return registry.referrerTurns.run(`${repository}@${subject}`, () =>
    extendIndex(registry, repository, subject, referrer, options),
  );
}

async function extendIndex(
  registry: Registry,
  repository: string,
  subject: Digest,
  referrer: Descriptor,
  options: BlobRequestOptions,
): Promise<void> {
  const tag = referrersTag(subject);
  const current = await getManifest(registry, repository, tag, options);
  const index =
    current === undefined
      ? { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }
      : parseIndex(current.bytes, repository, tag);
  if (index.manifests.some((entry) => entry.digest === referrer.digest)) return;
  const bytes = Buffer.from(JSON.stringify({ ...index, manifests: [...index.manifests, referrer] }));
  await putManifest(registry, repository, tag, mediaTypes.ociIndex, bytes, options);
}

function parseIndex(bytes: Uint8Array, repository: string, tag: string): v.InferOutput<typeof indexSchema> {
  const parsed = v.safeParse(indexSchema, tryJson(bytes));
  if (parsed.success) return parsed.output;
  throw new RegtarError('TARGET_DIFFERS', `${repository}:${tag} is not an index of referrers, so none can be added`, {
    where: { repository, tag },
    hint: 'delete the tag: its name is reserved for referrers',
  });
}
