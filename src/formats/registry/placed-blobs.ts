import { RegtarError } from '../../errors.ts';
import type { ImageWriter, WriteOptions } from '../../content/contracts.ts';
import type { Body } from '../../io/body.ts';
import type { StoredBytes } from '../../io/file-copier.ts';
import { createTurns } from '../../io/per-key.ts';
import type { FileRange } from '../../io/random-access.ts';
import { createDigester, digestAlgorithm, type Digest } from '../../oci/digest.ts';
import { DigestNumbers } from '../../oci/digest-numbers.ts';
import type { Descriptor } from '../../oci/descriptor.ts';

import { blobPath, layerLinkPath } from './layout.ts';
import type { Place } from './place.ts';

/** How blobs are placed. */
export interface PlacedBlobsOptions {
  /** Whether nothing is there yet, so that nothing is looked for. @defaultValue false */
  readonly isFresh?: boolean;
  /** What is there with another size is written again; otherwise it is an error. @defaultValue false */
  readonly replace?: boolean;
  /** Hash what is there with the right size, too. @defaultValue false */
  readonly verify?: boolean;
  /**
   * `sized` links files of the source unread, `hashed` reads them first.
   * @defaultValue files that this run has hashed, or nothing, are linked
   */
  readonly link?: 'sized' | 'hashed' | undefined;
}

/** The blobs of a registry's storage, each placed once by this process. */
export interface PlacedBlobs {
  /**
   * Places a blob where it is not there.
   * @throws RegtarError TARGET_BLOB_DAMAGED when something else is there, BLOB_CORRUPT when the source's bytes are not
   * right
   * @param repository that `link` is called for as soon as the blob is there, where that is known
   */
  put(
    blob: Descriptor,
    open: Parameters<ImageWriter['putBlob']>[1],
    options: Parameters<ImageWriter['putBlob']>[2],
    repository?: string,
  ): Promise<'written' | 'present' | 'server-copied'>;
  /** The same for bytes that are in memory: manifests. */
  putBytes(blob: Descriptor, bytes: Uint8Array): Promise<'written' | 'present'>;
  /**
   * Replaces what is there and wrong; what is not there at all is left to the registry. For bytes that are in memory:
   * manifests.
   */
  mend(blob: Descriptor, bytes: Uint8Array): Promise<void>;
  /**
   * Whether a blob is there, by size or, where that was asked for, by its digest.
   * @throws RegtarError TARGET_BLOB_DAMAGED
   */
  has(blob: Descriptor, options?: WriteOptions): Promise<boolean>;
  /** Lets a repository serve a blob. */
  link(repository: string, digest: Digest): Promise<'written' | 'present'>;
}

