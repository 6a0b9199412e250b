import { othersGoOn } from '../errors.ts';
import { limits } from '../io/limits.ts';
import type { Digest } from '../oci/digest.ts';
import { parseImageConfig } from '../oci/image-config.ts';
import { isImageConfigType } from '../oci/media-types.ts';
import type { ContentStore } from './contracts.ts';
import { childrenFirst, type GraphReader, type ManifestNode } from './image-graph.ts';

/** Where a chart, an artifact or an index says when it was made. @see OCI image-spec v1.1 annotations.md */
const createdAnnotation = 'org.opencontainers.image.created';

/** Builders that hide the time write the first second of 1970, or of no year at all. */
const earliest = 24 * 60 * 60;

/**
 * When an image was built: what its config says, else its annotation; of an index the newest of its children.
 * @returns seconds since 1970, or undefined where nothing says it or the image cannot be read
 */
export function imageCreated(graph: GraphReader, store: ContentStore, digest: Digest): number | undefined {
  try {
    const times = childrenFirst(graph.read(digest)).flatMap((node) => createdOf(store, node) ?? []);
    return times.length === 0 ? undefined : Math.max(...times);
  } catch (error) {
    if (othersGoOn(error)) return undefined;
    throw error;
  }
}

function createdOf(store: ContentStore, node: ManifestNode): number | undefined {
  const { config } = node;
  const size =
    config !== undefined && isImageConfigType(config.mediaType) ? store.stat(config.digest)?.size : undefined;
  const said =
    config !== undefined && size !== undefined && size <= limits.configBytes
      ? parseImageConfig(store.readSmall(config.digest))?.created
      : undefined;
  const seconds = Date.parse(said ?? node.annotations[createdAnnotation] ?? '') / 1000;
  return seconds >= earliest ? seconds : undefined;
}
