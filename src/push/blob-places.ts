import { setTimeout } from 'node:timers/promises';
import { RegtarError } from '../errors.ts';
import type { BlobNumbers, BlobOutcome, ImageWriter, WriteOptions } from '../content/contracts.ts';
import type { Body } from '../io/body.ts';
import { createFirsts, createTurns } from '../io/per-key.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { cancelUpload, headBlob, mountBlob, type UploadSession } from '../remote/blobs.ts';
import type { Registry } from '../remote/registry.ts';
import { uploadBlob, type UploadJournal } from '../remote/upload.ts';
import { createBlobHomes } from './blob-homes.ts';

/** What is known of the target before blobs are brought there. */
export interface BlobPlacesOptions {
  /** Whether a repository had nothing before this run: then nothing is asked of it. Unknown counts as not. */
  readonly isFresh?: ((repository: string) => boolean) | undefined;
  /** Numbers of the blobs that are brought. @defaultValue they are known by their digests, which takes more room */
  readonly numbers?: BlobNumbers | undefined;
  /** Sessions of large blobs that an earlier run began, and where to keep new ones. */
  readonly journalOf?:
    | ((
        repository: string,
        blob: Descriptor,
      ) => { readonly session: UploadSession | undefined; readonly journal: UploadJournal } | undefined)
    | undefined;
  /**
   * Where in the target another machine is about to bring a blob: it is waited for as long as sending it would take,
   * then mounted.
   */
  readonly elsewhere?: ReadonlyMap<Digest, string> | undefined;
  /**
   * Send blobs in pieces of this many bytes.
   * @defaultValue only large blobs, so that an upload which breaks can go on from the last piece
   */
  readonly chunkBytes?: number | undefined;
}

/** From here on it is worth a journal and some more requests not to begin again. */
const resumableBytes = 128 * 1024 * 1024;
const resumableChunkBytes = 32 * 1024 * 1024;

/** Knows which repositories of the target have which blob, and brings blobs to the others at the least cost. */
export interface BlobPlaces {
  isFresh(repository: string): boolean;
  add(digest: Digest, repository: string): void;
  put(
    blob: Descriptor,
    repository: string,
    open: (from?: number) => Body,
    options: Parameters<ImageWriter['putBlob']>[2],
  ): Promise<BlobOutcome>;
  /**
   * Lets a repository have a blob of which there are no bytes here.
   * @throws RegtarError TARGET_BLOB_MISSING where the target does not have it
   */
  adopt(blob: Descriptor, repository: string, options: WriteOptions): Promise<BlobOutcome>;
  /** Sends a blob through the API, even if it is believed to be there. */
  upload(blob: Descriptor, repository: string, open: (from?: number) => Body, options: WriteOptions): Promise<void>;
}

/** Of a blob that is not anywhere. */
export function blobMissing(
  registry: Pick<Registry, 'host'>,
  repository: string,
  digests: readonly string[],
): RegtarError {
  const [first = '', ...others] = digests;
  return new RegtarError(
    'TARGET_BLOB_MISSING',
    `${registry.host} does not know ${first} in ${repository}${others.length > 0 ? `, nor ${others.join(', ')}` : ''}`,
    { where: { repository, digest: first, digests } },
  );
}

