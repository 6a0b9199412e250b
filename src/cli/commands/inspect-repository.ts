import { artifactKind } from '../../content/artifact-kind.ts';
import { digestsBelow, measure } from '../../content/garbage.ts';
import { createGraphReader, imagePlatforms, tryReadNode } from '../../content/image-graph.ts';
import { RegtarError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { unknownImage } from '../../select/unknown-image.ts';
import type { OpenedBackup } from '../open-backup.ts';

/** One tag of a repository: `inspect REPOSITORY --json`. */
export interface TagDetail {
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
  /** In UTC; absent where the source keeps no time. */
  readonly pushed?: string;
  readonly kind: string;
  readonly platforms: readonly string[];
  /** Everything that it needs. */
  readonly bytes: number;
}

/** The tags of a repository, last pushed first where that is known. @throws RegtarError TAG_UNKNOWN */
export function inspectRepository({ catalog, store }: OpenedBackup, repository: string): readonly TagDetail[] {
  const graph = createGraphReader(store);
  const tags = [...catalog.tags(repository)];
  if (tags.length === 0) throw unknownImage(catalog, repository, { repository });
  return tags
    .toSorted((left, right) => (right.pushed ?? 0) - (left.pushed ?? 0))
    .map(({ tag, digest, pushed }) => {
      const node = tryReadNode(graph, digest);
      const isBroken = node instanceof RegtarError;
      return {
        repository,
        tag,
        digest,
        ...(pushed !== undefined && { pushed: new Date(pushed * 1000).toISOString() }),
        kind: isBroken ? node.code : artifactKind(store, node, tag).kind,
        platforms: isBroken ? [] : imagePlatforms(node).map(formatPlatform),
        bytes: measure(store, [...new Set(digestsBelow(catalog, graph, digest))]).bytes,
      };
    });
}
