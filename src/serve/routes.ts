import type { Catalog, ContentStore } from '../content/contracts.ts';
import type { RegtarError } from '../errors.ts';
import { isRepository } from '../oci/reference.ts';
import { answerBlob } from './blobs.ts';
import type { CheckedBlobs } from './checked-blobs.ts';
import { answerCatalog, answerTags } from './lists.ts';
import { answerManifest } from './manifests.ts';
import { answerReferrers, createReferrerIndex } from './referrers.ts';
import { refuse } from './refusal.ts';
import { openRepositories } from './repositories.ts';
import { answerBytes, type RegistryAnswer, type RegistryRequest } from './request.ts';
import { parseRequestTarget } from './route.ts';

/** What a registry serves. */
export interface RoutesOptions {
  readonly catalog: Catalog;
  readonly store: ContentStore;
  readonly blobs: CheckedBlobs;
  /**
   * Registries that this one stands for: of requests that name another one in `ns`, none is answered. Empty answers
   * all.
   */
  readonly namespaces?: readonly string[] | undefined;
  /** What a browser sees at `/`; made when the first one asks. */
  readonly page?: (() => Promise<Uint8Array>) | undefined;
  /** Called for each manifest that the backup names and that cannot be given. */
  readonly onDamage?: ((error: RegtarError) => void) | undefined;
}

/** Answers one request. @throws RegtarError SOURCE_CHANGED, SOURCE_UNREADABLE */
export type Routes = (request: RegistryRequest) => Promise<RegistryAnswer>;

/**
 * The read side of a registry over a catalog and a content store. Nothing here knows of sockets.
 * @see OCI distribution-spec v1.1
 */
export function createRoutes({
  catalog,
  store,
  blobs,
  namespaces = [],
  page,
  onDamage = () => undefined,
}: RoutesOptions): Routes {
  const repositories = openRepositories(catalog, store);
  const index = createReferrerIndex(store);

  const answer = async (request: RegistryRequest): Promise<RegistryAnswer> => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return refuse(request, 'UNSUPPORTED', 'this registry is read-only', { Allow: 'GET, HEAD', Connection: 'close' });
    const { route, query } = parseRequestTarget(request.target);
    const namespace = query.get('ns') ?? '';
    if (namespace !== '' && namespaces.length > 0 && !namespaces.includes(namespace))
      return refuse(request, 'NAME_UNKNOWN', 'this registry is not a mirror of that one');
    const told = await answerRoute(request, route, query);
    return isHeaderText(namespace) ? { ...told, headers: { ...told.headers, 'OCI-Namespace': namespace } } : told;
  };

  const answerRoute = async (
    request: RegistryRequest,
    route: ReturnType<typeof parseRequestTarget>['route'],
    query: URLSearchParams,
  ): Promise<RegistryAnswer> => {
    if (route === undefined) return refuse(request, 'NAME_UNKNOWN', 'a registry has nothing here');
    if (route.kind === 'base')
      return answerBytes(request, 200, { 'Content-Type': 'application/json' }, Buffer.from('{}'));
    if (route.kind === 'catalog') return answerCatalog(request, query, repositories);
    if (route.kind === 'page') {
      if (page === undefined) return refuse(request, 'NAME_UNKNOWN', 'a registry has nothing here');
      return answerBytes(request, 200, { 'Content-Type': 'text/html; charset=utf-8' }, await page());
    }
    const name = route.repository;
    if (!isRepository(name)) return refuse(request, 'NAME_INVALID', 'this is not the name of a repository');
    const repository = repositories.find(name);
    if (repository === undefined) return refuse(request, 'NAME_UNKNOWN', 'there is no such repository');
    switch (route.kind) {
      case 'tags':
        return answerTags(request, query, name, repository);
      case 'manifests':
        return answerManifest(request, name, repository, route.reference, { store, onDamage });
      case 'blobs':
        return answerBlob(request, repository, route.reference, blobs);
      case 'referrers':
        return answerReferrers(request, query, repository, route.reference, { store, index });
    }
  };

  return answer;
}

/** Whether a text that a client sent may stand in a header. */
function isHeaderText(text: string): boolean {
  return text.length <= 255 && /^[A-Za-z0-9.:_-]+$/.test(text);
}
