// @ts-check
import { createHash } from 'node:crypto';

/**
 * @typedef {import('./plan-images.js').PlannedTag} PlannedTag
 * @typedef {import('./plan-images.js').PlannedImage} PlannedImage
 * @typedef {{ digest: string, bytes: Buffer }} SmallBlob
 * @typedef {{ root: SmallBlob, manifests: SmallBlob[], configs: SmallBlob[], layers: string[] }} DescribedTag `manifests` holds the root too
 */

const docker = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  index: 'application/vnd.docker.distribution.manifest.list.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
};
const oci = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
};

/**
 * The configs and manifests of a tag, as docker and buildkit write them.
 * @param {string} repository
 * @param {PlannedTag} tag
 * @param {readonly string[]} digests of layers, by number
 * @returns {DescribedTag}
 */
export function describeTag(repository, tag, digests) {
  const types = tag.oci ? oci : docker;
  const images = tag.platforms.map((platform) => describeImage(`${repository}:${tag.tag}`, platform, digests, types));
  const manifests = images.map((image) => image.manifest);
  const configs = images.map((image) => image.config);
  const layers = tag.platforms.flatMap((platform) =>
    platform.layers.map((layer) => /** @type {string} */ (digests[layer.number])),
  );
  const [single] = manifests;
  if (single && manifests.length === 1) return { root: single, manifests, configs, layers };
  const root = blob({
    schemaVersion: 2,
    mediaType: types.index,
    manifests: manifests.map((manifest, which) => ({
      ...descriptor(types.manifest, manifest),
      platform: { architecture: tag.platforms[which]?.architecture, os: 'linux' },
    })),
  });
  return { root, manifests: [...manifests, root], configs, layers };
}

/** @param {string} name @param {PlannedImage} image @param {readonly string[]} digests @param {typeof docker} types */
function describeImage(name, image, digests, types) {
  const created = '2024-05-06T07:08:09.123456789Z';
  const config = blob(
    {
      architecture: image.architecture,
      config: {
        Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', `NAME=${name}`],
        Entrypoint: ['/docker-entrypoint.sh'],
        Labels: { 'org.opencontainers.image.title': name },
      },
      created,
      history: image.layers.map((layer) => ({
        created,
        created_by: `RUN /bin/sh -c step-${layer.number} --install --clean # buildkit`,
        comment: 'buildkit.dockerfile.v0',
      })),
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: image.layers.map((layer) => `sha256:${sha256(`unpacked ${layer.number}`)}`) },
    },
    0,
  );
  const manifest = blob({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptor(types.config, config),
    layers: image.layers.map((layer) => ({ mediaType: types.layer, size: layer.size, digest: digests[layer.number] })),
  });
  return { config, manifest };
}

/** @param {string} mediaType @param {SmallBlob} small */
function descriptor(mediaType, small) {
  return { mediaType, size: small.bytes.length, digest: small.digest };
}

/** @param {unknown} value @param {number} [indent] @returns {SmallBlob} */
function blob(value, indent = 3) {
  const bytes = Buffer.from(JSON.stringify(value, undefined, indent));
  return { digest: `sha256:${sha256(bytes)}`, bytes };
}

/** @param {Buffer | string} bytes */
function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}
