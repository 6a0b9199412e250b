import { limits } from '../io/limits.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isImageConfigType } from '../oci/media-types.ts';
import { formatPlatform, isUnknownPlatform } from '../oci/platform.ts';
import type { ContentStore } from './contracts.ts';
import { childrenFirst, type ManifestNode } from './image-graph.ts';
import { readJsonBlob } from './read-json-blob.ts';

/** One platform of an image: what its config says, and its layers. @see OCI image-spec v1.1 config.md */
export interface PlatformFacts {
  readonly platform: string;
  /** Of its manifest. */
  readonly digest: Digest;
  readonly created?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** Names alone: values may be secrets. */
  readonly environment: readonly string[];
  readonly workingDirectory?: string;
  readonly user?: string;
  /** `80/tcp` */
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly layers: readonly (Descriptor & { readonly present: boolean })[];
  /** Manifest, config and layers, each once, as the manifest says. */
  readonly bytes: number;
}

/** Every runnable image in an image, in its order; none for an artifact. */
export function platformFacts(store: ContentStore, root: ManifestNode): readonly PlatformFacts[] {
  return childrenFirst(root)
    .filter(
      ({ kind, config, platform }) =>
        kind === 'image' &&
        config !== undefined &&
        isImageConfigType(config.mediaType) &&
        platform !== undefined &&
        !isUnknownPlatform(platform),
    )
    .map((node) => factsOf(store, node));
}

function factsOf(store: ContentStore, node: ManifestNode): PlatformFacts {
  const json = node.config && readJsonBlob(store, node.config.digest, limits.configBytes);
  const config = objectOf(json?.['config']);
  const created = textOf(json?.['created']);
  const workingDirectory = textOf(config['WorkingDir']);
  const user = textOf(config['User']);
  const parts = new Map([node.descriptor, ...node.blobs, ...node.missing].map(({ digest, size }) => [digest, size]));
  return {
    platform: node.platform === undefined ? 'unknown' : formatPlatform(node.platform),
    digest: node.descriptor.digest,
    ...(created !== undefined && { created }),
    labels: Object.fromEntries(
      Object.entries(objectOf(config['Labels'])).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      ),
    ),
    entrypoint: textsOf(config['Entrypoint']),
    command: textsOf(config['Cmd']),
    environment: textsOf(config['Env']).map((entry) => entry.split('=', 1)[0] ?? ''),
    ...(workingDirectory !== undefined && { workingDirectory }),
    ...(user !== undefined && { user }),
    ports: Object.keys(objectOf(config['ExposedPorts'])),
    volumes: Object.keys(objectOf(config['Volumes'])),
    layers: node.layers.map((layer) => ({ ...layer, present: store.stat(layer.digest) !== undefined })),
    bytes: [...parts.values()].reduce((sum, size) => sum + Math.max(size, 0), 0),
  };
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Old images have a command in one piece. */
function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
