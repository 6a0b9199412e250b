import { RegtarError } from '../errors.ts';
import type { Descriptor } from './descriptor.ts';
import { isDigest, type Digest } from './digest.ts';
import { isIndexType, isManifestType, isSchema1Type, mediaTypes } from './media-types.ts';
import type { Platform } from './platform.ts';

/**
 * An image or artifact manifest: a config and layers (an artifact manifest's `blobs` count as layers).
 * @see image-spec manifest.md
 */
export interface ImageManifest {
  readonly kind: 'image';
  readonly mediaType: string;
  readonly config: Descriptor | undefined;
  readonly layers: readonly Descriptor[];
  readonly artifactType: string | undefined;
  readonly subject: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

/** An OCI index or docker manifest list. @see image-spec image-index.md */
export interface IndexManifest {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly artifactType: string | undefined;
  readonly subject: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Docker image manifest version 2, schema 1: layers without sizes. @see distribution, manifest-v2-1.md */
export interface Schema1Manifest {
  readonly kind: 'schema1';
  readonly mediaType: string;
  readonly layers: readonly Digest[];
  readonly architecture: string | undefined;
  readonly subject: undefined;
}

/** Any of the manifests that registries store. */
export type Manifest = ImageManifest | IndexManifest | Schema1Manifest;

/**
 * Parses a manifest's bytes. Media types are not stored beside a blob, so the JSON decides: its `mediaType`, else
 * `manifests` make an index and `fsLayers` a schema1 manifest, else it is an image manifest.
 * @param expectedMediaType what a descriptor or an index says; used only when the JSON itself has none
 * @throws RegtarError MANIFEST_INVALID when the bytes are not JSON or not of any manifest's shape
 */
export function parseManifest(bytes: Uint8Array, expectedMediaType?: string): Manifest {
  const json = parseShape(bytes);
  if ('fsLayers' in json && !('manifests' in json) && !('layers' in json)) return schema1Manifest(json);
  const said = text(json, 'mediaType') || undefined;
  const isIndex =
    said === undefined
      ? 'manifests' in json || (expectedMediaType !== undefined && isIndexType(expectedMediaType))
      : isIndexType(said);
  return isIndex ? indexManifest(json, said) : imageManifest(json, said ?? usable(expectedMediaType));
}

/** Every manifest that this one needs in the same repository: an index's children. Subjects are not children. */
export function childManifests(manifest: Manifest): readonly Descriptor[] {
  return manifest.kind === 'index' ? manifest.manifests.filter(isManifestEntry) : [];
}

/**
 * Every blob that this manifest itself names: config first, then layers, each digest once; of an index, the entries
 * that are layers. Schema1 layers have size -1: it is not stored.
 */
export function manifestBlobs(manifest: Manifest): readonly Descriptor[] {
  const seen = new Set<Digest>();
  return namedBlobs(manifest).filter(({ digest }) => !seen.has(digest) && seen.add(digest));
}

function namedBlobs(manifest: Manifest): readonly Descriptor[] {
  switch (manifest.kind) {
    case 'index':
      return manifest.manifests.filter((entry) => !isManifestEntry(entry));
    case 'schema1':
      return manifest.layers.map((digest) => ({ mediaType: mediaTypes.dockerLayer, digest, size: -1 }));
    case 'image':
      return [...(manifest.config ? [manifest.config] : []), ...manifest.layers];
  }
}

/** BuildKit's registry cache is an index whose entries are layers and one config; Distribution stores it as it is. */
function isManifestEntry({ mediaType }: Descriptor): boolean {
  return mediaType === '' || isManifestType(mediaType);
}

function parseShape(bytes: Uint8Array): JsonObject {
  let json: unknown;
  try {
    json = JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
  return object(json, 'it');
}

function schema1Manifest(json: JsonObject): Schema1Manifest {
  const said = text(json, 'mediaType');
  const fallback = 'signatures' in json ? mediaTypes.dockerSchema1Signed : mediaTypes.dockerSchema1;
  return {
    kind: 'schema1',
    mediaType: said !== undefined && isSchema1Type(said) ? said : fallback,
    layers: list(json, 'fsLayers').map((layer, index) => digest(object(layer, `fsLayers.${index}`), 'blobSum')),
    architecture: text(json, 'architecture'),
    subject: undefined,
  };
}

function indexManifest(json: JsonObject, mediaType: string | undefined): IndexManifest {
  return {
    kind: 'index',
    mediaType: mediaType ?? mediaTypes.ociIndex,
    manifests: descriptors(json, 'manifests'),
    ...shared(json),
  };
}

function imageManifest(json: JsonObject, mediaType: string | undefined): ImageManifest {
  if (!json['config'] && !json['layers'] && !json['blobs'])
    throw invalid('it has neither a config, layers nor manifests');
  return {
    kind: 'image',
    mediaType: mediaType ?? mediaTypes.ociManifest,
    config: json['config'] ? descriptor(json['config'], 'config') : undefined,
    layers: descriptors(json, json['layers'] ? 'layers' : 'blobs'),
    ...shared(json),
  };
}

function shared(json: JsonObject) {
  return {
    artifactType: text(json, 'artifactType'),
    subject: json['subject'] ? descriptor(json['subject'], 'subject') : undefined,
    annotations: annotations(json) ?? {},
  };
}

function descriptors(json: JsonObject, key: string): Descriptor[] {
  return list(json, key).map((item, index) => descriptor(item, `${key}.${index}`));
}

function descriptor(value: unknown, where: string): Descriptor {
  const json = object(value, where);
  const size = json['size'];
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalid(`${where}.size is not a size in bytes`);
  const artifactType = text(json, 'artifactType');
  const notes = annotations(json);
  return {
    mediaType: text(json, 'mediaType') ?? '',
    digest: digest(json, 'digest'),
    size,
    ...(json['platform'] ? { platform: platform(object(json['platform'], `${where}.platform`)) } : undefined),
    ...(artifactType === undefined ? undefined : { artifactType }),
    ...(json['urls']
      ? { urls: list(json, 'urls').map((url) => (typeof url === 'string' ? url : fail(`${where}.urls`))) }
      : undefined),
    ...(notes === undefined ? undefined : { annotations: notes }),
  };
}

function platform(json: JsonObject): Platform {
  const variant = text(json, 'variant');
  const version = text(json, 'os.version');
  return {
    os: text(json, 'os') ?? fail('platform.os'),
    architecture: text(json, 'architecture') ?? fail('platform.architecture'),
    ...(variant === undefined ? undefined : { variant }),
    ...(version === undefined ? undefined : { 'os.version': version }),
  };
}

function annotations(json: JsonObject): Readonly<Record<string, string>> | undefined {
  if (!json['annotations']) return undefined;
  const notes = object(json['annotations'], 'annotations');
  for (const key in notes) if (typeof notes[key] !== 'string') fail(`annotations.${key}`);
  return notes as Record<string, string>;
}

function usable(mediaType: string | undefined): string | undefined {
  return mediaType === mediaTypes.dockerManifest || mediaType === mediaTypes.ociArtifact ? mediaType : undefined;
}

// Thousands of manifests are parsed before the first byte moves: these few checks take a tenth of a schema library's
// time.
type JsonObject = Readonly<Record<string, unknown>>;

const decoder = new TextDecoder('utf-8', { fatal: true });

function object(value: unknown, where: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${where} is not a JSON object`);
  return value as JsonObject;
}

function list(json: JsonObject, key: string): readonly unknown[] {
  const value = json[key] ?? [];
  return Array.isArray(value) ? (value as unknown[]) : fail(key);
}

function text(json: JsonObject, key: string): string | undefined {
  const value = json[key];
  if (value === undefined) return undefined;
  return typeof value === 'string' ? value : fail(key);
}

function digest(json: JsonObject, key: string): Digest {
  const value = json[key];
  return typeof value === 'string' && isDigest(value) ? value : fail(key);
}

function fail(where: string): never {
  throw invalid(`${where} has a wrong value`);
}

function invalid(reason: string, cause?: unknown): RegtarError {
  return new RegtarError('MANIFEST_INVALID', `not a usable manifest: ${reason}`, { cause });
}
