import { Buffer } from 'node:buffer';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf, type Digest, type DigestAlgorithm } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { blobOf, buildImage, json, type BuiltBlob, type ImageSpec } from './image-builder.ts';
import { storagePaths } from './storage-paths.ts';
import { builtStorage, type BuiltStorage } from './storage-output.ts';
import { bytesOf, type Text } from './tar-builder.ts';

/** No tag, one, or several on the same digest. */
export type Tags = string | readonly string[] | undefined;

/** A manifest in its place. */
export interface Placed {
  readonly repository: string;
  readonly digest: Digest;
  /** As an index or a `subject` names it. */
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
  /** Config first, then layers; none for an index. */
  readonly blobs: readonly Descriptor[];
  /** Of an index, in its order. */
  readonly children: readonly Placed[];
}

export interface IndexSpec {
  readonly format?: 'docker' | 'oci';
  readonly annotations?: Readonly<Record<string, string>>;
  readonly subject?: Placed;
  /** `false` leaves `mediaType` out. */
  readonly mediaType?: false;
}

export interface ArtifactSpec {
  readonly artifactType?: string;
  readonly body?: Text;
  readonly mediaType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Makes it a referrer of this one. */
  readonly subject?: Placed;
}

/** What a description may say. Everything is put where docker-registry would have put it. */
export interface StorageDescription {
  image(repository: string, tags: Tags, spec?: ImageSpec): Placed;
  /** Children are images to make, or manifests that this repository has already. A nested index is a child like any other. */
  index(repository: string, tags: Tags, children: readonly (ImageSpec | Placed)[], spec?: IndexSpec): Placed;
  /** An OCI artifact: the empty config and one layer. With `subject` a referrer. */
  artifact(repository: string, tags: Tags, spec?: ArtifactSpec): Placed;
  /** A cosign signature under the tag `sha256-<hex>.sig`. */
  signature(of: Placed): Placed;
  /** A schema1 image; `signatures` stores them as registries before 2.5 did. */
  schema1(
    repository: string,
    tags: Tags,
    options?: { readonly layers?: readonly string[]; readonly signatures?: boolean },
  ): Placed;
  /** Any manifest's bytes. Its blobs must be put by hand. */
  manifest(
    repository: string,
    tags: Tags,
    bytes: Text,
    options?: { readonly mediaType?: string; readonly algorithm?: DigestAlgorithm },
  ): Placed;
  /** A blob, with a layer link where a repository is given. */
  blob(bytes: Text, repository?: string): Digest;
  /** Moves a tag, as a push does: what it meant before stays in its history. */
  tag(repository: string, tag: string, digest: Digest): void;
  /** An unfinished upload. */
  upload(repository: string, uuid: string, bytes?: Text): void;
  /** Writes a file beneath `docker/registry/v2`, whatever it is. */
  write(path: string, bytes: Text): void;
  /** Removes a file, or everything beneath a folder. */
  remove(path: string): void;
  /** Keeps a sha512 blob as Distribution 3 does: its bytes under their sha256 digest, which the layer link holds. */
  keepAsSha256(repository: string, digest: Digest): Digest;
  /** The blob is gone, its links remain. */
  loseBlob(digest: Digest): void;
  /** One bit of the blob is wrong, its size is right. */
  corruptBlob(digest: Digest): void;
  /** The blob has zero bytes, as after a power loss. */
  emptyBlob(digest: Digest): void;
  /** The tag's `current/link` has zero bytes. */
  emptyTag(repository: string, tag: string): void;
  /** The tag's `current/link` is gone, its history remains. */
  loseTag(repository: string, tag: string): void;
  /** What the registry's DELETE of a manifest does: the revision's link is gone, tags and blob remain. */
  deleteRevision(repository: string, digest: Digest): void;
}

/**
 * Builds a registry's storage in memory; `built` is what the description returned.
 * @example
 * const store = buildStorage((s) => ({
 *   nginx: s.image('library/nginx', ['1.27', 'latest'], { layers: ['base', 'nginx'] }),
 *   app: s.index('team/app', 'v1', [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]),
 * }));
 * store.tar(); store.built.nginx.digest; await store.writeTo(folder);
 */
