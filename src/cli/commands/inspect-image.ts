import { RegtarError, type Problem } from '../../errors.ts';
import { artifactKind, type ArtifactKind } from '../../content/artifact-kind.ts';
import type { TagEntry } from '../../content/contracts.ts';
import { digestsBelow, measure } from '../../content/garbage.ts';
import {
  childrenFirst,
  createGraphReader,
  imagePlatforms,
  imageProblems,
  tryReadNode,
  type GraphReader,
} from '../../content/image-graph.ts';
import { platformFacts, type PlatformFacts } from '../../content/platform-facts.ts';
import { findReferrers, type Referrer } from '../../content/referrers.ts';
import { limits } from '../../io/limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { isIndexType } from '../../oci/media-types.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { formatImageReference, type NamedImage } from '../../oci/reference.ts';
import { isSavedWrong } from '../../select/refused-images.ts';
import { unknownImage } from '../../select/unknown-image.ts';
import { unreachedRevisions } from '../../content/unreached-revisions.ts';
import type { OpenedBackup } from '../open-backup.ts';

/** One image in detail: `inspect REF --json`. */
export interface ImageDetail {
  readonly repository: string;
  readonly tag?: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  /** What it is: an image, a Helm chart, a signature of what. */
  readonly artifact: ArtifactKind & { readonly names?: readonly string[] };
  /** Everything that it needs, each blob once. */
  readonly bytes: number;
  /** Every platform of an image, with what its config says. */
  readonly images?: readonly PlatformFacts[];
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platforms?: readonly string[];
  /** The config's own JSON, where it is JSON. */
  readonly config?: unknown;
  readonly layers?: readonly (Descriptor & { readonly present: boolean })[];
  /** What an index lists; `kind` of what can be read. */
  readonly manifests?: readonly (Descriptor & { readonly present: boolean; readonly kind?: string })[];
  readonly referrers: readonly Referrer[];
  readonly history: readonly Digest[];
  readonly problems: readonly Problem[];
}

/** Which manifest a REF means. */
export interface FoundImage {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest;
  readonly history: readonly Digest[];
}

/**
 * Looks a REF up. A host before it is understood.
 * @throws RegtarError REFERENCE_INVALID, TAG_UNKNOWN, TAG_AMBIGUOUS, TAG_NO_CURRENT, LINK_INVALID
 */
export function findImage({ catalog, store }: OpenedBackup, name: NamedImage): FoundImage {
  const { repository, tag, digest: wanted } = name;
  const entry = tag === undefined ? undefined : [...catalog.tags(repository)].find((each) => each.tag === tag);
  const digest = wanted ?? entry?.digest;
  if (tag !== undefined && digest === undefined) refuseLostTag(catalog, repository, tag);
  const isThere = (looked: Digest): boolean =>
    store.stat(looked) !== undefined || [...catalog.revisions(repository)].includes(looked);
  if (digest === undefined || (wanted !== undefined && !isThere(wanted)))
    throw unknownImage(catalog, formatImageReference(name), name);
  return { repository, tag, digest, history: entry?.history ?? [] };
}

/** @throws RegtarError those of `findImage`, and what makes the manifest itself unusable */
export function inspectImage(opened: OpenedBackup, name: NamedImage): ImageDetail {
  const { catalog, store } = opened;
  const { repository, tag, digest, history } = findImage(opened, name);
  const tags = [...catalog.tags(repository)];
  const revisions = [...catalog.revisions(repository)];
  const graph = createGraphReader(store);
  const root = graph.read(digest);
  const unreached = unreachedRevisions(
    graph,
    tags.map((candidate) => candidate.digest),
    revisions,
  );
  const platforms = imagePlatforms(root).map(formatPlatform);
  const images = platformFacts(store, root);
  const withPresence = (descriptor: Descriptor): Descriptor & { present: boolean } => ({
    ...descriptor,
    present: store.stat(descriptor.digest) !== undefined,
  });
  return {
    repository,
    ...(tag !== undefined && { tag }),
    digest,
    mediaType: root.descriptor.mediaType,
    size: root.descriptor.size,
    artifact: withNames(artifactKind(store, root, tag), tags, graph, repository),
    bytes: measure(store, [...new Set(digestsBelow(catalog, graph, digest))]).bytes,
    ...(images.length > 0 && { images }),
    ...(root.descriptor.artifactType !== undefined && { artifactType: root.descriptor.artifactType }),
    ...(root.subject !== undefined && { subject: root.subject }),
    ...(Object.keys(root.annotations).length > 0 && { annotations: root.annotations }),
    ...(platforms.length > 0 && { platforms }),
    ...(root.config !== undefined && { config: readConfig(store, root.config) }),
    ...(root.kind !== 'index' && { layers: (root.kind === 'schema1' ? root.blobs : root.layers).map(withPresence) }),
    ...(isIndexType(root.descriptor.mediaType) && {
      manifests: [
        ...root.children.map((child) => ({
          ...withPresence(child.reference ?? child.descriptor),
          kind: artifactKind(store, child).kind,
        })),
        ...root.lostChildren.map((child) => withPresence(child.descriptor)),
      ],
    }),
    referrers: findReferrers(graph, [digest], tags, unreached),
    history,
    problems: imageProblems(root, { repository, tag }),
  };
}

/** How a person knows what an artifact is of: its tags, or those of the index that holds it. */
function withNames(
  kind: ArtifactKind,
  tags: readonly TagEntry[],
  graph: GraphReader,
  repository: string,
): ImageDetail['artifact'] {
  const { of } = kind;
  if (of === undefined) return kind;
  const exact = tags.filter(({ digest }) => digest === of);
  const holds = ({ digest }: TagEntry): boolean => {
    const node = tryReadNode(graph, digest);
    return !(node instanceof RegtarError) && childrenFirst(node).some(({ descriptor }) => descriptor.digest === of);
  };
  const named = exact.length > 0 ? exact : tags.filter(holds);
  return { ...kind, names: named.map(({ tag }) => `${repository}:${tag}`) };
}

function readConfig(store: OpenedBackup['store'], config: Descriptor): unknown {
  const size = store.stat(config.digest)?.size;
  if (size === undefined || size > limits.configBytes) return undefined;
  const text = Buffer.from(store.readSmall(config.digest)).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Artifacts may carry configs that are not JSON.
    return undefined;
  }
}

/** A tag that is there but points to nothing any more is not an unknown tag. */
function refuseLostTag(catalog: OpenedBackup['catalog'], repository: string, tag: string): void {
  const lost = [...catalog.lostTags(repository)].find((candidate) => candidate.tag === tag);
  const problem = catalog.problems.find((candidate) => candidate.repository === repository && candidate.tag === tag);
  if (lost === undefined || problem === undefined) return;
  const [first] = lost.candidates;
  const hint = isSavedWrong(problem)
    ? 'save it again, and see that nothing is cut on the way'
    : first === undefined
      ? 'its history is empty too: `regtar list --untagged` shows what the repository has'
      : `\`regtar inspect ${repository}:${tag} --history\` lists the images it pointed to; ` +
        `choose one with --at-digest ${repository}:${tag}@${first}`;
  throw new RegtarError(problem.code, problem.message, { side: 'source', where: { repository, tag }, hint });
}
