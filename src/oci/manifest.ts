import * as v from 'valibot';
import { RegtarError } from '../errors.ts';
import type { Descriptor } from './descriptor.ts';
import { isDigest, type Digest } from './digest.ts';
import { isIndexType, isSchema1Type, mediaTypes } from './media-types.ts';
import type { Platform } from './platform.ts';

/** An image or artifact manifest: a config and layers (an artifact manifest's `blobs` count as layers). @see image-spec manifest.md */
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

export type Manifest = ImageManifest | IndexManifest | Schema1Manifest;

const digestSchema = v.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'not a digest');
const annotationsSchema = v.optional(v.nullable(v.record(v.string(), v.string())));
const platformSchema = v.object({ os: v.string(), architecture: v.string(), variant: v.optional(v.string()), 'os.version': v.optional(v.string()) });
const descriptorSchema = v.object({
  mediaType: v.optional(v.string(), ''),
  digest: digestSchema,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  platform: v.optional(v.nullable(platformSchema)),
  artifactType: v.optional(v.string()),
  urls: v.optional(v.nullable(v.array(v.string()))),
  annotations: annotationsSchema,
});
const commonFields = { mediaType: v.optional(v.string()), artifactType: v.optional(v.string()), subject: v.optional(v.nullable(descriptorSchema)), annotations: annotationsSchema };
const imageSchema = v.object({ ...commonFields, config: v.optional(v.nullable(descriptorSchema)), layers: v.optional(v.nullable(v.array(descriptorSchema))), blobs: v.optional(v.nullable(v.array(descriptorSchema))) });
const indexSchema = v.object({ ...commonFields, manifests: v.nullable(v.array(descriptorSchema)) });
const schema1Schema = v.object({ mediaType: v.optional(v.string()), architecture: v.optional(v.string()), fsLayers: v.array(v.object({ blobSum: digestSchema })) });
const shapeSchema = v.looseObject({ schemaVersion: v.optional(v.number()), mediaType: v.optional(v.string()) });

/**
 * Parses a manifest's bytes. Media types are not stored beside a blob, so the JSON decides: its `mediaType`, else `manifests` make an
 * index and `fsLayers` a schema1 manifest, else it is an image manifest.
 * @param expectedMediaType what a descriptor or an index says; used only when the JSON itself has none
 * @throws RegtarError MANIFEST_INVALID when the bytes are not JSON or not of any manifest's shape
 */
export function parseManifest(bytes: Uint8Array, expectedMediaType?: string): Manifest {
  const json = parseShape(bytes);
  if ('fsLayers' in json && !('manifests' in json) && !('layers' in json)) return schema1Manifest(json);
  const said = json.mediaType || undefined;
  const isIndex = said === undefined ? 'manifests' in json || (expectedMediaType !== undefined && isIndexType(expectedMediaType)) : isIndexType(said);
  return isIndex ? indexManifest(json, said) : imageManifest(json, said ?? usable(expectedMediaType));
}

/** Every manifest that this one needs in the same repository: an index's children. Subjects are not children. */
export function childManifests(manifest: Manifest): readonly Descriptor[] {
  return manifest.kind === 'index' ? manifest.manifests : [];
}

/** Every blob that this manifest itself names: config first, then layers, each digest once. Schema1 layers have size -1: it is not stored. */
export function manifestBlobs(manifest: Manifest): readonly Descriptor[] {
  if (manifest.kind === 'index') return [];
  const all = manifest.kind === 'schema1' ? manifest.layers.map((digest) => ({ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', digest, size: -1 })) : [...(manifest.config ? [manifest.config] : []), ...manifest.layers];
  const seen = new Set<Digest>();
  return all.filter(({ digest }) => !seen.has(digest) && seen.add(digest));
}

function parseShape(bytes: Uint8Array): v.InferOutput<typeof shapeSchema> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
  const result = v.safeParse(shapeSchema, json);
  if (!result.success || Array.isArray(json)) throw invalid('it is not a JSON object with a manifest\'s fields');
  return result.output;
}

function schema1Manifest(json: unknown): Schema1Manifest {
  const fields = check(schema1Schema, json);
  const signed = typeof json === 'object' && json !== null && 'signatures' in json;
  const fallback = signed ? mediaTypes.dockerSchema1Signed : mediaTypes.dockerSchema1;
  return { kind: 'schema1', mediaType: fields.mediaType && isSchema1Type(fields.mediaType) ? fields.mediaType : fallback, layers: fields.fsLayers.map((layer) => layer.blobSum), architecture: fields.architecture, subject: undefined };
}

function indexManifest(json: unknown, mediaType: string | undefined): IndexManifest {
  const fields = check(indexSchema, json);
  return { kind: 'index', mediaType: mediaType ?? mediaTypes.ociIndex, manifests: (fields.manifests ?? []).map(descriptor), ...shared(fields) };
}

function imageManifest(json: unknown, mediaType: string | undefined): ImageManifest {
  const fields = check(imageSchema, json);
  if (!fields.config && !fields.layers && !fields.blobs) throw invalid('it has neither a config, layers nor manifests');
  return {
    kind: 'image',
    mediaType: mediaType ?? mediaTypes.ociManifest,
    config: fields.config ? descriptor(fields.config) : undefined,
    layers: (fields.layers ?? fields.blobs ?? []).map(descriptor),
    ...shared(fields),
  };
}

function shared(fields: { artifactType?: string | undefined; subject?: v.InferOutput<typeof descriptorSchema> | null | undefined; annotations?: Record<string, string> | null | undefined }) {
  return { artifactType: fields.artifactType, subject: fields.subject ? descriptor(fields.subject) : undefined, annotations: fields.annotations ?? {} };
}

function descriptor(fields: v.InferOutput<typeof descriptorSchema>): Descriptor {
  return {
    mediaType: fields.mediaType,
    digest: fields.digest,
    size: fields.size,
    ...(fields.platform && { platform: platform(fields.platform) }),
    ...(fields.artifactType !== undefined && { artifactType: fields.artifactType }),
    ...(fields.urls && { urls: fields.urls }),
    ...(fields.annotations && { annotations: fields.annotations }),
  };
}

function platform(fields: v.InferOutput<typeof platformSchema>): Platform {
  return { os: fields.os, architecture: fields.architecture, ...(fields.variant !== undefined && { variant: fields.variant }), ...(fields['os.version'] !== undefined && { 'os.version': fields['os.version'] }) };
}

function usable(mediaType: string | undefined): string | undefined {
  return mediaType === mediaTypes.dockerManifest || mediaType === mediaTypes.ociArtifact ? mediaType : undefined;
}

function check<Schema extends v.GenericSchema>(schema: Schema, json: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw invalid(`${v.getDotPath(issue) ?? 'the document'}: ${issue.message.slice(0, 200)}`);
}

function invalid(reason: string, cause?: unknown): RegtarError {
  return new RegtarError('MANIFEST_INVALID', `not a usable manifest: ${reason}`, { side: 'source', cause });
}
