import type { ContentStore } from '../content/contracts.ts';
import { RegtarError } from '../errors.ts';
import type { Body } from '../io/body.ts';
import type { Ring } from '../io/ring.ts';
import { createDigester, digestAlgorithm, type Digest } from '../oci/digest.ts';
import type { BlobPiece } from './request.ts';

/** Blobs that are hashed as they are first read whole, and gone once one of them was found damaged. */
export interface CheckedBlobs {
  /** In bytes; undefined where the backup lacks the blob or its bytes were found to be others. */
  size(digest: Digest): number | undefined;
  /**
   * Reads a piece. One that is a whole blob is hashed until a blob was right once; its last bytes come after its digest
   * was.
   * @throws RegtarError BLOB_CORRUPT in place of the last bytes; BLOB_MISSING, SOURCE_CHANGED, SOURCE_UNREADABLE
   */
  open(piece: BlobPiece, ring: Ring): Body;
}

/** What is known of blobs, and where damage is told. */
export interface BlobCheckOptions {
  /** What is known of blobs before the first is served: true for right, false for damaged. */
  readonly known?: ReadonlyMap<Digest, boolean> | undefined;
  /** Called once for each blob that is found damaged. */
  readonly onDamage?: ((error: RegtarError) => void) | undefined;
}

/** Wraps a store, which itself checks nothing. */
export function checkBlobs(store: ContentStore, options: BlobCheckOptions = {}): CheckedBlobs {
  const verdicts = new Map<Digest, boolean>(options.known);
  const isRight = (digest: Digest): boolean => verdicts.get(digest) === true || store.hashedAs?.(digest) === digest;

  const condemn = (digest: Digest, found: Digest): RegtarError => {
    const error = new RegtarError('BLOB_CORRUPT', `blob ${digest} is damaged: its bytes have the digest ${found}`, {
      side: 'source',
      where: { digest },
      hint: 'it is not served any more; run `regtar verify` to list everything that is damaged',
    });
    if (verdicts.get(digest) !== false) options.onDamage?.(error);
    verdicts.set(digest, false);
    return error;
  };

  return {
    size: (digest) => (verdicts.get(digest) === false ? undefined : store.stat(digest)?.size),
    async *open({ digest, start, end }, ring) {
      refuseChanged(store);
      const size = store.stat(digest)?.size;
      const digester =
        start === 0 && end === size && !isRight(digest) ? createDigester(digestAlgorithm(digest)) : undefined;
      let left = end - start;
      if (left === 0 && digester !== undefined) {
        const found = digester.digest();
        if (found !== digest) throw condemn(digest, found);
      }
      if (left === 0) return;
      for await (const chunk of store.open(digest, start, ring)) {
        const bytes = chunk.length > left ? chunk.subarray(0, left) : chunk;
        left -= bytes.length;
        digester?.update(bytes);
        if (left === 0 && digester !== undefined) {
          const found = digester.digest();
          if (found !== digest) throw condemn(digest, found);
          verdicts.set(digest, true);
        }
        if (left === 0) refuseChanged(store);
        yield bytes;
        if (left === 0) return;
      }
    },
  };
}

/**
 * What was right once may be something else now, and ranges are not hashed at all.
 * @throws RegtarError SOURCE_CHANGED
 */
function refuseChanged(store: ContentStore): void {
  if (store.changed?.() === true)
    throw new RegtarError(
      'SOURCE_CHANGED',
      'the backup was written to since it was opened: its blobs are not served any more',
      {
        hint: 'end the server, wait until nothing writes to the backup any more, then start it again',
      },
    );
}
