import { layerLinkPath, revisionLinkPath, tagCurrentPath, tagIndexPath } from './layout.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ArchiveFile, ArchivedImage } from '../archive/archive-format.ts';

/**
 * The links that make an image visible in a registry's storage, in the order in which they must be written: layers,
 * revisions with children first, what the tag ever meant, and last what it means now, with the time of SOURCE's push.
 * Distribution reads none before the tag's.
 * @see distribution, registry/storage/paths.go
 */
export function imageLinks({ target, manifests }: ArchivedImage): readonly ArchiveFile[] {
  const { repository, tag, root, blobs, pushed } = target;
  const links = [
    ...blobs.map(({ digest }) => link(layerLinkPath(repository, digest), digest)),
    ...manifests.map(({ descriptor }) => link(revisionLinkPath(repository, descriptor.digest), descriptor.digest)),
  ];
  if (tag !== undefined)
    links.push(link(tagIndexPath(repository, tag, root.digest), root.digest), {
      ...link(tagCurrentPath(repository, tag), root.digest),
      modified: pushed,
    });
  return links;
}

function link(path: string, digest: Digest): ArchiveFile {
  return { path, bytes: Buffer.from(digest) };
}
