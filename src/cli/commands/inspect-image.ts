import { RegtarError, type Problem } from '../../errors.ts';
import { createGraphReader, imagePlatforms, imageProblems } from '../../content/image-graph.ts';
import { findReferrers, type Referrer } from '../../content/referrers.ts';
import { limits } from '../../io/limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { isIndexType } from '../../oci/media-types.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { formatImageReference, parseImageReference } from '../../oci/reference.ts';
import { unreachedRevisions } from '../../content/unreached-revisions.ts';
import type { OpenedBackup } from '../open-backup.ts';

/** One image in detail: `inspect REF --json`. */
export interface ImageDetail {
  readonly repository: string;
  readonly tag?: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platforms?: readonly string[];
  /** The config's own JSON, where it is JSON. */
  readonly config?: unknown;
  readonly layers?: readonly (Descriptor & { readonly present: boolean })[];
  readonly manifests?: readonly (Descriptor & { readonly present: boolean })[];
  readonly referrers: readonly Referrer[];
  readonly history: readonly Digest[];
  readonly problems: readonly Problem[];
}

/** @throws RegtarError REFERENCE_INVALID, TAG_UNKNOWN, TAG_AMBIGUOUS, TAG_NO_CURRENT, LINK_INVALID, and what makes the manifest itself unusable */
export function inspectImage({ catalog, store }: OpenedBackup, text: string): ImageDetail {
  const { repository, tag, digest: wanted } = parseImageReference(text);
  const tags = [...catalog.tags(repository)];
  const entry = tag === undefined ? undefined : tags.find((candidate) => candidate.tag === tag);
  const revisions = [...catalog.revisions(repository)];
  const digest = wanted ?? entry?.digest;
  if (tag !== undefined && digest === undefined) refuseLostTag(catalog, repository, tag);
  if (
    digest === undefined ||
    (tag !== undefined && entry === undefined && wanted === undefined) ||
    (wanted !== undefined && !revisions.includes(wanted) && store.stat(wanted) === undefined)
  ) {
    throw new RegtarError('TAG_UNKNOWN', `${text} is not in the backup`, {
      where: { repository },
      hint: nearest(
        tags.map((candidate) => candidate.tag),
        repository,
      ),
    });
  }
  const graph = createGraphReader(store);
  const root = graph.read(digest);
  const unreached = unreachedRevisions(
    graph,
    tags.map((candidate) => candidate.digest),
    revisions,
  );
  const platforms = imagePlatforms(root).map(formatPlatform);
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
    ...(root.descriptor.artifactType !== undefined && { artifactType: root.descriptor.artifactType }),
    ...(root.subject !== undefined && { subject: root.subject }),
    ...(Object.keys(root.annotations).length > 0 && { annotations: root.annotations }),
    ...(platforms.length > 0 && { platforms }),
    ...(root.config !== undefined && { config: readConfig(store, root.config) }),
    ...(root.kind !== 'index' && { layers: (root.kind === 'schema1' ? root.blobs : root.layers).map(withPresence) }),
    ...(isIndexType(root.descriptor.mediaType) && {
      manifests: [
        ...root.children.map((child) => child.reference ?? child.descriptor),
        ...root.lostChildren.map((child) => child.descriptor),
      ].map(withPresence),
    }),
    referrers: findReferrers(graph, [digest], tags, unreached),
    history: entry?.history ?? [],
    problems: imageProblems(root, { repository, tag }),
  };
}

function readConfig(store: OpenedBackup['store'], config: Descriptor): unknown {
  const size = store.stat(config.digest)?.size;
  if (size === undefined || size > limits.configBytes) return undefined;
  const text = Buffer.from(store.readSmall(config.digest)).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Artifacts may carry configs that are no JSON.
    return undefined;
  }
}

function nearest(tags: readonly string[], repository: string): string {
  if (tags.length === 0) return 'run `regtar list` to see what is';
  return `${repository} has ${tags
    .slice(0, 10)
    .map((tag) => formatImageReference({ repository, tag }))
    .join(', ')}${tags.length > 10 ? ', …' : ''}`;
}

/** A tag that is there and has lost its meaning is not one that is unknown. */
function refuseLostTag(catalog: OpenedBackup['catalog'], repository: string, tag: string): void {
  const lost = [...catalog.lostTags(repository)].find((candidate) => candidate.tag === tag);
  const problem = catalog.problems.find((candidate) => candidate.repository === repository && candidate.tag === tag);
  if (lost === undefined || problem === undefined) return;
  const [first] = lost.candidates;
  const hint =
    first === undefined
      ? 'its history is empty too: `regtar list --untagged` shows what the repository has'
      : `\`regtar inspect ${repository}:${tag} --history\` lists what it meant; choose with --at-digest ${repository}:${tag}@${first}`;
  throw new RegtarError(problem.code, problem.message, { side: 'source', where: { repository, tag }, hint });
}
