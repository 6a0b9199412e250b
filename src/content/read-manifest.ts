import { RegtarError } from '../errors.ts';
import { limits } from '../io/limits.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestAlgorithm, digestOf, type Digest } from '../oci/digest.ts';
import { childManifests, parseManifest, type Manifest } from '../oci/manifest.ts';
import type { ContentStore } from './contracts.ts';

/** A manifest as the backup has it. */
export interface StoredManifest {
  /** With the media type that the manifest itself says and the size as stored. */
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
}

/**
 * Reads a manifest, checks its digest and parses it.
 * @param expectedMediaType what an index says of it; used where the JSON has no `mediaType`
 * @throws RegtarError BLOB_MISSING, BLOB_CORRUPT, BLOB_UNREADABLE, MANIFEST_TOO_LARGE, MANIFEST_INVALID; SOURCE_CHANGED
 */
export function readManifest(store: ContentStore, digest: Digest, expectedMediaType?: string): StoredManifest {
  const size = store.stat(digest)?.size;
  if (size !== undefined && size > limits.manifestBytes) {
    throw new RegtarError(
      'MANIFEST_TOO_LARGE',
      `manifest ${digest} has ${size} bytes; no registry takes more than ${limits.manifestBytes}`,
      {
        where: { digest },
        hint: 'this digest is probably a layer: look where it is referred to as a manifest',
      },
    );
  }
  const bytes = readBytes(store, digest);
  if (digestOf(bytes, digestAlgorithm(digest)) !== digest) {
    throw new RegtarError('BLOB_CORRUPT', `manifest ${digest} is damaged: its bytes have another digest`, {
      where: { digest },
      hint: 'run `regtar verify` to list everything that is damaged',
    });
  }
  try {
    const manifest = parseManifest(bytes, expectedMediaType);
    if (childManifests(manifest).length === 0) store.leaves?.add(digest);
    return {
      descriptor: {
        mediaType: manifest.mediaType,
        digest,
        size: bytes.length,
        ...('artifactType' in manifest &&
          manifest.artifactType !== undefined && { artifactType: manifest.artifactType }),
      },
      manifest,
      bytes,
    };
  } catch (error) {
    if (!(error instanceof RegtarError)) throw error;
    throw new RegtarError(error.code, `manifest ${digest} is ${error.message}`, {
      side: 'source',
      where: { digest },
      cause: error,
    });
  }
}

/** One bad sector makes one image unreadable, not the backup. */
function readBytes(store: ContentStore, digest: Digest): Uint8Array {
  try {
    return store.readSmall(digest);
  } catch (error) {
    if (!(error instanceof RegtarError) || error.code !== 'SOURCE_UNREADABLE') throw error;
    throw new RegtarError('BLOB_UNREADABLE', `manifest ${digest} cannot be read: ${error.message}`, {
      where: { digest },
      cause: error,
      hint: error.hint,
    });
  }
}
