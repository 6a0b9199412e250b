import { othersGoOn, RegtarError, type Problem } from '../../errors.ts';
import { limits } from '../../io/limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { createDigester, digestOf, isDigest, makeDigest, type Digest } from '../../oci/digest.ts';
import { parseImageConfig } from '../../oci/image-config.ts';
import { mediaTypes } from '../../oci/media-types.ts';
import type { Backup, Location } from '../../source/backup.ts';
import { cleanPath } from '../registry/layout.ts';
import type { SourceFile, SourceFolder } from '../source-files.ts';
import type { SavedImage } from './read-manifest-json.ts';

/** A manifest for an image that has none, and where its config and layers lie. */
export interface MadeManifest {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly places: ReadonlyMap<Digest, Location>;
}

/** What was found out about files of layers: many images share them. */
export type KnownLayers = Map<SourceFile, { readonly packing: Packing | undefined; hashed?: Digest }>;

/** How a layer is packed, by its first bytes, with the media type for it. @see OCI image-spec v1.1 layer.md */
const packings = [
  { magic: Buffer.from([0x1f, 0x8b]), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' },
  { magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' },
] as const;
type Packing = (typeof packings)[number];
const plainLayer = 'application/vnd.oci.image.layer.v1.tar';

/**
 * Makes an OCI manifest of an image in a docker-archive. The config stays as it is; layers stay as they are packed: one
 * that is not compressed has its diff ID for a digest. The same archive always gives the same bytes.
 */
export async function makeManifest(
  backup: Backup,
  source: SourceFolder,
  base: string,
  image: SavedImage,
  known: KnownLayers,
): Promise<MadeManifest | { readonly problem: Problem }> {
  try {
    return await make(backup, source, base, image, known);
  } catch (error) {
    if (!othersGoOn(error)) throw error;
    return { problem: { code: error.code, message: error.message } };
  }
}

async function make(
  backup: Backup,
  source: SourceFolder,
  base: string,
  image: SavedImage,
  known: KnownLayers,
): Promise<MadeManifest> {
  const places = new Map<Digest, Location>();
  const configFile = fileAt(source, base, image.config);
  if (configFile.location.size > limits.configBytes)
    throw invalid(source, `its config ${image.config} has ${configFile.location.size} bytes`);
  const configBytes = await source.read(configFile, limits.configBytes);
  const config = digestOf(configBytes);
  places.set(config, configFile.location);
  const diffIds = parseImageConfig(configBytes)?.diffIds ?? [];
  if (diffIds.length !== image.layers.length)
    throw invalid(source, `${image.layers.length} layers and ${diffIds.length} diff IDs in ${image.config}`);
  const layers: Descriptor[] = [];
  for (const [index, path] of image.layers.entries()) {
    const file = fileAt(source, base, path);
    const layer = await describeLayer(backup, file, path, diffIds[index] ?? '', known);
    if (layer === undefined) throw invalid(source, `its config ${image.config} has a diff ID that is not a digest`);
    layers.push(layer);
    if (!places.has(layer.digest)) places.set(layer.digest, file.location);
  }
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: config, size: configBytes.length },
      layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    }),
  );
  return { digest: digestOf(bytes), bytes, places };
}

/** @throws RegtarError BLOB_MISSING for what the archive does not hold; a path never leads out of it */
function fileAt(source: SourceFolder, base: string, path: string): SourceFile {
  const clean = cleanPath(path);
  const file = clean === undefined ? undefined : source.get(`${base}${clean}`);
  if (file !== undefined) return file;
  throw new RegtarError('BLOB_MISSING', `${source.describe} needs "${path.slice(0, 200)}", which it does not hold`, {
    where: { path: source.describe },
  });
}

async function describeLayer(
  backup: Backup,
  file: SourceFile,
  path: string,
  diffId: string,
  known: KnownLayers,
): Promise<Descriptor | undefined> {
  const { location } = file;
  const layer = known.get(file) ?? { packing: await packingOf(backup, location, path) };
  known.set(file, layer);
  const { packing } = layer;
  if (packing === undefined)
    return isDigest(diffId) ? { mediaType: plainLayer, digest: diffId, size: location.size } : undefined;
  const named = digestOfName(path);
  // podman calls layers by their diff IDs.
  const digest = named === undefined || named === diffId ? (layer.hashed ??= await hash(backup, location)) : named;
  return { mediaType: packing.mediaType, digest, size: location.size };
}

async function packingOf(backup: Backup, location: Location, path: string): Promise<Packing | undefined> {
  // Where a stream is not kept, only the name tells.
  const start = await firstBytes(backup, location);
  if (start === undefined) return /\.t?gz$/.test(path) ? packings[0] : undefined;
  return packings.find(({ magic }) => magic.equals(start.subarray(0, magic.length)));
}

async function firstBytes(backup: Backup, location: Location): Promise<Uint8Array | undefined> {
  try {
    for await (const chunk of backup.read(location)) return Uint8Array.from(chunk.subarray(0, 8));
    return new Uint8Array();
  } catch (error) {
    if (error instanceof RegtarError && error.code === 'SOURCE_UNREADABLE') return undefined;
    throw error;
  }
}

/**
 * Compressed layers are called by the digest of what they are: kaniko and crane write `<hex>.tar.gz`. Copying verifies
 * it.
 */
function digestOfName(path: string): Digest | undefined {
  const [, hex = ''] = /(?:^|\/)(?:sha256:)?([0-9a-f]{64})(?:\.tar\.gz|\.tgz|\.tar)?$/.exec(path) ?? [];
  return makeDigest('sha256', hex);
}

async function hash(backup: Backup, location: Location): Promise<Digest> {
  const known = backup.spool?.digestOf(location);
  if (known !== undefined) return known;
  const digester = createDigester();
  for await (const chunk of backup.read(location)) digester.update(chunk);
  return digester.digest();
}

function invalid(source: SourceFolder, what: string): RegtarError {
  return new RegtarError('MANIFEST_INVALID', `an image of ${source.describe} cannot be used: ${what}`, {
    where: { path: source.describe },
  });
}
