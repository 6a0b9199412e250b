import { Refusal } from './answers.ts';

/** What a `/v2/` path means. */
export type RegistryPath =
  | { readonly kind: 'base' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'manifest' | 'referrers'; readonly repository: string; readonly reference: string }
  | { readonly kind: 'tags' | 'uploads' | 'upload' | 'blob'; readonly repository: string; readonly reference: string };

/** Longest repository path that this Harbor can hold, project included. */
export const longestRepository = 245;

// Names may begin with what could be a host, so an upper-case project is looked up and only then not found.
const domainPart = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const name = `((?:${domainPart}(?:\\.${domainPart})*(?::[0-9]+)?/)?${component}(?:/${component})*)`;

/** In Harbor's order: the first that fits decides, which is why a repository cannot be called `…/manifests`. */
const patterns = [
  ['manifest', new RegExp(`^/v2/${name}/manifests/(.*)$`, 's')],
  ['tags', new RegExp(`^/v2/${name}/tags/list()`)],
  ['uploads', new RegExp(`^/v2/${name}/blobs/uploads/?()$`)],
  ['upload', new RegExp(`^/v2/${name}/blobs/uploads/([a-zA-Z0-9-_.=]+)$`)],
  ['blob', new RegExp(`^/v2/${name}/blobs/([^/]+)$`)],
  ['referrers', new RegExp(`^/v2/${name}/referrers/(.*)$`)],
] as const;

const tagPattern = /^\w[\w.-]{0,127}$/;

/**
 * Reads a decoded path below `/v2/`.
 * @throws Refusal 400 for a repository without a project
 */
export function parseRegistryPath(path: string): RegistryPath {
  if (path === '/v2/') return { kind: 'base' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  for (const [kind, pattern] of patterns) {
    const match = pattern.exec(path);
    if (match === null) continue;
    const [, repository = '', reference = ''] = match;
    if (!repository.includes('/'))
      throw new Refusal(400, 'BAD_REQUEST', `bad request: invalid repository name: ${repository}`);
    return { kind, repository, reference };
  }
  return { kind: 'unknown' };
}

/** @throws Refusal 400 for what is neither a tag nor a digest */
export function checkReference(reference: string): void {
  if (!isDigest(reference) && !tagPattern.test(reference))
    throw new Refusal(400, 'BAD_REQUEST', `bad request: invalid tag name: ${reference}`);
}

/** Whether a reference is a digest that Harbor knows: SHA-256 alone. */
export function isDigest(reference: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(reference);
}
