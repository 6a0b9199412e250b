import { RegtarError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { childrenFirst, tryReadNode, type GraphReader } from './image-graph.ts';

/** Revisions that no tag and no index of the repository reaches, referrers among them. */
export function unreachedRevisions(
  graph: GraphReader,
  tagged: readonly Digest[],
  revisions: readonly Digest[],
): readonly Digest[] {
  const reached = new Set<Digest>(tagged);
  for (const digest of [...tagged, ...revisions]) {
    const root = tryReadNode(graph, digest);
    // What cannot be read reaches nothing; it is reported where it is itself looked at.
    if (root instanceof RegtarError) continue;
    for (const node of childrenFirst(root)) if (node.descriptor.digest !== digest) reached.add(node.descriptor.digest);
    for (const { descriptor } of root.lostChildren) reached.add(descriptor.digest);
  }
  return revisions.filter((digest) => !reached.has(digest));
}
