import { statSync } from 'node:fs';
import type { ContentStore } from '../content/contracts.ts';
import { createDigestKeys, type DigestKey } from '../content/digest-key.ts';
import { RegtarError } from '../errors.ts';
import type { Body } from '../io/body.ts';
import type { Ring } from '../io/ring.ts';
import { createDigester, digestAlgorithm, type Digest, type DigestAlgorithm } from '../oci/digest.ts';
import type { ReaderBuffer } from './buffers.ts';
import { createHashThread, type HashThread, type ThreadHash } from './hash-thread.ts';
import type { BlobPiece } from './request.ts';

/** Blobs that are hashed as they are first read whole, and gone once one of them was found damaged. */
export interface CheckedBlobs {
  /** In bytes; undefined where the backup lacks the blob or its bytes were found to be others. */
  size(digest: Digest): number | undefined;
  /**
   * Reads a piece. One that is a whole blob is hashed until a blob was right once; its last bytes come after its digest
   * was. A big one is hashed on another thread, where the buffer can be shared with it.
   * @param buffer each chunk lies in it until the next one is asked for
   * @throws RegtarError BLOB_CORRUPT in place of the last bytes; BLOB_MISSING, SOURCE_CHANGED, SOURCE_UNREADABLE
   */
  open(piece: BlobPiece, buffer: ReaderBuffer): Body;
}

/** What is known of blobs, and where damage is told. */
export interface BlobCheckOptions {
  /** What is known of blobs before the first is served: true for right, false for damaged. */
  readonly known?: Iterable<readonly [Digest, boolean]> | undefined;
  /** Called once for each blob that is found damaged. */
  readonly onDamage?: ((error: RegtarError) => void) | undefined;
  /** @defaultValue one that starts with the first big blob, where the machine has more than one processor */
  readonly hashThread?: HashThread | undefined;
}

/** Wraps a store, which itself checks nothing. */
export function checkBlobs(store: ContentStore, options: BlobCheckOptions = {}): CheckedBlobs {
  const thread = options.hashThread ?? createHashThread();
  const damaged = new Set<Digest>();
  /** Those that were right, and how their files were then. */
  const keyOf = createDigestKeys(store.numbers);
  const right = new Map<DigestKey, string>();
  for (const [digest, isRight] of options.known ?? [])
    if (isRight) right.set(keyOf(digest), fileMark(store, digest));
    else damaged.add(digest);
  const isRight = (digest: Digest, mark: string): boolean =>
    right.get(keyOf(digest)) === mark || store.hashedAs?.(digest) === digest;

  const condemn = (digest: Digest, found: Digest): RegtarError => {
    const error = new RegtarError('BLOB_CORRUPT', `blob ${digest} is damaged: its bytes have the digest ${found}`, {
      side: 'source',
      where: { digest },
      hint: 'it is not served any more; run `regtar verify` to list everything that is damaged',
    });
    if (!damaged.has(digest)) options.onDamage?.(error);
    damaged.add(digest);
    return error;
  };

  return {
    size: (digest) => (damaged.has(digest) ? undefined : store.stat(digest)?.size),
    async *open({ digest, start, end }, buffer) {
      refuseChanged(store);
      const mark = fileMark(store, digest);
      const isHashed = start === 0 && end === store.stat(digest)?.size && !isRight(digest, mark);
      const hash = isHashed ? beginHash(digestAlgorithm(digest), end, buffer, thread) : undefined;
      const judge = async (): Promise<void> => {
        const found = await hash?.digest();
        if (found !== undefined && found !== digest) throw condemn(digest, found);
        if (found !== undefined) right.set(keyOf(digest), mark);
      };
      let left = end - start;
      if (left === 0) {
        await judge();
        return;
      }
      try {
        const ring = hash?.ring ?? buffer.ring(left);
        for await (const chunk of store.open(digest, start, ring)) {
          const bytes = chunk.length > left ? chunk.subarray(0, left) : chunk;
          left -= bytes.length;
          hash?.update(bytes);
          if (left === 0) await judge();
          if (left === 0) refuseChanged(store);
          yield bytes;
          if (left === 0) return;
          // The buffer before this one comes next.
          await hash?.free();
        }
      } finally {
        hash?.leave();
      }
    },
  };
}

/**
 * A blob that is a file of its own may become another one while its folder is served.
 * @returns what changes with the file; empty for a blob that is in an archive
 */
function fileMark(store: ContentStore, digest: Digest): string {
  const file = store.stat(digest) === undefined ? undefined : store.file(digest);
  const stats = file === undefined ? undefined : statSync(file, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
}

/** A running hash of what is sent, here or beside the sending. */
interface SentHash {
  readonly ring: Ring;
  update(bytes: Uint8Array): void;
  /** Waits until the buffer before the last one may be used again. */
  free(): Promise<void>;
  digest(): Promise<Digest>;
  /** Ends a hash that is not wanted any more; nothing happens after `digest`. */
  leave(): void;
}

/** From here on a thread is worth its start. */
const threadFromBytes = 16 * 1024 * 1024;

function beginHash(algorithm: DigestAlgorithm, size: number, buffer: ReaderBuffer, thread: HashThread): SentHash {
  const ring = size < threadFromBytes ? undefined : buffer.halves?.(size);
  const beside = ring === undefined ? undefined : thread.begin(algorithm);
  return ring === undefined || beside === undefined ? hashHere(algorithm, buffer.ring(size)) : hashBeside(beside, ring);
}

function hashHere(algorithm: DigestAlgorithm, ring: Ring): SentHash {
  const digester = createDigester(algorithm);
  return {
    ring,
    update: (bytes) => digester.update(bytes),
    free: async () => undefined,
    digest: async () => digester.digest(),
    leave: () => undefined,
  };
}

function hashBeside(beside: ThreadHash, ring: Ring): SentHash {
  let last: Promise<void> = Promise.resolve();
  let before = last;
  let isOver = false;
  return {
    ring,
    update(bytes) {
      before = last;
      last = beside.update(bytes);
      // It is not waited for where the client goes away first.
      last.catch(() => undefined);
    },
    free: () => before,
    digest() {
      isOver = true;
      return beside.digest();
    },
    leave() {
      if (!isOver) beside.drop();
      isOver = true;
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
