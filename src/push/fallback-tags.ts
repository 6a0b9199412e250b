import { imageBlobs } from '../content/image-graph.ts';
import { referrerTagSubject } from '../content/referrers.ts';
import type { Harbor } from '../harbor/recognise-harbor.ts';
import type { Digest } from '../oci/digest.ts';
import { formatImageReference } from '../oci/reference.ts';
import { hasReferrersApi } from '../remote/referrers.ts';
import type { Registry } from '../remote/registry.ts';
import type { Plan, PlannedImage } from '../select/plan.ts';

/** Since this minor version of 2 Harbor lists referrers itself. */
const harborWithReferrers = 9;

/**
 * Leaves `sha256-<hex>` indexes behind where the target lists referrers itself: there they would stand as odd images.
 * What they list travels, each by its digest.
 * @param plan a registry is asked only where it has such an index
 * @see OCI distribution-spec v1.1, "Referrers Tag Schema"
 */
export async function withoutFallbackTags(
  registry: Registry,
  plan: Plan,
  options: { readonly harbor: Harbor | undefined; readonly signal: AbortSignal },
): Promise<Plan> {
  const fallbacks = new Set(plan.images.filter(isFallback));
  const [first] = fallbacks;
  if (first === undefined || !(await listsReferrers(registry, first, options))) return plan;
  const kept = plan.images.filter((image) => !fallbacks.has(image));
  const known = new Set(kept.map(keyOf));
  const listed = [...fallbacks].flatMap(referrersIn).filter((image) => {
    const isNew = !known.has(keyOf(image));
    known.add(keyOf(image));
    return isNew;
  });
  const images = [...fallbacks].map(({ source }) => ({ name: formatImageReference(source) }));
  const text = `${registry.host} lists referrers itself: their fallback tags stay behind, and the referrers travel`;
  return {
    ...plan,
    images: [...kept, ...listed],
    notes: [...plan.notes, { text, images }],
  };
}

/** cosign's `sha256-<hex>.sig` is a tag of its own, which its clients look for. */
function isFallback({ source: { tag }, node }: PlannedImage): boolean {
  return tag !== undefined && node.kind === 'index' && !tag.includes('.') && referrerTagSubject(tag) !== undefined;
}

async function listsReferrers(
  registry: Registry,
  { target, source }: PlannedImage,
  { harbor, signal }: { readonly harbor: Harbor | undefined; readonly signal: AbortSignal },
): Promise<boolean> {
  const minor = Number(/^v2\.(\d+)/.exec(harbor?.version ?? '')?.[1] ?? Number.NaN);
  if (minor >= harborWithReferrers) return true;
  const subject = referrerTagSubject(source.tag ?? '');
  return subject !== undefined && hasReferrersApi(registry, target.repository, subject, { signal });
}

/** What an index lists, as images of their own. */
function referrersIn({ source, target, node, travelling }: PlannedImage): readonly PlannedImage[] {
  return node.children.map((child): PlannedImage => {
    const digests = new Set<Digest>(imageBlobs(child).map(({ digest }) => digest));
    return {
      source: { repository: source.repository, tag: undefined, digest: child.descriptor.digest },
      target: {
        repository: target.repository,
        tag: undefined,
        root: child.descriptor,
        blobs: target.blobs.filter(({ digest }) => digests.has(digest)),
        referrer: true,
      },
      node: child,
      rewritten: undefined,
      travelling: travelling.filter(({ digest }) => digests.has(digest)),
    };
  });
}

function keyOf({ target }: PlannedImage): string {
  return `${target.repository}@${target.root.digest}`;
}
