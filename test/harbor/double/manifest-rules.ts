import { Refusal } from './answers.ts';
import { isObject } from './exchange.ts';

/** What Harbor reads in a manifest. */
export interface ManifestFacts {
  readonly mediaType: string;
  readonly config: Descriptor | undefined;
  /** Layers and blobs that count against the quota; those fetched from elsewhere do not. */
  readonly layers: readonly Descriptor[];
  readonly children: readonly Descriptor[];
  readonly subject: string | undefined;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Largest manifest that Harbor reads, in bytes. */
export const manifestLimitBytes = 4 * 1024 * 1024;

const knownTypes = new Set([
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
]);
const schema1Signed = 'application/vnd.docker.distribution.manifest.v1+prettyjws';

/** Whether an index's entry of this type is a manifest, and no layer of a build cache. */
export function isManifestType(mediaType: string): boolean {
  return knownTypes.has(mediaType) || mediaType === schema1Signed;
}

/**
 * Reads a manifest the way the core does before it lets the registry judge: the Content-Type decides, and whatever it does not know is schema 1.
 * @throws Refusal 400 MANIFEST_INVALID
 */
export function readManifest(contentType: string | undefined, body: Buffer): ManifestFacts {
  const type = contentType?.split(';', 1)[0]?.trim() ?? '';
  const document = parse(body);
  if (!knownTypes.has(type)) {
    if (!Array.isArray(document['signatures'])) throw unreadable('missing signature key');
    const layers = list(document['fsLayers']).map((layer) => ({
      mediaType: '',
      digest: text(layer['blobSum']) ?? '',
      size: 0,
    }));
    return {
      mediaType: schema1Signed,
      config: undefined,
      layers,
      children: [],
      subject: undefined,
      artifactType: undefined,
      annotations: undefined,
    };
  }
  const stated = text(document['mediaType']);
  if (stated === undefined ? type.startsWith('application/vnd.docker.') : stated !== type)
    throw unreadable(`if present, mediaType in manifest should be '${type}' not '${stated ?? ''}'`);
  return {
    mediaType: type,
    config: descriptor(document['config']),
    layers: list(document['layers'])
      .filter((layer) => list(layer['urls']).length === 0 && !Array.isArray(layer['urls']))
      .flatMap((layer) => descriptor(layer) ?? []),
    children: list(document['manifests']).flatMap((child) => descriptor(child) ?? []),
    subject: descriptor(document['subject'])?.digest,
    artifactType: text(document['artifactType']),
    annotations: isObject(document['annotations']) ? (document['annotations'] as Record<string, string>) : undefined,
  };
}

/** Harbor's name for a kind of artifact, by its config's media type. */
export function artifactKind(configType: string | undefined): string {
  if (
    configType === undefined ||
    configType.startsWith('application/vnd.docker.') ||
    configType === 'application/vnd.oci.image.config.v1+json'
  )
    return 'IMAGE';
  if (configType === 'application/vnd.cncf.helm.config.v1+json') return 'CHART';
  return /^application\/vnd\.[^.]*\.(.*)\.config\.[^.]*\+json$/.exec(configType)?.[1]?.toUpperCase() ?? 'UNKNOWN';
}

function parse(body: Buffer): Record<string, unknown> {
  try {
    const document: unknown = JSON.parse(body.toString());
    if (isObject(document)) return document;
  } catch (error) {
    throw unreadable(error instanceof Error ? error.message : 'invalid character');
  }
  throw unreadable('json: cannot unmarshal');
}

function unreadable(reason: string): Refusal {
  return new Refusal(400, 'MANIFEST_INVALID', `unmarshal manifest failed: ${reason}`);
}

function descriptor(value: unknown): Descriptor | undefined {
  if (!isObject(value)) return undefined;
  const digest = text(value['digest']);
  return digest === undefined
    ? undefined
    : {
        digest,
        mediaType: text(value['mediaType']) ?? '',
        size: typeof value['size'] === 'number' ? value['size'] : 0,
      };
}

function list(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