/** Knows of nothing but what `add` says. */
export function createBlobPlaces(registry: Registry, options: BlobPlacesOptions): BlobPlaces {
  const homes = createBlobHomes(options.numbers);
  /** Repositories that mounting from was refused for. */
  const refusals = createBlobHomes();
  const turns = createTurns<string>();
  const firsts = createFirsts<Digest>({ has: homes.isKnown, add: () => undefined });
  const isFresh = options.isFresh ?? (() => false);

  /** Prefers a repository of the same project: one token serves both, and reading it is allowed where pushing is. */
  const chooseSource = (digest: Digest, repository: string): string | undefined => {
    const project = repository.slice(0, repository.indexOf('/') + 1);
    let other: string | undefined;
    for (const candidate of homes.of(digest)) {
      if (refusals.has(digest, candidate)) continue;
      if (project !== '' && candidate.startsWith(project)) return candidate;
      other ??= candidate;
    }
    return other;
  };

  const upload = async (
    blob: Descriptor,
    repository: string,
    open: (from?: number) => Body,
    session: UploadSession | undefined,
    write: WriteOptions,
  ): Promise<BlobOutcome> => {
    const kept = blob.size >= resumableBytes ? options.journalOf?.(repository, blob) : undefined;
    const chunkBytes = options.chunkBytes ?? (blob.size >= resumableBytes ? resumableChunkBytes : undefined);
    await uploadBlob(registry, repository, blob, open, {
      ...write,
      session: session ?? kept?.session,
      journal: kept?.journal,
      chunkBytes,
    });
    return 'written';
  };

  /** A mount doubles as the existence check: no HEAD is owed before it, and what it begins instead is used. */
  const mountOrUpload = async (
    blob: Descriptor,
    repository: string,
    from: string,
    open: (from?: number) => Body,
    write: WriteOptions,
  ): Promise<BlobOutcome> => {
    const mounted = await mountBlob(registry, repository, blob.digest, from, { signal: write.signal });
    if (mounted === 'mounted') return from === repository ? 'present' : 'mounted';
    if (mounted === 'refused') {
      refusals.add(blob.digest, from);
      return upload(blob, repository, open, undefined, write);
    }
    return upload(blob, repository, open, mounted, write);
  };

  const bring = async (
    blob: Descriptor,
    repository: string,
    open: (from?: number) => Body,
    write: WriteOptions,
  ): Promise<BlobOutcome> => {
    const from =
      chooseSource(blob.digest, repository) ??
      (await findElsewhere(registry, blob, options.elsewhere?.get(blob.digest), write.signal));
    if (from !== undefined) return mountOrUpload(blob, repository, from, open, write);
    // What an earlier run uploaded into this repository is found by mounting it from itself; a journal knows better
    // where it has one.
    const kept = blob.size >= resumableBytes ? options.journalOf?.(repository, blob)?.session : undefined;
    return isFresh(repository) || kept !== undefined
      ? upload(blob, repository, open, undefined, write)
      : mountOrUpload(blob, repository, repository, open, write);
  };

  return {
    isFresh,
    add: homes.add,
    put(blob, repository, open, write) {
      const bringHere = (): Promise<BlobOutcome> =>
        turns.run(`${repository}@${blob.digest}`, async () => {
          write.signal?.throwIfAborted();
          if (homes.has(blob.digest, repository)) return 'present';
          const outcome = await bring(blob, repository, open, write);
          homes.add(blob.digest, repository);
          return outcome;
        });
      // The first upload of a blob anywhere goes alone; all others wait for it, then mount.
      return homes.isKnown(blob.digest) ? bringHere() : firsts.run(blob.digest, bringHere);
    },
    adopt: (blob, repository, { signal }) =>
      turns.run(`${repository}@${blob.digest}`, async () => {
        if (homes.has(blob.digest, repository)) return 'present';
        for (
          let from = chooseSource(blob.digest, repository);
          from !== undefined;
          from = chooseSource(blob.digest, repository)
        ) {
          const mounted = await mountBlob(registry, repository, blob.digest, from, { signal });
          if (mounted === 'mounted') {
            homes.add(blob.digest, repository);
            return 'mounted';
          }
          refusals.add(blob.digest, from);
          if (mounted !== 'refused') await cancelUpload(registry, repository, mounted, { signal });
        }
        throw blobMissing(registry, repository, [blob.digest]);
      }),
    async upload(blob, repository, open, write) {
      await upload(blob, repository, open, undefined, write);
      homes.add(blob.digest, repository);
    },
  };
}

/** Below this, looking costs more than a second upload. */
const awaitedBytes = 4 * 1024 * 1024;
const awaitedBytesPerSecond = 20 * 1024 * 1024;
const longestWaitSeconds = 60;
const lookEverySeconds = 0.25;

/**
 * It is not known whether the other one is running at all. Waiting as long as an upload would take costs at most twice
 * of what knowing it would.
 * @returns the repository to try a mount from: a mount of what is not there begins an upload, so a wrong guess costs
 * nothing
 */
async function findElsewhere(
  registry: Registry,
  blob: Descriptor,
  repository: string | undefined,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (repository === undefined || blob.size < awaitedBytes) return repository;
  const end = performance.now() + 1000 * Math.min(longestWaitSeconds, blob.size / awaitedBytesPerSecond);
  try {
    while ((await headBlob(registry, repository, blob.digest, { signal })) === undefined && performance.now() < end)
      await setTimeout(1000 * lookEverySeconds, undefined, { signal });
  } catch (error) {
    // Its project may not be there yet, or not be for this account: then the mount finds out, too.
    if (!(error instanceof RegtarError) || error.code !== 'AUTH_DENIED') throw error;
  }
  return repository;
}
