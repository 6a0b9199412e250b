import { createDeferred } from '../io/deferred.ts';
import type { Digest } from '../oci/digest.ts';

/** Which images are on their way, so that what refers to one of them can come after it. */
export interface UnderWay {
  /** @returns to be called when the image is there, or has failed. May be called twice */
  add(repository: string, digest: Digest): () => void;
  /** Waits as long as the image is on its way; not for one that has not begun. */
  wait(repository: string, digest: Digest): Promise<void>;
}

/** Images of one digest under several tags count until the last of them has ended. */
export function createUnderWay(): UnderWay {
  const images = new Map<string, Set<Promise<void>>>();
  return {
    add(repository, digest) {
      const key = `${repository}@${digest}`;
      const { promise, resolve } = createDeferred<void>();
      const ofKey = images.get(key) ?? new Set();
      images.set(key, ofKey.add(promise));
      return () => {
        ofKey.delete(promise);
        if (ofKey.size === 0 && images.get(key) === ofKey) images.delete(key);
        resolve();
      };
    },
    wait: async (repository, digest) => void (await Promise.all([...(images.get(`${repository}@${digest}`) ?? [])])),
  };
}
