/**
 * What may be in memory whole, in bytes, with the reason. Memory beside it follows names: repositories, tags, digests
 * and the plan.
 * Files that a person gives (settings, lists of images, certificates) are read whole and have no limit of their own.
 */
export const limits = {
  /** Distribution and Harbor refuse larger manifests, so a larger one could not have been pushed. */
  manifestBytes: 4 * 1024 * 1024,
  /**
   * An image config is read for its platform and diff IDs; real ones stay below 100 KiB, histories of thousands of
   * steps below 4 MiB.
   */
  configBytes: 4 * 1024 * 1024,
  /** `index.json` of a layout: about 450 bytes for each tag, and two million of them are written, too. */
  layoutIndexBytes: 1024 * 1024 * 1024,
  /** `manifest.json` of a docker-archive and `set.json`: lists that are parsed at once. */
  imageListBytes: 128 * 1024 * 1024,
  /** A link is 71 or 135 bytes; white space around it is allowed, more than this is not a link. */
  linkBytes: 1024,
  /** One read, write or hash step: below 64 KiB the cost of a step shows, above 1 MiB nothing is gained. */
  chunkBytes: 1024 * 1024,
  /** Bodies up to this size travel as one buffer: as a stream a small request costs three times as much. */
  smallBodyBytes: 256 * 1024,
  /** Harbor's artifact lists have 1 to 2 KB for each image; CSV and dumps are read line by line and have no limit. */
  tagMapJsonBytes: 256 * 1024 * 1024,
  /** Answers of registries and APIs, errors included. */
  responseBytes: 4 * 1024 * 1024,
} as const;