/** @param place of an export, or of a registry that runs */
export function createPlacedBlobs(place: Place, options: PlacedBlobsOptions = {}): PlacedBlobs {
  const claims = createTurns<Digest>();
  // A set of half a million digests as texts takes seventy megabytes, as numbers thirty.
  const done = new DigestNumbers();

  /** @returns undefined where nothing is, or what may be written over */
  const judge = async (blob: Descriptor, write: WriteOptions): Promise<'right' | 'wrong' | undefined> => {
    if (done.find(blob.digest) >= 0) return 'right';
    const path = blobPath(blob.digest);
    const found = options.isFresh === true ? undefined : await place.stat(path);
    if (found === undefined) return undefined;
    const wrong =
      blob.size >= 0
        ? found.size === blob.size
          ? undefined
          : `${found.size} bytes instead of ${blob.size}`
        : found.size === 0
          ? 'no bytes'
          : undefined;
    const reason = wrong ?? (options.verify === true ? await differenceOf(place, blob, write) : undefined);
    if (reason === undefined) {
      done.numberOf(blob.digest);
      return 'right';
    }
    if (options.replace === true) return 'wrong';
    throw damaged(place, blob, reason);
  };
  const put = (
    blob: Descriptor,
    content: Uint8Array | (() => Body),
    write: Parameters<ImageWriter['putBlob']>[2],
    repository?: string,
  ): Promise<'written' | 'present' | 'server-copied'> =>
    claims.run(blob.digest, async () => {
      const found = await judge(blob, write);
      if (found === 'right') return 'present';
      const path = blobPath(blob.digest);
      if (found === undefined && typeof content === 'function' && (await linked(blob, path, content, write))) {
        done.numberOf(blob.digest);
        return 'written';
      }
      if (found === undefined && typeof content === 'function' && (await copiedThere(blob, path, write))) {
        done.numberOf(blob.digest);
        return 'server-copied';
      }
      const outcome = await place.put(path, content, {
        replace: found === 'wrong',
        isAbsent: found === undefined && options.isFresh !== true,
        size: blob.size,
        stored: storedBytes(blob, write.ranges),
        next:
          repository === undefined || options.replace === true
            ? undefined
            : { path: layerLinkPath(repository, blob.digest), content: Buffer.from(blob.digest) },
        signal: write.signal,
        onBytes: write.onBytes,
      });
      // Another process has been quicker: then it is judged like everything that was there before.
      if (outcome === 'present') await judge(blob, write);
      done.numberOf(blob.digest);
      return outcome;
    });
  const linked = async (
    blob: Descriptor,
    path: string,
    open: () => Body,
    { file, isFileVerified, onBytes, signal }: Parameters<ImageWriter['putBlob']>[2],
  ): Promise<boolean> => {
    if (file === undefined || (options.link === undefined && isFileVerified !== true)) return false;
    if (options.link === 'hashed' && isFileVerified !== true) await readWhole(open(), signal);
    if (!(await place.link(path, file, blob.size))) return false;
    onBytes?.(Math.max(0, blob.size));
    return true;
  };
  /** A server copies without looking, so where hashes are wanted, the bytes are read. */
  const copiedThere = async (
    blob: Descriptor,
    path: string,
    { object, signal }: Parameters<ImageWriter['putBlob']>[2],
  ): Promise<boolean> => {
    if (object === undefined || options.verify === true || (blob.size >= 0 && object.size !== blob.size)) return false;
    return (await place.copy?.(path, object, { signal })) === true;
  };
  const putBytes: PlacedBlobs['putBytes'] = async (blob, bytes) =>
    (await put(blob, bytes, {})) === 'present' ? 'present' : 'written';
  return {
    put: (blob, open, write, repository) => put(blob, () => open(), write, repository),
    putBytes,
    async mend(blob, bytes) {
      if ((await place.stat(blobPath(blob.digest))) !== undefined) await put(blob, bytes, {});
    },
    has: async (blob, write = {}) => (await claims.run(blob.digest, () => judge(blob, write))) === 'right',
    async link(repository, digest) {
      const path = layerLinkPath(repository, digest);
      const bytes = Buffer.from(digest);
      if (options.replace !== true) {
        const outcome = await place.put(path, bytes);
        // Links are not synced: a power cut may empty one, and an empty one is of no use to anybody.
        if (outcome === 'written' || (await place.stat(path))?.size !== 0) return outcome;
        return place.put(path, bytes, { replace: true });
      }
      const found = await place.stat(path);
      if (found?.size === bytes.length) return 'present';
      return place.put(path, bytes, found === undefined ? { isAbsent: true } : { replace: true });
    },
  };
}

/** Only where a thread would read as many bytes as the manifest says; everything else is told in the usual way. */
function storedBytes({ digest, size }: Descriptor, ranges: readonly FileRange[] | undefined): StoredBytes | undefined {
  const found = ranges?.reduce((sum, range) => sum + range.size, 0);
  return ranges === undefined || (size >= 0 && found !== size) ? undefined : { ranges, digest };
}

/** A verified body throws where its bytes are not right. */
async function readWhole(body: Body, signal: AbortSignal | undefined): Promise<void> {
  const chunks = body[Symbol.asyncIterator]();
  while ((await chunks.next()).done !== true) signal?.throwIfAborted();
}

/** @returns what is wrong with the bytes that are there, or undefined */
async function differenceOf(
  place: Place,
  { digest }: Descriptor,
  { signal }: WriteOptions,
): Promise<string | undefined> {
  const digester = createDigester(digestAlgorithm(digest));
  for await (const chunk of place.read(blobPath(digest))) {
    signal?.throwIfAborted();
    digester.update(chunk);
  }
  const found = digester.digest();
  return found === digest ? undefined : `bytes with the digest ${found}`;
}

function damaged(place: Place, { digest }: Descriptor, reason: string): RegtarError {
  return new RegtarError('TARGET_BLOB_DAMAGED', `blob ${digest} in ${place.describe} is damaged: it has ${reason}`, {
    where: { digest, path: blobPath(digest) },
    hint: '--repair with --storage replaces it with the bytes of SOURCE',
  });
}
