import type { Catalog, ContentStore } from '../content/contracts.ts';
import { digestsBelow, measure, type BlobSet } from '../content/garbage.ts';
import type { GraphReader } from '../content/image-graph.ts';
import type { Digest } from '../oci/digest.ts';
import { compareCodePoints } from '../oci/reference.ts';
import { selectCandidates, type SelectOptions } from './candidates.ts';

/** What a selection keeps of one repository. */
export interface RepositoryChoice {
  readonly repository: string;
  readonly tags: { readonly stay: number; readonly go: number };
  /** Bytes that its tags and untagged manifests need; a blob of several repositories counts in each. */
  readonly bytes: { readonly stay: number; readonly go: number };
}

/** What would stay of a backup if nothing but a selection were kept. */
export interface WhatIf {
  readonly stays: { readonly tags: number } & Omit<BlobSet, 'digests'>;
  readonly goes: { readonly tags: number } & BlobSet;
  /** By bytes that go, most first. */
  readonly repositories: readonly RepositoryChoice[];
}

/** Divides a backup by a selection: what it and its referrers need stays, every other blob goes. */
export function whatIf(catalog: Catalog, store: ContentStore, graph: GraphReader, options: SelectOptions): WhatIf {
  const kept = new Set<Digest>();
  const chosen = new Map<string, Set<string>>();
  for (const { repository, tag, digest } of selectCandidates(catalog, graph, options)) {
    if (tag !== undefined) (chosen.get(repository) ?? chosen.set(repository, new Set()).get(repository))?.add(tag);
    for (const part of digestsBelow(catalog, graph, digest)) kept.add(part);
  }
  const staying: Digest[] = [];
  const going: Digest[] = [];
  for (const digest of catalog.blobs()) (kept.has(digest) ? staying : going).push(digest);
  const repositories = [...catalog.repositories()].map((repository) =>
    chooseIn(catalog, store, graph, { repository, tags: chosen.get(repository) ?? new Set(), kept }),
  );
  const { blobs, bytes } = measure(store, staying);
  return {
    stays: { tags: repositories.reduce((sum, { tags }) => sum + tags.stay, 0), blobs, bytes },
    goes: { tags: repositories.reduce((sum, { tags }) => sum + tags.go, 0), ...measure(store, going) },
    repositories: repositories.sort(
      (left, right) =>
        right.bytes.go - left.bytes.go ||
        right.bytes.stay - left.bytes.stay ||
        compareCodePoints(left.repository, right.repository),
    ),
  };
}

function chooseIn(
  catalog: Catalog,
  store: ContentStore,
  graph: GraphReader,
  choice: { readonly repository: string; readonly tags: ReadonlySet<string>; readonly kept: ReadonlySet<Digest> },
): RepositoryChoice {
  const { repository, tags, kept } = choice;
  const all = [...catalog.tags(repository)];
  const parts = new Set(
    [...all.map(({ digest }) => digest), ...catalog.revisions(repository)].flatMap((digest) =>
      digestsBelow(catalog, graph, digest),
    ),
  );
  const stay = [...parts].filter((digest) => kept.has(digest));
  const go = [...parts].filter((digest) => !kept.has(digest));
  return {
    repository,
    tags: { stay: tags.size, go: all.length - tags.size },
    bytes: { stay: measure(store, stay).bytes, go: measure(store, go).bytes },
  };
}
