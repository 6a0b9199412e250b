import type { StorageTarOptions } from './storage-output.ts';
import { file } from './tar-builder.ts';

const currentLink = /^repositories\/(.*)\/_manifests\/tags\/([^/]+)\/current\/link$/;

/** Gives tags the times at which they were pushed: `repository:tag` → seconds since 1970. Other tags have the builder's usual time. */
export function withPushTimes(times: Readonly<Record<string, number>>): Pick<StorageTarOptions, 'rewrite'> {
  return {
    rewrite: (path, bytes, fullPath) => {
      const [, repository, tag] = currentLink.exec(path) ?? [];
      const modified = times[`${repository}:${tag}`];
      return modified === undefined ? undefined : [file(fullPath, bytes, { modified })];
    },
  };
}
