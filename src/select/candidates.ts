import type { Catalog } from '../content/contracts.ts';
import type { GraphReader } from '../content/image-graph.ts';
import { findReferrers, isReferrer } from '../content/referrers.ts';
import { unreachedRevisions } from '../content/unreached-revisions.ts';
import type { Digest } from '../oci/digest.ts';
import { formatImageReference } from '../oci/reference.ts';
import type { ImageFilter } from './filter.ts';

/** An image that was chosen, before its manifest is looked at. */
export interface Candidate {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest;
  readonly pushed?: number | undefined;
  readonly referrer: boolean;
}

/** What of a plan's options chooses images. */
export interface SelectOptions {
  readonly filter: ImageFilter;
  /** Also manifests that no tag and no index reaches. */
  readonly untagged?: boolean;
  /**
   * Referrers and signatures travel with what they refer to. Where false they stay, unless one is asked for by its very
   * name.
   * @defaultValue true
   */
  readonly referrers?: boolean;
  /** Names that must be found; the ones that are not become failed images. */
  readonly wanted?: ReadonlySet<string> | undefined;
}

/** Chooses images by name, with what refers to them; each once, in the order of the catalog. */
export function* selectCandidates(catalog: Catalog, graph: GraphReader, options: SelectOptions): Generator<Candidate> {
  for (const repository of catalog.repositories()) {
    const tags = [...catalog.tags(repository)];
    const selected = new Map<string, Candidate>();
    for (const { tag, digest, pushed } of tags) {
      const candidate = { repository, tag, digest, pushed, referrer: false };
      if (options.filter(candidate)) selected.set(tag, candidate);
    }
    const { namesRevision } = options.filter;
    const isSelected = options.untagged === true || selected.size > 0;
    const revisions = isSelected || namesRevision !== undefined ? [...catalog.revisions(repository)] : [];
    const named = new Set(
      namesRevision === undefined ? [] : revisions.filter((digest) => namesRevision({ repository, digest })),
    );
    const unreached =
      isSelected || named.size > 0
        ? unreachedRevisions(
            graph,
            tags.map(({ digest }) => digest),
            revisions,
          )
        : [];
    const untagged =
      options.untagged === true ? unreached.filter((digest) => options.filter({ repository, digest })) : [];
    const tagged = new Set([...selected.values()].map(({ digest }) => digest));
    for (const digest of [...untagged, ...named])
      if (!tagged.has(digest)) selected.set(digest, { repository, tag: undefined, digest, referrer: false });
    const roots = [...selected.values()].map(({ digest }) => digest);
    if (options.referrers === false) {
      const isWanted = (candidate: Candidate): boolean =>
        named.has(candidate.digest) || options.wanted?.has(formatImageReference(candidate)) === true;
      for (const [key, candidate] of selected)
        if (isReferrer(graph, candidate) && !isWanted(candidate)) selected.delete(key);
    } else if (selected.size > 0) {
      for (const referrer of findReferrers(graph, roots, tags, unreached)) {
        const key = referrer.tag ?? referrer.digest;
        // What was asked for by its digest is an image of its own, even if it refers to another; what was
        // excluded stays.
        if (!named.has(referrer.digest) && options.filter.excludes?.({ repository, ...referrer }) !== true)
          selected.set(key, { repository, ...referrer, referrer: true });
      }
    }
    yield* selected.values();
  }
}
