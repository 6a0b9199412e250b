import { RegtarError } from '../errors.ts';
import { isDigest, type Digest } from './digest.ts';

/** `repository:tag`, `repository@digest` or `repository:tag@digest` within one registry. */
export interface ImageReference {
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/**
 * What tells images of one place apart: a tag of a repository, or without one a digest. Results and reports keep the
 * digest beside the tag; it is part of the identity only where there is no tag.
 */
export interface ImageName {
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

const componentPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** @see OCI distribution-spec v1.1, "Pulling manifests": `<name>`, at most 255 characters */
export function isRepository(name: string): boolean {
  return (
    name.length > 0 && name.length <= 255 && name.split('/').every((component) => componentPattern.test(component))
  );
}

/** @see OCI distribution-spec v1.1, "Pulling manifests": `<reference>` as a tag */
export function isTag(tag: string): boolean {
  return tagPattern.test(tag);
}

/** @throws RegtarError REFERENCE_INVALID when the text names neither a tag nor a digest, or either is malformed */
export function parseImageReference(text: string): ImageReference {
  const at = text.indexOf('@');
  const name = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  const repository = colon < 0 ? name : name.slice(0, colon);
  const tag = colon < 0 ? undefined : name.slice(colon + 1);
  const valid =
    isRepository(repository) &&
    (tag === undefined || isTag(tag)) &&
    (digest === undefined || isDigest(digest)) &&
    (tag !== undefined || digest !== undefined);
  if (!valid) {
    throw new RegtarError('REFERENCE_INVALID', `"${text}" is not an image reference`, {
      hint: 'write repository:tag or repository@sha256:…, as `regtar list` prints them',
    });
  }
  return { repository, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest: digest as Digest }) };
}

/** An image, or a whole repository where neither tag nor digest is said, as people copy it from elsewhere. */
export interface NamedImage {
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
  /** The registry that was named before it; a storage may also have it as the first component of its own names. */
  readonly host?: string;
}

/**
 * Reads `[host[:port]/]repository[:tag][@digest]`. As docker does, the first component is a host where it has a dot or
 * a port, or is
 * `localhost`.
 * @throws RegtarError REFERENCE_INVALID
 */
export function parseNamedImage(text: string): NamedImage {
  const rest = text.replace(/^docker:\/\//, '');
  const slash = rest.indexOf('/');
  const first = slash < 0 ? '' : rest.slice(0, slash);
  const host = /^(?:localhost|[^/]*[.:][^/]*)$/.test(first) && !first.includes('@') ? first.toLowerCase() : undefined;
  const name = host === undefined ? rest : rest.slice(slash + 1);
  const image = isRepository(name) ? { repository: name } : parseImageReference(name);
  return host === undefined ? image : { ...image, host };
}

/** `repository:tag` where there is a tag, else `repository@digest`. */
export function formatImageReference(reference: ImageName): string {
  return reference.tag === undefined
    ? `${reference.repository}@${reference.digest ?? ''}`
    : `${reference.repository}:${reference.tag}`;
}

/** A key for maps of images. Unlike a reference it stays unique for names that were never checked. */
export function imageKey({ repository, tag, digest }: ImageName): string {
  return `${repository}\n${tag ?? digest ?? ''}`;
}

/** The order of `regtar list`: by code point, as `LC_ALL=C sort` has it. */
export function compareCodePoints(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
