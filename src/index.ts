/** The library: everything that the command does, as functions over data. */
export {
  RegtarError,
  type ErrorCode,
  type ErrorDetails,
  type ErrorPlace,
  type ErrorSide,
  type Problem,
} from './errors.ts';
export { parseDigest, type Digest } from './oci/digest.ts';
export type { Descriptor } from './oci/descriptor.ts';
export { parseManifest, type Manifest } from './oci/manifest.ts';
export { formatPlatform, parsePlatform, type Platform } from './oci/platform.ts';
export { formatImageReference, parseImageReference, type ImageReference } from './oci/reference.ts';
export type {
  BlobOutcome,
  Catalog,
  ContentStore,
  ImageSink,
  ImageTarget,
  ImageWriter,
  SinkTraits,
  TagEntry,
} from './content/contracts.ts';
export {
  createGraphReader,
  imagePlatforms,
  imageProblems,
  type GraphReader,
  type ManifestNode,
} from './content/image-graph.ts';
export { summarize, type BackupSummary } from './content/summarize.ts';
export type { Backup, Entry, HeldContents, Location } from './source/backup.ts';
export type { GivenSource, OpenedSource } from './source/opened-source.ts';
export { openSource } from './source/open-source.ts';
export type { OpenSourceOptions } from './source/options.ts';
export { readCatalog } from './formats/registry/catalog.ts';
export type { StorageCatalog } from './formats/registry/storage-catalog.ts';
export { openContentStore } from './formats/content-store.ts';
export { tagHistory, withTagAt } from './names/chosen-tags.ts';
export {
  parseTagMap,
  readTagMap,
  withTagMap,
  type SignatureEntry,
  type TagMap,
  type TagMapEntry,
} from './names/tag-map.ts';
export type { TagMapOptions } from './names/tag-map-row.ts';
export { createFilter, parseImagesList, type FilterOptions, type ImageFilter } from './select/filter.ts';
export { chooseTags, type ChosenTags, type Clock, type TagChoice } from './select/tag-choice.ts';
export { whatIf, type RepositoryChoice, type WhatIf } from './select/what-if.ts';
export { findGarbage, type BlobSet, type Garbage, type RepositoryGarbage } from './content/garbage.ts';
export { artifactKind, type ArtifactKind } from './content/artifact-kind.ts';
export { platformFacts, type PlatformFacts } from './content/platform-facts.ts';
export { createNarrower } from './select/choose-platforms.ts';
export { createRenamer, type NameOptions, type RenameRepository } from './select/rename.ts';
export { createPlan, type PlanOptions } from './select/create-plan.ts';
export type { Plan, PlannedImage, RefusedImage } from './select/plan.ts';
export { copyImages, type CopyOptions } from './copy/copy-images.ts';
export type { CopyEvent, CopyReport, ImageResult, ImageStatus } from './copy/events.ts';
export { refuseOverlap, type WrittenPath } from './io/overlap.ts';
export { verifyBackup, type VerifyOptions } from './verify/verify.ts';
export type { ImageState, ImageVerdict, VerifyEvent, VerifyProblem, VerifyReport } from './verify/verify-report.ts';
export { diffBackups, type BackupDiff, type ChangedImage } from './select/diff.ts';
export { shardPlan, type Shard, type ShardOptions } from './select/shard.ts';
export { formatNames, type Format } from './formats/formats.ts';
export { readSource, type ReadSource } from './formats/read-source.ts';
export type { ImagePlace, ReadImages, ReadOptions, SourceImage } from './formats/reader.ts';
export { openFileSink } from './formats/open-file-sink.ts';
export type { FileSinkOptions, Split } from './formats/options.ts';
export { openRegistry, type Registry, type RegistryOptions } from './remote/registry.ts';
export { type Scheme } from './net/host.ts';
export { parseTarget, type Target } from './remote/target.ts';
export type { Credential, CredentialSource } from './remote/credential.ts';
export { findCredentials, type CredentialOptions } from './remote/credentials.ts';
export { Secret } from './net/secret.ts';
export type { TlsOptions } from './net/tls.ts';
export {
  preparePush,
  type NewProjects,
  type PreparedPush,
  type PreparePushOptions,
  type RunPushOptions,
} from './push/push.ts';
export type { PushStorage } from './push/transfer.ts';
export type { Place, PlacedFile, PutOptions } from './formats/registry/place.ts';
export { openLiveFolder, type LiveFolderOptions } from './formats/registry/live-folder.ts';
export { logIn, type LogInOptions, type PushLogin } from './push/login.ts';
export type { Inspection } from './push/inspect-target.ts';
export type { OnExistingTag, Presence } from './push/presence.ts';
export type { Estimate } from './push/estimate.ts';
export { openPushJournal, type PushJournal, type PushJournalOptions } from './push/journal.ts';
export { openRemoteSink, remoteTraits, type RemoteSinkOptions } from './push/sink.ts';
export { verifyRemote } from './push/read-back.ts';
export { recordReport, type ReportRecorder, type ReportSubject } from './report/record-report.ts';
export type { Report, ReportImage, ReportSource, ReportStatus, ReportTarget, UnlistedReport } from './report/report.ts';
export { readReport } from './report/read-report.ts';
export { clientFiles } from './report/clients/client-files.ts';
export { mirrorOf, movedImages, movedNames, type MovedImage } from './report/clients/moved-names.ts';
export type { ClientFile, ClientRegistry, ClientSetup, ContainerClient, Mirror } from './report/clients/setup.ts';
export { mergeReports } from './report/merge-reports.ts';
export { checkBlobs, type BlobCheckOptions, type CheckedBlobs } from './serve/checked-blobs.ts';
export { createRoutes, type Routes, type RoutesOptions } from './serve/routes.ts';
export type { RegistryAnswer, RegistryRequest } from './serve/request.ts';
export { startServer, type RunningServer, type ServeOptions } from './serve/server.ts';
export { checkTarget, type CheckOptions } from './check/check-target.ts';
export type { CheckedTarget, CheckReport, Difference, DifferenceKind, ExpectedImage } from './check/contract.ts';
export { registryTarget } from './check/registry-target.ts';
export { imagesTarget } from './check/images-target.ts';
