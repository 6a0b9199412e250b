import { RegtarError, toRegtarError } from '../errors.ts';
import { forEachParallel } from '../io/parallel.ts';
import { createOncePerKey } from '../io/per-key.ts';
import type { Digest } from '../oci/digest.ts';
import { formatImageReference } from '../oci/reference.ts';
import { headManifest } from '../remote/manifests.ts';
import type { Registry } from '../remote/registry.ts';
import type { RemoteImage } from './presence.ts';

/** Reads back what every tag means, and that the children of its index are there. @returns what is wrong, by image */
export async function verifyRemote<Image extends RemoteImage>(
  registry: Registry,
  images: readonly Image[],
  options: { readonly jobs: number; readonly signal: AbortSignal },
): Promise<ReadonlyMap<Image, RegtarError>> {
  const wrong = new Map<Image, RegtarError>();
  const children = createOncePerKey<string, boolean>();
  const hasChild = (repository: string, digest: Digest): Promise<boolean> =>
    children.get(
      `${repository}@${digest}`,
      async () => (await headManifest(registry, repository, digest, options))?.digest === digest,
    );
  await forEachParallel(images, options.jobs, async (image) => {
    const { repository, tag, root } = image.target;
    const name = `${registry.host}/${formatImageReference({ repository, tag, digest: root.digest })}`;
    const where = { repository, tag, digest: root.digest };
    try {
      const head = await headManifest(registry, repository, tag ?? root.digest, { signal: options.signal });
      if (head?.digest !== root.digest)
        throw new RegtarError(
          'TARGET_DIFFERS',
          `${name} is ${head === undefined ? 'not there' : head.digest} and not ${root.digest}`,
          { where, hint: 'somebody else pushes to this tag, or the registry has lost it: push again' },
        );
      for (const { descriptor } of image.node.children) {
        if (!(await hasChild(repository, descriptor.digest)))
          throw new RegtarError('TARGET_DIFFERS', `${name} lacks its child ${descriptor.digest}`, {
            where,
            hint: 'delete the tag there, then push again',
          });
      }
    } catch (error) {
      options.signal.throwIfAborted();
      wrong.set(image, toRegtarError(error));
    }
  });
  return wrong;
}