export function buildStorage<Result>(
  describe: (storage: StorageDescription) => Result,
): BuiltStorage & { readonly built: Result } {
  const files = new Map<string, Buffer>();
  const built = describe(describeInto(files));
  return { ...builtStorage(files), built };
}

function describeInto(files: Map<string, Buffer>): StorageDescription {
  const write = (path: string, bytes: Text): void => void files.set(path, bytesOf(bytes));
  const remove = (path: string): void => {
    for (const name of files.keys()) if (name === path || name.startsWith(`${path}/`)) files.delete(name);
  };

  const storeBlob = (repository: string, blob: BuiltBlob): void => {
    if (blob.bytes === undefined) return;
    write(storagePaths.blob(blob.descriptor.digest), blob.bytes);
    write(storagePaths.layerLink(repository, blob.descriptor.digest), blob.descriptor.digest);
  };

  const tag: StorageDescription['tag'] = (repository, name, digest) => {
    write(storagePaths.historyLink(repository, name, digest), digest);
    write(storagePaths.currentLink(repository, name), digest);
  };

  const place = (
    repository: string,
    tags: Tags,
    blob: BuiltBlob & { readonly bytes: Buffer },
    blobs: readonly Descriptor[],
    children: readonly Placed[] = [],
  ): Placed => {
    const { descriptor, bytes } = blob;
    write(storagePaths.blob(descriptor.digest), bytes);
    write(storagePaths.revisionLink(repository, descriptor.digest), descriptor.digest);
    for (const name of typeof tags === 'string' ? [tags] : (tags ?? [])) tag(repository, name, descriptor.digest);
    return { repository, digest: descriptor.digest, descriptor, bytes, blobs, children };
  };

  const image: StorageDescription['image'] = (repository, tags, spec = {}) => {
    const made = buildImage(spec, `${repository}:${String(tags)}:${spec.platform ?? ''}`);
    const blobs = [made.config, ...made.layers];
    for (const blob of blobs) storeBlob(repository, blob);
    const placed = place(
      repository,
      tags,
      blobOf(made.manifest, made.mediaType, spec.algorithm),
      blobs.map((blob) => blob.descriptor),
    );
    return { ...placed, descriptor: { ...placed.descriptor, platform: parsePlatform(spec.platform ?? 'linux/amd64') } };
  };

  const index: StorageDescription['index'] = (repository, tags, members, spec = {}) => {
    const format = spec.format ?? 'oci';
    const children = members.map((child) =>
      'digest' in child
        ? child
        : image(repository, undefined, {
            format,
            layers: [`${repository}:${String(tags)}:${child.platform ?? ''}`],
            ...child,
          }),
    );
    const mediaType = format === 'docker' ? mediaTypes.dockerList : mediaTypes.ociIndex;
    const bytes = json({
      schemaVersion: 2,
      ...(spec.mediaType !== false && { mediaType }),
      manifests: children.map((child) => child.descriptor),
      ...(spec.subject && { subject: plain(spec.subject.descriptor) }),
      ...(spec.annotations && { annotations: spec.annotations }),
    });
    return place(repository, tags, blobOf(bytes, mediaType), [], children);
  };

  const artifact: StorageDescription['artifact'] = (repository, tags, spec = {}) => {
    const config = blobOf('{}', mediaTypes.ociEmpty);
    const layer = blobOf(
      spec.body ?? `${repository}:${String(tags)}`,
      spec.mediaType ?? 'application/vnd.example.content.v1',
    );
    for (const blob of [config, layer]) storeBlob(repository, blob);
    const bytes = json({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: spec.artifactType ?? 'application/vnd.example.artifact.v1',
      config: config.descriptor,
      layers: [layer.descriptor],
      ...(spec.subject && { subject: plain(spec.subject.descriptor) }),
      ...(spec.annotations && { annotations: spec.annotations }),
    });
    return place(repository, tags, blobOf(bytes, mediaTypes.ociManifest), [config.descriptor, layer.descriptor]);
  };

  const signature: StorageDescription['signature'] = (of) => {
    const payload = JSON.stringify({
      critical: {
        identity: { 'docker-reference': of.repository },
        image: { 'docker-manifest-digest': of.digest },
        type: 'cosign container image signature',
      },
    });
    return image(of.repository, `${of.digest.replace(':', '-')}.sig`, {
      format: 'oci',
      layers: [{ bytes: payload, mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json' }],
    });
  };

  const schema1: StorageDescription['schema1'] = (repository, tags, options = {}) => {
    const name = typeof tags === 'string' ? tags : (tags?.[0] ?? 'latest');
    const layers = (options.layers ?? [`${repository}:${name}`]).map((layer) =>
      blobOf(`schema1 layer ${layer}`, 'application/octet-stream'),
    );
    for (const layer of layers) storeBlob(repository, layer);
    const history = layers.map((_, number) => ({
      v1Compatibility: JSON.stringify({ id: String(number).padStart(64, '0'), architecture: 'amd64', os: 'linux' }),
    }));
    const payload = json({
      schemaVersion: 1,
      name: repository,
      tag: name,
      architecture: 'amd64',
      fsLayers: layers.map((layer) => ({ blobSum: layer.descriptor.digest })),
      history,
    });
    const placed = place(
      repository,
      tags,
      blobOf(payload, mediaTypes.dockerSchema1),
      layers.map((layer) => layer.descriptor),
    );
    if (options.signatures === true) {
      const jws = blobOf(`{"header":{"alg":"ES256"},"signature":"${digestOf(payload).slice(7)}"}`, 'application/json');
      write(storagePaths.blob(jws.descriptor.digest), jws.bytes);
      write(storagePaths.signatureLink(repository, placed.digest, jws.descriptor.digest), jws.descriptor.digest);
    }
    return placed;
  };

  return {
    image,
    index,
    artifact,
    signature,
    schema1,
    tag,
    write,
    remove,
    manifest: (repository, tags, bytes, options = {}) =>
      place(repository, tags, blobOf(bytes, options.mediaType ?? mediaTypes.ociManifest, options.algorithm), []),
    blob: (bytes, repository) => {
      const blob = blobOf(bytes, 'application/octet-stream');
      if (repository === undefined) write(storagePaths.blob(blob.descriptor.digest), blob.bytes);
      else storeBlob(repository, blob);
      return blob.descriptor.digest;
    },
    upload: (repository, uuid, bytes = 'half of a blob') => {
      write(storagePaths.upload(repository, uuid, 'data'), bytes);
      write(storagePaths.upload(repository, uuid, 'startedat'), '2024-01-02T03:04:05Z');
    },
    keepAsSha256(repository, digest) {
      const bytes = files.get(storagePaths.blob(digest)) ?? Buffer.alloc(0);
      const stored = digestOf(bytes);
      remove(storagePaths.blob(digest));
      write(storagePaths.blob(stored), bytes);
      write(storagePaths.layerLink(repository, digest), stored);
      return stored;
    },
    loseBlob: (digest) => remove(storagePaths.blob(digest)),
    corruptBlob: (digest) => {
      const bytes = Buffer.from(existing(files, storagePaths.blob(digest)));
      const middle = bytes.length >> 1;
      bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
      write(storagePaths.blob(digest), bytes);
    },
    emptyBlob: (digest) => write(storagePaths.blob(digest), ''),
    emptyTag: (repository, name) => write(storagePaths.currentLink(repository, name), ''),
    loseTag: (repository, name) => remove(storagePaths.currentLink(repository, name)),
    deleteRevision: (repository, digest) => remove(storagePaths.revisionLink(repository, digest)),
  };
}

/** Only what a `subject` holds. */
function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

function existing(files: ReadonlyMap<string, Buffer>, path: string): Buffer {
  const bytes = files.get(path);
  if (bytes === undefined) throw new Error(`nothing is stored at ${path}`);
  return bytes;
}
