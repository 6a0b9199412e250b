import type { Digest } from '../../src/oci/digest.ts';

/** Where Distribution keeps things beneath `docker/registry/v2`, written out by hand so that tests of `storage/layout` have something to differ from. */
export const storagePaths = {
  blob: (digest: Digest) => `blobs/${algorithm(digest)}/${hex(digest).slice(0, 2)}/${hex(digest)}/data`,
  layerLink: (repository: string, digest: Digest) =>
    `repositories/${repository}/_layers/${algorithm(digest)}/${hex(digest)}/link`,
  revisionLink: (repository: string, digest: Digest) =>
    `repositories/${repository}/_manifests/revisions/${algorithm(digest)}/${hex(digest)}/link`,
  signatureLink: (repository: string, revision: Digest, signature: Digest) =>
    `repositories/${repository}/_manifests/revisions/${algorithm(revision)}/${hex(revision)}/signatures/${algorithm(signature)}/${hex(signature)}/link`,
  currentLink: (repository: string, tag: string) => `repositories/${repository}/_manifests/tags/${tag}/current/link`,
  historyLink: (repository: string, tag: string, digest: Digest) =>
    `repositories/${repository}/_manifests/tags/${tag}/index/${algorithm(digest)}/${hex(digest)}/link`,
  upload: (repository: string, uuid: string, name: string) => `repositories/${repository}/_uploads/${uuid}/${name}`,
} as const;

function algorithm(digest: Digest): string {
  return digest.slice(0, digest.indexOf(':'));
}

function hex(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}
