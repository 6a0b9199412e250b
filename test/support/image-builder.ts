import { Buffer } from 'node:buffer';
import { gzipSync } from 'node:zlib';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf, type Digest, type DigestAlgorithm } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { archive, bytesOf, file, type Text } from './tar-builder.ts';

export type ImageFormat = 'docker' | 'oci';

/**
 * A layer: a name (the same name is the same layer everywhere), files to pack, finished bytes, or a foreign layer whose bytes are
 * absent on purpose.
 */
export type LayerSpec =
  | string
  | { readonly files: Readonly<Record<string, Text>> }
  | { readonly bytes: Text; readonly mediaType?: string }
  | { readonly foreign: string; readonly mediaType?: string };

export interface ImageSpec {
  /** `docker` (schema2) unless told. */
  readonly format?: ImageFormat;
  /** `['<repository>:<tag>']` unless told, so that every image has a layer of its own. */
  readonly layers?: readonly LayerSpec[];
  /** `os/architecture[/variant]`; `linux/amd64` unless told. */
  readonly platform?: string;
  /** Joined into the config: `{ config: { Cmd: […] } }`. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** `false` leaves `mediaType` out of the manifest, as many OCI writers do. */
  readonly mediaType?: false;
  /** Of the config and the layers; the manifest's own digest is told apart. */
  readonly algorithm?: DigestAlgorithm;
  /** Any other fields of the manifest, replacing those that are made. */
  readonly manifest?: Readonly<Record<string, unknown>>;
}

/** A blob with what refers to it. */
export interface BuiltBlob {
  readonly descriptor: Descriptor;
  /** Absent for foreign layers. */
  readonly bytes: Buffer | undefined;
}

/** An image before it has a place. */
export interface BuiltImage {
  readonly manifest: Buffer;
  readonly mediaType: string;
  readonly config: BuiltBlob;
  readonly layers: readonly BuiltBlob[];
}

/** Makes a valid image: gzip layers that unpack, a config with their diff IDs, a manifest in the format's own media types. */
export function buildImage(spec: ImageSpec, fallbackLayer: string): BuiltImage {
  const { format = 'docker', algorithm = 'sha256' } = spec;
  const layers = (spec.layers ?? [fallbackLayer]).map((layer) => buildLayer(layer, format, algorithm));
  const config = buildConfig(
    spec,
    layers.map((layer) => layer.diffId),
    format,
    algorithm,
  );
  const mediaType = format === 'docker' ? mediaTypes.dockerManifest : mediaTypes.ociManifest;
  const manifest = json({
    schemaVersion: 2,
    ...(spec.mediaType !== false && { mediaType }),
    config: config.descriptor,
    layers: layers.map((layer) => layer.descriptor),
    ...(spec.annotations && { annotations: spec.annotations }),
    ...spec.manifest,
  });
  return { manifest, mediaType, config, layers };
}

/** Indented like docker's manifests: whoever parses and writes again changes the digest. */
export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value, undefined, 3));
}

export function blobOf(
  bytes: Text,
  mediaType: string,
  algorithm: DigestAlgorithm = 'sha256',
): BuiltBlob & { readonly bytes: Buffer } {
  const content = bytesOf(bytes);
  return { bytes: content, descriptor: { mediaType, digest: digestOf(content, algorithm), size: content.length } };
}

function buildLayer(
  spec: LayerSpec,
  format: ImageFormat,
  algorithm: DigestAlgorithm,
): BuiltBlob & { readonly diffId: Digest } {
  if (typeof spec === 'object' && 'foreign' in spec) {
    const size = 1_000_000;
    const mediaType =
      spec.mediaType ??
      (format === 'docker'
        ? 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
        : 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip');
    const digest = digestOf(Buffer.from(spec.foreign), algorithm);
    return { bytes: undefined, diffId: digest, descriptor: { mediaType, digest, size, urls: [spec.foreign] } };
  }
  const mediaType =
    format === 'docker'
      ? 'application/vnd.docker.image.rootfs.diff.tar.gzip'
      : 'application/vnd.oci.image.layer.v1.tar+gzip';
  if (typeof spec === 'object' && 'bytes' in spec) {
    const blob = blobOf(spec.bytes, spec.mediaType ?? mediaType, algorithm);
    return { ...blob, diffId: blob.descriptor.digest };
  }
  const files = typeof spec === 'string' ? { [`layers/${spec.replaceAll(/[^\w.-]+/g, '_')}`]: spec } : spec.files;
  const tar = archive(Object.entries(files).map(([path, body]) => file(path, body)));
  // Stored, not deflated: the same digests with every version of zlib.
  return { ...blobOf(gzipSync(tar, { level: 0 }), mediaType, algorithm), diffId: digestOf(tar) };
}

function buildConfig(
  spec: ImageSpec,
  diffIds: readonly Digest[],
  format: ImageFormat,
  algorithm: DigestAlgorithm,
): BuiltBlob {
  const fields = {
    created: '2024-01-02T03:04:05Z',
    ...parsePlatform(spec.platform ?? 'linux/amd64'),
    config: { Env: ['PATH=/bin'], Cmd: ['/bin/true'] },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: diffIds.map((_, index) => ({ created: '2024-01-02T03:04:05Z', created_by: `step ${index + 1}` })),
    ...spec.config,
  };
  return blobOf(
    JSON.stringify(fields),
    format === 'docker' ? mediaTypes.dockerConfig : mediaTypes.ociConfig,
    algorithm,
  );
}
