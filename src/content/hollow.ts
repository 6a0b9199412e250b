import { verifiedBody } from '../io/verified-body.ts';
import type { Body } from '../io/body.ts';
import type { Ring } from '../io/ring.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { ContentStore } from './contracts.ts';

/** Holes up to here are read like anything else, which takes a second. */
const hollowBytes = 1024 ** 3;
/** So many times what is stored: an honest disk image of zeros is hardly emptier, and is read. */
const hollowFactor = 100;
/** More zeros than this are not read, whatever they are: a quarter of an hour of hashing. */
const mostHoles = 1024 ** 4;

/**
 * Says of a blob that is nearly all holes why it is damage without being read: a backup of some kilobytes may claim
 * petabytes. docs/decisions/0016 has the reasons.
 * @param stat what the store says of it
 * @param mediaTypes as which manifests name it; empty where none does
 * @returns undefined for what is to be read
 */
export function hollowReason(
  { size, held = size }: { readonly size: number; readonly held?: number | undefined },
  mediaTypes: readonly string[],
): string | undefined {
  const holes = size - held;
  if (holes <= hollowBytes || size <= hollowFactor * held) return undefined;
  const claim = `it claims ${size} bytes, of which ${held} are stored`;
  if (mediaTypes.length === 0) return `${claim}; no manifest names it`;
  if (mediaTypes.every(isDense)) return `${claim}, and ${mediaTypes[0]} has no holes`;
  return holes > mostHoles ? claim : undefined;
}

/** Types of which no byte stretch is zero for long: compressed, encrypted, text. */
function isDense(mediaType: string): boolean {
  return /[.+](?:gzip|zstd|encrypted|json)\b/.test(mediaType);
}

/**
 * Reads a blob as a manifest describes it, verified; one that is nearly all holes fails before its first byte.
 * @throws RegtarError BLOB_MISSING at once; BLOB_CORRUPT while it is read
 */
export function readVerified(store: Pick<ContentStore, 'open' | 'stat'>, blob: Descriptor, ring?: Ring): Body {
  const stat = store.stat(blob.digest);
  const damage = stat === undefined ? undefined : hollowReason(stat, [blob.mediaType]);
  return verifiedBody(store.open(blob.digest, 0, ring), blob, { size: stat?.size, damage });
}
