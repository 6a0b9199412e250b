import { headBlob, hashRemoteBlob } from '../remote/blobs.ts';
import { getManifest, headManifest } from '../remote/manifests.ts';
import type { Registry } from '../remote/registry.ts';
import type { CheckedTarget } from './contract.ts';

/** A registry, asked over the network. Its opener closes it. */
export function registryTarget(
  registry: Registry,
  options: { readonly jobs: number; readonly signal: AbortSignal },
): CheckedTarget {
  const { signal } = options;
  return {
    describe: registry.host,
    parallel: options.jobs,
    digestOf: async ({ repository, tag, digest }) =>
      (await headManifest(registry, repository, tag ?? digest, { signal }))?.digest,
    readManifest: async ({ repository }, digest) =>
      (await getManifest(registry, repository, digest, { signal }))?.bytes,
    statBlob: async ({ repository }, digest) => (await headBlob(registry, repository, digest, { signal }))?.size,
    hashBlob: async ({ repository }, digest, size) =>
      (await hashRemoteBlob(registry, repository, digest, { signal, mostBytes: size < 0 ? undefined : size }))?.digest,
    placeOf: ({ repository }) => repository,
  };
}
