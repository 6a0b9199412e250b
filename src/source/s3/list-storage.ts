import { forEachParallel } from '../../io/parallel.ts';
import type { Bucket } from '../../s3/bucket.ts';
import type { ListedObject } from '../../s3/xml.ts';

/** Where a registry's tree may begin beneath a prefix. */
const roots = ['docker/registry/v2/', '', 'registry/v2/', 'v2/'];

/**
 * Finds the registry's tree.
 * @param prefix empty, or ending with `/`
 * @returns what all keys of it begin with; undefined where there is none
 */
export async function findRoot(
  bucket: Bucket,
  prefix: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  for (const root of roots) {
    const { objects, prefixes } = await bucket.list(`${prefix}${root}`, { delimiter: true, signal });
    // An OCI layout has `blobs/`, too.
    if (objects.some(({ key }) => key === `${prefix}${root}oci-layout`)) continue;
    const names = prefixes.map((each) => each.slice(prefix.length + root.length));
    if (names.includes('blobs/') || names.includes('repositories/')) return `${prefix}${root}`;
  }
  return undefined;
}

/** Listings under way at once. */
const parallel = 16;

/**
 * Lists all blobs and links, `visit` as pages come. What fits into one page is one request. More is divided: blobs by
 * their 256 prefixes, repositories by their folders, since pages of one prefix come only one after the other.
 */
export async function listStorage(
  bucket: Bucket,
  root: string,
  visit: (object: ListedObject) => void,
  options: { readonly signal?: AbortSignal | undefined; readonly onPage?: ((objects: number) => void) | undefined },
): Promise<void> {
  const { signal } = options;
  const open: string[] = [`${root}blobs/`, `${root}repositories/`];
  /** Whether the first page told that there are more: then it is not visited, and its folders are listed instead. */
  const listOne = async (prefix: string): Promise<void> => {
    const first = await bucket.list(prefix, { signal });
    if (first.next !== undefined && isDivided(prefix.slice(root.length))) {
      let next: string | undefined;
      do {
        const page = await bucket.list(prefix, { delimiter: true, next, signal });
        page.objects.forEach(visit);
        open.push(...page.prefixes.filter((each) => !each.endsWith('/_uploads/')));
        next = page.next;
      } while (next !== undefined);
      return;
    }
    for (let page = first; ; page = await bucket.list(prefix, { next: page.next, signal })) {
      options.onPage?.(page.objects.length);
      page.objects.forEach(visit);
      if (page.next === undefined) return;
    }
  };
  while (open.length > 0) await forEachParallel(open.splice(0), parallel, listOne);
}

/** `blobs/`, `blobs/sha256/`, and folders of repositories down to one whose name begins with an underscore. */
function isDivided(path: string): boolean {
  if (path.startsWith('blobs/')) return path.split('/').length <= 3;
  return !path.includes('/_');
}
