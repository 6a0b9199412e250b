/** What the path of a request names; its parts are not checked yet. */
export type Route =
  | { readonly kind: 'page' }
  | { readonly kind: 'base' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'tags'; readonly repository: string }
  | {
      readonly kind: 'manifests' | 'blobs' | 'referrers';
      readonly repository: string;
      /** A tag or a digest. */
      readonly reference: string;
    };

/** A request line taken apart. */
export interface RequestTarget {
  /** undefined where the path is none of a registry's. */
  readonly route: Route | undefined;
  readonly query: URLSearchParams;
}

const inRepository = /^\/v2\/(.+)\/(manifests|blobs|referrers)\/([^/]+)$/;
const tagsList = /^\/v2\/(.+)\/tags\/list$/;

/**
 * Takes the target of a request apart. Escapes are resolved once, as registries do it; the result is looked up
 * among names and never becomes a path of this machine.
 * @see OCI distribution-spec v1.1, "Endpoints"
 */
export function parseRequestTarget(target: string): RequestTarget {
  // A client that takes this for a proxy sends the whole URL.
  const local = target.replace(/^https?:\/\/[^/?]*/i, '');
  const mark = local.indexOf('?');
  const path = unescape(mark < 0 ? local : local.slice(0, mark));
  return {
    route: path === undefined ? undefined : routeOf(path),
    query: new URLSearchParams(mark < 0 ? '' : local.slice(mark + 1)),
  };
}

function routeOf(path: string): Route | undefined {
  if (path === '/' || path === '') return { kind: 'page' };
  if (path === '/v2' || path === '/v2/') return { kind: 'base' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  const [, listed] = tagsList.exec(path) ?? [];
  if (listed !== undefined) return { kind: 'tags', repository: listed };
  const [, repository, kind, reference] = inRepository.exec(path) ?? [];
  if (repository === undefined || reference === undefined) return undefined;
  return { kind: kind as 'manifests' | 'blobs' | 'referrers', repository, reference };
}

function unescape(path: string): string | undefined {
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
