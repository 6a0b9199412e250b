import type { ContentStore } from '../content/contracts.ts';
import { readManifest } from '../content/read-manifest.ts';
import { othersGoOn } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { mediaTypes } from '../oci/media-types.ts';
import { refuse } from './refusal.ts';
import { readAtOnce, type ServedRepository } from './repositories.ts';
import { answerBytes, type RegistryAnswer, type RegistryRequest } from './request.ts';

/** Which manifests of a repository have which `subject`; read once, when the first client asks. */
export type ReferrerIndex = (repository: ServedRepository) => Promise<ReadonlyMap<Digest, readonly Descriptor[]>>;

/**
 * `GET /v2/<name>/referrers/<digest>`: what names the digest as its `subject`, and what an index under its fallback tag
 * lists.
 * @see OCI distribution-spec v1.1, "Listing Referrers" and "Referrers Tag Schema"
 */
export async function answerReferrers(
  request: RegistryRequest,
  query: URLSearchParams,
  repository: ServedRepository,
  reference: string,
  { store, index }: { readonly store: ContentStore; readonly index: ReferrerIndex },
): Promise<RegistryAnswer> {
  if (!isDigest(reference)) return refuse(request, 'DIGEST_INVALID', 'this is not a digest that a registry may have');
  const found = new Map<Digest, Descriptor>();
  for (const descriptor of (await index(repository)).get(reference) ?? []) found.set(descriptor.digest, descriptor);
  for (const descriptor of await fallbackReferrers(store, repository, reference))
    if (!found.has(descriptor.digest)) found.set(descriptor.digest, descriptor);
  const wanted = query.get('artifactType') ?? '';
  const manifests = [...found.values()].filter(({ artifactType }) => wanted === '' || artifactType === wanted);
  return answerBytes(
    request,
    200,
    { 'Content-Type': mediaTypes.ociIndex, ...(wanted !== '' && { 'OCI-Filters-Applied': 'artifactType' }) },
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests })),
  );
}

/** @returns an index that reads the manifests of each repository once */
export function createReferrerIndex(store: ContentStore): ReferrerIndex {
  const known = new Map<ServedRepository, Promise<ReadonlyMap<Digest, readonly Descriptor[]>>>();
  return (repository) => {
    let index = known.get(repository);
    if (index === undefined) {
      index = indexSubjects(store, repository);
      known.set(repository, index);
      // A source that could not be read may be readable later.
      index.catch(() => known.delete(repository));
    }
    return index;
  };
}

async function indexSubjects(
  store: ContentStore,
  repository: ServedRepository,
): Promise<ReadonlyMap<Digest, readonly Descriptor[]>> {
  const bySubject = new Map<Digest, Descriptor[]>();
  let read = 0;
  for (const digest of repository.manifests()) {
    if (++read % readAtOnce === 0) await new Promise((resolve) => setImmediate(resolve));
    const referrer = tryDescribe(store, digest);
    if (referrer?.subject === undefined) continue;
    const others = bySubject.get(referrer.subject);
    if (others === undefined) bySubject.set(referrer.subject, [referrer.descriptor]);
    else others.push(referrer.descriptor);
  }
  return bySubject;
}

/**
 * What a client wrote under `sha256-<hex>` while the registry knew no referrers; what is not here any more is left out.
 */
async function fallbackReferrers(
  store: ContentStore,
  repository: ServedRepository,
  subject: Digest,
): Promise<readonly Descriptor[]> {
  const digest = repository.tags.get(subject.replace(':', '-').slice(0, 128));
  const index = digest === undefined ? undefined : tryRead(store, digest);
  if (index?.manifest.kind !== 'index') return [];
  const referrers: Descriptor[] = [];
  for (const child of index.manifest.manifests)
    if (store.stat(child.digest) !== undefined && (await repository.hasManifest(child.digest)))
      referrers.push(tryDescribe(store, child.digest)?.descriptor ?? child);
  return referrers;
}

/**
 * What the list says of a referrer.
 * @see OCI distribution-spec v1.1, "Listing Referrers": artifactType, else the config's media type
 */
function tryDescribe(
  store: ContentStore,
  digest: Digest,
): { readonly descriptor: Descriptor; readonly subject: Digest | undefined } | undefined {
  const stored = tryRead(store, digest);
  if (stored === undefined || stored.manifest.kind === 'schema1') return undefined;
  const { descriptor, manifest } = stored;
  const artifactType = descriptor.artifactType ?? (manifest.kind === 'image' ? manifest.config?.mediaType : undefined);
  return {
    subject: manifest.subject?.digest,
    descriptor: {
      ...descriptor,
      ...(artifactType !== undefined && { artifactType }),
      ...(Object.keys(manifest.annotations).length > 0 && { annotations: manifest.annotations }),
    },
  };
}

function tryRead(store: ContentStore, digest: Digest): ReturnType<typeof readManifest> | undefined {
  try {
    return readManifest(store, digest);
  } catch (error) {
    if (!othersGoOn(error)) throw error;
    return undefined;
  }
}
