// @ts-check
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readTags } from './skopeo-tree.js';

/**
 * What any client must send to bring an unpacked storage's tagged images into an empty registry: every blob once, in one request after the
 * one that begins it, the largest first; a mount wherever else it is needed; manifests children first, tags last.
 * @param {string} unpacked the folder that holds `docker/registry/v2`
 * @returns {import('./bare-client.js').BareRequests}
 */
export function listBareRequests(unpacked) {
  const dataOf = (/** @type {string} */ digest) =>
    join(unpacked, 'docker/registry/v2/blobs/sha256', digest.slice(7, 9), digest.slice(7), 'data');
  /** @type {Map<string, Set<string>>} digest → repositories */
  const blobs = new Map();
  /** @type {Map<string, { request: import('./bare-client.js').BareRequest, depth: number }>} */
  const manifests = new Map();

  /** @param {string} repository @param {string} digest @param {string} reference @returns {number} how many manifests lie below it */
  const walk = (repository, digest, reference) => {
    const file = dataOf(digest);
    const bytes = readFileSync(file);
    const manifest = JSON.parse(bytes.toString('utf8'));
    const depth =
      1 +
      Math.max(
        -1,
        ...(manifest.manifests ?? []).map((/** @type {{ digest: string }} */ child) =>
          walk(repository, child.digest, child.digest),
        ),
      );
    for (const blob of manifest.config ? [manifest.config, ...manifest.layers] : [])
      blobs.set(blob.digest, (blobs.get(blob.digest) ?? new Set()).add(repository));
    const path = `/v2/${repository}/manifests/${reference}`;
    manifests.set(path, {
      depth,
      request: { method: 'PUT', path, type: manifest.mediaType, file, size: bytes.length },
    });
    return depth;
  };
  for (const [name, digest] of readTags(unpacked)) {
    const colon = name.lastIndexOf(':');
    walk(name.slice(0, colon), digest, name.slice(colon + 1));
  }

  /** @type {import('./bare-client.js').BareRequest[]} */
  const uploads = [];
  /** @type {import('./bare-client.js').BareRequest[]} */
  const mounts = [];
  for (const [digest, [first = '', ...others]] of blobs) {
    const file = dataOf(digest);
    uploads.push({ method: 'PUT', path: `/v2/${first}/blobs/uploads/`, file, size: statSync(file).size, digest });
    for (const repository of others)
      mounts.push({ method: 'POST', path: `/v2/${repository}/blobs/uploads/?mount=${digest}&from=${first}` });
  }
  uploads.sort((left, right) => (right.size ?? 0) - (left.size ?? 0));
  const deepest = Math.max(0, ...[...manifests.values()].map(({ depth }) => depth));
  const levels = Array.from({ length: deepest + 1 }, (_, level) =>
    [...manifests.values()].filter(({ depth }) => depth === level).map(({ request }) => request),
  );
  return [uploads, mounts, ...levels];
}
