/** The library: everything that the command does, as functions over data. */
export { RegtarError, type ErrorCode, type ErrorDetails, type ErrorPlace, type ErrorSide, type Problem } from './errors.ts';
export { parseDigest, type Digest } from './oci/digest.ts';
export type { Descriptor } from './oci/descriptor.ts';
export { parseManifest, type Manifest } from './oci/manifest.ts';
export { formatPlatform, parsePlatform, type Platform } from './oci/platform.ts';
export { formatImageReference, parseImageReference, type ImageReference } from './oci/reference.ts';
export type { BlobOutcome, Catalog, ContentStore, ImageSink, ImageTarget, ImageWriter, SinkTraits, TagEntry } from './content/contracts.ts';
export { createGraphReader, imagePlatforms, imageProblems, type GraphReader, type ManifestNode } from './content/image-graph.ts';
export { summarize, type BackupSummary } from './content/summarize.ts';
export type { Backup, Entry, Location } from './source/backup.ts';
export { openSource, type OpenSourceOptions } from './source/open-source.ts';
export { readCatalog, type StorageCatalog } from './storage/catalog.ts';
export { openContentStore } from './storage/content-store.ts';
export { createFilter, parseImagesList, type FilterOptions, type ImageFilter } from './select/filter.ts';
export { createRenamer, type NameOptions, type RenameRepository } from './select/names.ts';
export { createPlan, type Plan, type PlannedImage, type PlanOptions, type RefusedImage } from './select/plan.ts';
export { copyImages, type CopyOptions } from './copy/copy-images.ts';
export type { CopyEvent, CopyReport, ImageResult, ImageStatus } from './copy/events.ts';
