import type { Catalog, TagEntry } from '../content/contracts.ts';
import { childrenFirst, type GraphReader } from '../content/image-graph.ts';
import { othersGoOn, RegtarError, type Problem } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { compareCodePoints } from '../oci/reference.ts';
import type { RenameRepository } from './rename.ts';
import type { Candidate } from './candidates.ts';

/** Repositories of a backup under new names; two that get one name become one. */
type Renamed = ReadonlyMap<string, readonly string[]>;

/**
 * A catalog under other names, with everything that it has.
 * @throws RegtarError MAP_INVALID; OUTPUT_COLLISION where one tag would mean two images
 */
export function renameCatalog(catalog: Catalog, rename: RenameRepository): Catalog {
  const renamed = renameAll([...catalog.repositories()], rename);
  for (const [name, sources] of renamed) if (sources.length > 1) mergeTags(catalog, name, sources);
  const each = <Item>(name: string, list: (repository: string) => Iterable<Item>): Iterable<Item> => {
    const [only, ...others] = renamed.get(name) ?? [];
    if (only === undefined) return [];
    return others.length === 0 ? list(only) : [...new Set([only, ...others].flatMap((source) => [...list(source)]))];
  };
  const newNames = new Map([...renamed].flatMap(([name, sources]) => sources.map((source) => [source, name])));
  return {
    repositories: () => renamed.keys(),
    tags: (name) => {
      const sources = renamed.get(name) ?? [];
      return sources.length > 1 ? mergeTags(catalog, name, sources) : each(name, (source) => catalog.tags(source));
    },
    lostTags: (name) => each(name, (source) => catalog.lostTags(source)),
    revisions: (name) => each(name, (source) => catalog.revisions(source)),
    layers: (name) => each(name, (source) => catalog.layers(source)),
    blobs: () => catalog.blobs(),
    problems: catalog.problems.map((problem) => renameProblem(problem, newNames)),
  };
}

/**
 * A catalog of chosen images: their tags, their manifests and blobs, and nothing beside them.
 * @param graph reads the manifests of the images; what one lacks is left out
 * @throws RegtarError MAP_INVALID; OUTPUT_COLLISION where one tag would mean two images
 */
export function chosenCatalog(
  catalog: Catalog,
  graph: GraphReader,
  candidates: Iterable<Candidate>,
  rename: RenameRepository,
): Catalog {
  const repositories = new Map<string, Shown>();
  for (const { repository, tag, digest } of candidates) {
    let shown = repositories.get(repository);
    if (shown === undefined) {
      shown = { tags: new Map(), revisions: new Set(), layers: new Set() };
      repositories.set(repository, shown);
    }
    if (tag !== undefined) shown.tags.set(tag, digest);
    addGraph(graph, digest, shown);
  }
  const everything = new Set<Digest>();
  for (const { revisions, layers } of repositories.values())
    for (const part of [revisions, layers]) for (const digest of part) everything.add(digest);
  const shownTags = (repository: string): TagEntry[] => {
    const tags = repositories.get(repository)?.tags;
    return tags === undefined ? [] : [...catalog.tags(repository)].filter(({ tag }) => tags.has(tag));
  };
  return renameCatalog(
    {
      repositories: () => [...repositories.keys()].sort(compareCodePoints),
      tags: shownTags,
      lostTags: () => [],
      revisions: (repository) => repositories.get(repository)?.revisions ?? [],
      layers: (repository) => repositories.get(repository)?.layers ?? [],
      *blobs() {
        for (const digest of catalog.blobs()) if (everything.has(digest)) yield digest;
      },
      problems: catalog.problems.filter(
        ({ repository, tag }) =>
          repository === undefined ||
          (repositories.has(repository) && (tag === undefined || repositories.get(repository)?.tags.has(tag) === true)),
      ),
    },
    rename,
  );
}

interface Shown {
  readonly tags: Map<string, Digest>;
  readonly revisions: Set<Digest>;
  readonly layers: Set<Digest>;
}

function addGraph(graph: GraphReader, root: Digest, { revisions, layers }: Shown): void {
  // A root that cannot be read is named all the same: asking for it shows why it is not there.
  revisions.add(root);
  try {
    for (const node of childrenFirst(graph.read(root))) {
      revisions.add(node.descriptor.digest);
      for (const { digest } of node.blobs) layers.add(digest);
    }
  } catch (error) {
    if (!othersGoOn(error)) throw error;
  }
}

function renameAll(repositories: readonly string[], rename: RenameRepository): Renamed {
  const renamed = new Map<string, string[]>();
  for (const repository of repositories) {
    const name = rename(repository);
    const others = renamed.get(name);
    if (others === undefined) renamed.set(name, [repository]);
    else others.push(repository);
  }
  return new Map([...renamed].sort(([left], [right]) => compareCodePoints(left, right)));
}

function mergeTags(catalog: Catalog, name: string, sources: readonly string[]): readonly TagEntry[] {
  const merged = new Map<string, { readonly entry: TagEntry; readonly source: string }>();
  for (const source of sources) {
    for (const entry of catalog.tags(source)) {
      const earlier = merged.get(entry.tag);
      if (earlier !== undefined && earlier.entry.digest !== entry.digest)
        throw new RegtarError(
          'OUTPUT_COLLISION',
          `${earlier.source}:${entry.tag} and ${source}:${entry.tag} would both become ${name}:${entry.tag}`,
          { side: 'usage', hint: 'change --map or --project so that names stay apart, or filter one of them' },
        );
      if (earlier === undefined) merged.set(entry.tag, { entry, source });
    }
  }
  return [...merged.values()].map(({ entry }) => entry).sort((left, right) => compareCodePoints(left.tag, right.tag));
}

function renameProblem(problem: Problem, newNames: ReadonlyMap<string, string>): Problem {
  const name = problem.repository === undefined ? undefined : newNames.get(problem.repository);
  return name === undefined ? problem : { ...problem, repository: name };
}
