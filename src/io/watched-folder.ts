import { statSync } from 'node:fs';
import { RegtarError, systemErrorCode } from '../errors.ts';

/** A folder that must stay the one it was. */
export interface WatchedFolder {
  /**
   * Call it before anything is made in the folder: under the mount point of a medium that was pulled out lies an empty
   * folder of another disk.
   * @throws RegtarError OUTPUT_UNWRITABLE when another folder, or none, has its name now
   */
  requireSame(): void;
}

/** @param path a folder that is there. @throws the system's error */
export function watchFolder(path: string): WatchedFolder {
  const { dev, ino } = statSync(path, { bigint: true });
  return {
    requireSame() {
      let found;
      let cause: unknown;
      try {
        found = statSync(path, { bigint: true });
      } catch (error) {
        cause = error;
      }
      if (found?.dev === dev && found.ino === ino) return;
      throw vanished(path, cause);
    },
  };
}

/** What tells that the medium of an output is gone, and not that it cannot be written. */
const vanishedCodes = new Set(['EIO', 'ENODEV', 'ENXIO', 'ESTALE', 'ENOENT', 'ESHUTDOWN', 'ENOMEDIUM']);

/** Whether a failure says that the medium of an output was pulled out, unmounted or has stopped to answer. */
export function isVanished(error: unknown): boolean {
  if (!(error instanceof RegtarError) || error.code !== 'OUTPUT_UNWRITABLE') return false;
  return error.cause instanceof VanishedFolder || vanishedCodes.has(systemErrorCode(error.cause) ?? '');
}

/** Does some work for an output, and says so when its medium was gone. */
export async function noticeVanished<Result>(work: Promise<Result>, onVanished: () => void): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (isVanished(error)) onVanished();
    throw error;
  }
}

class VanishedFolder extends Error {}

function vanished(path: string, cause: unknown): RegtarError {
  return new RegtarError('OUTPUT_UNWRITABLE', `${path} is no longer the same folder: its medium is gone`, {
    where: { path },
    cause: new VanishedFolder(path, { cause }),
    hint: 'see whether the medium is still mounted there',
  });
}
