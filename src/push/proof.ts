import { targetName } from '../content/target-name.ts';
import { setTimeout } from 'node:timers/promises';
import { RegtarError } from '../errors.ts';
import type { ImageTarget } from '../content/contracts.ts';
import { revisionLinkPath } from '../formats/registry/layout.ts';
import type { Place } from '../formats/registry/place.ts';
import { createDeferred } from '../io/deferred.ts';
import { digestOf } from '../oci/digest.ts';
import type { Registry } from '../remote/registry.ts';

/**
 * How long a manifest may take from the registry's answer to a file that is seen here: network file systems remember
 * for some seconds.
 */
const patienceMilliseconds = 10_000;
const lookEveryMilliseconds = 25;

/** The way of one image past the proof. */
export interface Passage {
  /**
   * Carries out what makes the image visible, and looks whether the storage shows it.
   * @param bytes the root manifest's: registries store it by sha256, also where it had another digest before
   * @throws RegtarError STORAGE_NOT_TARGET
   */
  prove(commit: () => Promise<void>, bytes: Uint8Array): Promise<void>;
  /** The registry does not know what has just been placed. @throws RegtarError STORAGE_NOT_TARGET */
  refuse(cause: RegtarError): Promise<never>;
  /** The image has failed for a reason of its own, or needs nothing: the next one proves. May be called twice. */
  leave(): void;
}

/** Lets one image go first, and the others only after it has shown that the storage is the target's own. */
export interface Proof {
  /** @returns undefined when it has been shown. @throws RegtarError STORAGE_NOT_TARGET when it has failed */
  enter(target: ImageTarget): Promise<Passage | undefined>;
}

/** @param place what it has made so far is taken back when the proof fails */
export function createProof(registry: Registry, place: Place, signal: AbortSignal | undefined): Proof {
  let isProven = false;
  let failure: RegtarError | undefined;
  let under: Promise<void> | undefined;

  const fail = async (reason: string, cause?: RegtarError): Promise<never> => {
    const removed = await place.takeBack();
    failure = notTarget(registry, place, reason, removed, cause);
    throw failure;
  };
  return {
    async enter(target) {
      for (;;) {
        if (failure !== undefined) throw failure;
        if (isProven) return undefined;
        if (under === undefined) break;
        await under;
      }
      const ended = createDeferred<void>();
      under = ended.promise;
      const leave = (): void => {
        under = undefined;
        ended.resolve();
      };
      return {
        leave,
        refuse: (cause) => fail(`${registry.host} does not know blobs that are there`, cause),
        async prove(commit, bytes) {
          const path = revisionLinkPath(target.repository, digestOf(bytes));
          const before = await place.stat(path);
          await commit();
          if (!(await appears(place, path, before?.version, signal))) {
            const name = targetName(target);
            await fail(`${registry.host} has taken ${name}, and ${path} has not appeared there`);
          }
          isProven = true;
          place.settle();
          leave();
        },
      };
    },
  };
}

async function appears(
  place: Place,
  path: string,
  before: string | undefined,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const end = performance.now() + patienceMilliseconds;
  for (;;) {
    const now = await place.stat(path);
    if (now !== undefined && now.version !== before) return true;
    if (performance.now() > end) return false;
    await setTimeout(lookEveryMilliseconds, undefined, { signal });
  }
}

function notTarget(
  { host }: Registry,
  place: Place,
  reason: string,
  removed: number,
  cause: RegtarError | undefined,
): RegtarError {
  return new RegtarError(
    'STORAGE_NOT_TARGET',
    `${place.describe} is not the storage that ${host} serves: ` +
      `${reason}${removed > 0 ? `; the ${removed} files that were placed are removed again` : ''}`,
    {
      hint:
        "look for `rootdirectory` in the registry's configuration (Harbor: `data_volume` in harbor.yml, and " +
        '/registry beneath it), and name the folder that it is mounted from here',
      cause,
    },
  );
}
