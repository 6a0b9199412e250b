import { RegtarError } from '../errors.ts';
import type { BlobRequestOptions } from './blobs.ts';
import type { Registry } from './registry.ts';

/** The digest of nothing that is ever sent, so that no registry can take the manifest below. */
const impossible = `sha256:${'0'.repeat(64)}`;

/**
 * Asks whether a registry takes manifests into a repository, by one that it must refuse for its digest. Nothing is
 * stored.
 * @throws RegtarError READ_ONLY, AUTH_DENIED, …
 */
export async function requirePushable(
  registry: Registry,
  repository: string,
  options: BlobRequestOptions = {},
): Promise<void> {
  const answer = await registry.request({
    method: 'PUT',
    path: `/v2/${repository}/manifests/${impossible}`,
    doing: `take manifests into ${repository}`,
    where: { repository },
    repository,
    headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
    body: Buffer.from('{}'),
    accept: [400, 404, 405, 413, 415, 422],
    ...options,
  });
  if (answer.status !== 405) return;
  throw new RegtarError('READ_ONLY', `${registry.host} takes no pushes: it is read-only, or a mirror`, {
    where: { repository, status: 405 },
    hint:
      'end its read-only mode (`storage: maintenance: readonly` in its configuration), then run the same ' +
      'command again',
  });
}
