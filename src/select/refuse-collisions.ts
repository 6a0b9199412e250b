import { targetName } from '../content/target-name.ts';
import { RegtarError } from '../errors.ts';
import { formatImageReference } from '../oci/reference.ts';
import type { PlannedImage } from './plan.ts';

/**
 * Two sources that would become one name: whichever came last would win in silence.
 * @throws RegtarError OUTPUT_COLLISION
 */
export function refuseCollisions(images: readonly PlannedImage[]): void {
  // By far most repositories come from one alone, where names cannot meet.
  const joined = repositoriesOfSeveral(images);
  const taken = new Map<string, PlannedImage>();
  for (const image of joined.size === 0 ? [] : images) {
    if (!joined.has(image.target.repository)) continue;
    const { source, target } = image;
    const name = targetName(target);
    const earlier = taken.get(name);
    if (
      earlier !== undefined &&
      earlier.source.repository !== source.repository &&
      earlier.target.root.digest !== target.root.digest
    ) {
      throw new RegtarError(
        'OUTPUT_COLLISION',
        `${formatImageReference(earlier.source)} and ${formatImageReference(source)} would both become ${name}`,
        { hint: 'change --map or --project so that names stay apart, or filter one of them' },
      );
    }
    taken.set(name, image);
  }
}

/** Repositories of the target that more than one of the source go into. */
function repositoriesOfSeveral(images: readonly PlannedImage[]): ReadonlySet<string> {
  const origins = new Map<string, string>();
  const joined = new Set<string>();
  for (const { source, target } of images) {
    const origin = origins.get(target.repository);
    if (origin === undefined) origins.set(target.repository, source.repository);
    else if (origin !== source.repository) joined.add(target.repository);
  }
  return joined;
}
