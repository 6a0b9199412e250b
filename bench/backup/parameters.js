// @ts-check

/**
 * @typedef {object} BackupParameters
 * @property {string} name part of the file's name
 * @property {number} images tags; every tag is an image of its own
 * @property {number} repositories
 * @property {number} bytes of all layers together, each counted once
 * @property {number} baseImages whose layers are shared between repositories
 * @property {number} baseLayers layers of each of these
 * @property {number} sharedRatio part of the repositories that stand on a base image, 0 to 1
 * @property {number} ownLayers mean number of layers that an image has alone
 * @property {number} multiArchRatio part of the images that are an index of two, 0 to 1
 * @property {number} ociRatio part of the images in OCI media types, the rest is docker's
 * @property {number} largestLayer bytes
 * @property {number} smallestLayer bytes, at least 32
 * @property {number} holeBytes one layer more, of this size and nearly all zeros, which takes no room on disk; 0 for none
 * @property {number} seed
 */

/** @type {BackupParameters} */
const usual = {
  name: 'usual',
  images: 100,
  repositories: 20,
  bytes: 20_000_000,
  baseImages: 4,
  baseLayers: 3,
  sharedRatio: 0.8,
  ownLayers: 3.5,
  multiArchRatio: 0.05,
  ociRatio: 0.3,
  largestLayer: 48 * 1024 * 1024,
  smallestLayer: 120,
  holeBytes: 0,
  seed: 1,
};

/** The backups that the bench rows name. `small` ones are for trying things out, a few seconds each. */
export const presets = /** @type {const} */ ({
  /** 5,000 images, about 150,000 members and 9 GB. */
  scale: {
    ...usual,
    name: 'scale',
    images: 5000,
    repositories: 500,
    bytes: 9_000_000_000,
    baseImages: 60,
    ownLayers: 3,
  },
  'scale-small': {
    ...usual,
    name: 'scale-small',
    images: 300,
    repositories: 40,
    bytes: 300_000_000,
    baseImages: 8,
    largestLayer: 16 * 1024 * 1024,
  },
  /** 500 images and 1 GB, to push. */
  push: { ...usual, name: 'push', images: 500, repositories: 60, bytes: 1_000_000_000, baseImages: 12 },
  'push-small': {
    ...usual,
    name: 'push-small',
    images: 40,
    repositories: 8,
    bytes: 40_000_000,
    baseImages: 3,
    multiArchRatio: 0.15,
    largestLayer: 4 * 1024 * 1024,
  },
  /** What was once pushed into a real Harbor: 127 images, 150 MB. */
  harbor: { ...usual, name: 'harbor', images: 127, repositories: 20, bytes: 150_000_000, multiArchRatio: 0.1 },
  'harbor-small': {
    ...usual,
    name: 'harbor-small',
    images: 30,
    repositories: 6,
    bytes: 20_000_000,
    baseImages: 2,
    multiArchRatio: 0.15,
    largestLayer: 4 * 1024 * 1024,
  },
  /** About 3,000,000 members with next to nothing in them. */
  members: {
    ...usual,
    name: 'members',
    images: 100_000,
    repositories: 5000,
    bytes: 100_000_000,
    baseImages: 500,
    largestLayer: 2000,
    smallestLayer: 40,
  },
  'members-small': {
    ...usual,
    name: 'members-small',
    images: 5000,
    repositories: 300,
    bytes: 5_000_000,
    baseImages: 50,
    largestLayer: 2000,
    smallestLayer: 40,
  },
  /** One layer of 20 GB, a hole in the archive's file. */
  huge: {
    ...usual,
    name: 'huge',
    images: 3,
    repositories: 2,
    bytes: 5_000_000,
    baseImages: 1,
    multiArchRatio: 0,
    holeBytes: 20_000_000_000,
  },
  'huge-small': {
    ...usual,
    name: 'huge-small',
    images: 3,
    repositories: 2,
    bytes: 5_000_000,
    baseImages: 1,
    multiArchRatio: 0,
    holeBytes: 1_000_000_000,
  },
});

/**
 * @param {Partial<BackupParameters>} changes
 * @returns {BackupParameters}
 */
export function withUsual(changes) {
  return { ...usual, ...changes };
}
