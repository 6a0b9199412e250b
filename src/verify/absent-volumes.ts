import type { ContentStore } from '../content/contracts.ts';
import { childrenFirst } from '../content/image-graph.ts';
import type { Digest } from '../oci/digest.ts';
import { compareCodePoints, formatImageReference } from '../oci/reference.ts';
import type { VerifiedImage } from './collect-images.ts';
import { needersText } from './needers-text.ts';
import type { VerifyProblem } from './verify-report.ts';

/** What images need of volumes that were not given: nothing is damaged, and nothing of it can be said. */
export function absentVolumes(images: readonly VerifiedImage[], { absent }: ContentStore): readonly VerifyProblem[] {
  if (absent === undefined) return [];
  const volumes = new Map<string, { readonly blobs: Map<Digest, number>; readonly names: Set<string> }>();
  for (const image of images)
    for (const { missing } of image.root === undefined ? [] : childrenFirst(image.root))
      for (const { digest, size } of missing) {
        const volume = absent.volumeOf(digest);
        if (volume === undefined) continue;
        const needed = volumes.get(volume) ?? { blobs: new Map<Digest, number>(), names: new Set<string>() };
        volumes.set(volume, needed);
        needed.blobs.set(digest, Math.max(0, size));
        needed.names.add(formatImageReference(image));
      }
  return [...volumes]
    .sort(([left], [right]) => compareCodePoints(left, right))
    .map(([volume, { blobs, names }]) => [volume, blobs, [...names].sort(compareCodePoints)] as const)
    .map(([volume, blobs, names]) => ({
      code: 'VOLUME_MISSING',
      path: volume,
      message:
        `${volume} was not given, and ${blobs.size === 1 ? 'a blob' : `${blobs.size} blobs`} of ` +
        `${names.length === 1 ? 'an image' : `${names.length} images`} here lie on it: they were not checked` +
        needersText(names),
      neededBy: names,
    }));
}
