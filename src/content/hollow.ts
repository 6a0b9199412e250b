import { verifiedBody } from '../io/verified-body.ts';
import type { Body } from '../io/body.ts';
import type { Ring } from '../io/ring.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { ContentStore } from './contracts.ts';

/** Holes up to here are read like anything else, which takes a second. */
const hollowBytes = 1024 ** 3;
/** So many times what is stored: an honest disk image of zeros is hardly emptier, and is read. */
const hollowFactor = 100;
/** More zeros than this are not read, whatever they are: a quarter of an hour of hashing. */
const mostHoles = 1024 ** 4;

/** Zeros of all blobs together that are nearly all holes: half an hour of hashing. */
const mostHolesTogether = 2 * mostHoles;
/** The same of blobs that should have no holes, or that no manifest names: ten seconds. */
const mostWrongHolesTogether = 16 * hollowBytes;

/** What nearly empty blobs of one backup may still have of zeros, and those that have had their part. */
interface Allowance {
  plain: number;
  wrong: number;
  readonly granted: Set<Digest>;
}

const allowances = new WeakMap<object, Allowance>();

/**
 * The same for one blob after the other: a backup of some megabytes may claim terabytes in pieces, each of which would
 * be read by itself. The first ones are read, up to 2 TiB of zeros in all, 16 GiB where none are expected; a blob that
 * was to be read stays so.
 * @param store one for each backup
 */
export function hollowReasonIn(
  store: object,
  digest: Digest,
  stat: { readonly size: number; readonly held?: number | undefined },
  mediaTypes: readonly string[],
): string | undefined {
  const reason = hollowReason(stat, mediaTypes);
  const { size, held = size } = stat;
  if (reason !== undefined || !isNearlyEmpty(stat)) return reason;
  const allowance = allowances.get(store) ?? {
    plain: mostHolesTogether,
    wrong: mostWrongHolesTogether,
    granted: new Set(),
  };
  allowances.set(store, allowance);
  if (allowance.granted.has(digest)) return undefined;
  const holes = size - held;
  const kind = mediaTypes.every(isDense) ? 'wrong' : 'plain';
  if (holes > allowance[kind])
    return `it claims ${size} bytes, of which ${held} are stored, and others like it have claimed enough before it`;
  allowance[kind] -= holes;
  allowance.granted.add(digest);
  return undefined;
}

/** Whether less than a hundredth of a blob is stored. */
export function isNearlyEmpty({
  size,
  held = size,
}: {
  readonly size: number;
  readonly held?: number | undefined;
}): boolean {
  return size > held && size > hollowFactor * held;
}

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
  if (holes <= hollowBytes || !isNearlyEmpty({ size, held })) return undefined;
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
  const damage = stat === undefined ? undefined : hollowReasonIn(store, blob.digest, stat, [blob.mediaType]);
  return verifiedBody(store.open(blob.digest, 0, ring), blob, { size: stat?.size, damage });
}
